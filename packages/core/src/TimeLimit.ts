/**
 * A time limit that is fair to what has arrived, and the clock that it goes by.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { steadyMillis } from "./internal/base/time.ts"

export { steadyMillis } from "./internal/base/time.ts"

/** A timer that comes so many milliseconds late, or more, tells that the event loop was blocked. */
const blocked = 10

/**
 * Sleeps for the length of a time limit, in milliseconds.
 *
 * Where the program blocks its event loop, the timer of a limit fires before what has arrived meanwhile is read, and a
 * backend that has long answered looks dead. So a timer that comes late sleeps once more, as long as it was late but no
 * longer than the limit itself; and in any case it gives way for one turn of the loop.
 *
 * @category limits
 * @since 0.1.0
 */
export const sleep = (millis: number): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const until = steadyMillis(clock) + millis
    return Effect.flatMap(Effect.sleep(millis), () => {
      const late = steadyMillis(clock) - until
      return late < blocked ? Effect.yieldNow : Effect.sleep(Math.min(late, millis))
    })
  })

/**
 * Runs an effect for so long at most, as `Effect.timeoutOption` does, but with the limit of `sleep`.
 *
 * @category limits
 * @since 0.1.0
 */
export const timeoutOption = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.raceFirst(
    Effect.map(effect, Option.some),
    Effect.interruptible(Effect.map(sleep(Duration.toMillis(duration)), Option.none))
  )

/**
 * `timeoutOption`, and what is done where the time is up.
 *
 * @category limits
 * @since 0.1.0
 */
export const timeoutOrElse = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  { duration, orElse }: { readonly duration: Duration.Input; readonly orElse: () => Effect.Effect<A2, E2, R2> }
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.flatMap(
    timeoutOption(effect, duration),
    (ended): Effect.Effect<A | A2, E2, R2> => Option.isSome(ended) ? Effect.succeed(ended.value) : orElse()
  )
