/**
 * Waits for what happens beside a test, such as a close.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * Asks again and again until the answer is `true`. After `limit`, by default 5 seconds, it dies with an error that says
 * `what` did not happen.
 *
 * It waits in real time: use it with `it.live`, not under `TestClock`.
 *
 * @category operations
 * @since 0.1.0
 */
export const eventually = <E, R>(
  what: string,
  ask: Effect.Effect<boolean, E, R>,
  limit: Duration.Input = "5 seconds"
): Effect.Effect<void, E, R> =>
  ask.pipe(
    Effect.repeat({ schedule: Schedule.spaced("5 millis"), until: (answer: boolean) => answer }),
    Effect.timeoutOrElse({ duration: limit, orElse: () => Effect.die(new Error(`did not happen: ${what}`)) }),
    Effect.asVoid
  )
