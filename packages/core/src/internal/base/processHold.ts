/**
 * Lets a Node.js process end while a pool is idle, and not before (option `unref`).
 *
 * The sockets and timers of such a pool count for nothing. One timer in their place keeps the process alive as long as
 * there is a reason: a connection that is lent, opened, checked or closed, or a caller that waits.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { withTime } from "./time.ts"

/** The longest that a timer of Node.js takes, in milliseconds. */
const longest = 2 ** 31 - 1

export class ProcessHold {
  static readonly make: Effect.Effect<ProcessHold, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => new ProcessHold()),
    (hold) => Effect.sync(() => hold.stop())
  )

  // oxlint-disable-next-line no-restricted-globals -- no effect's timer can be let go and taken back
  private readonly timer = setInterval(() => {}, longest).unref()
  private reasons = 0

  begin(): void {
    if (this.reasons++ === 0) this.timer.ref()
  }

  end(): void {
    if (--this.reasons === 0) this.timer.unref()
  }

  private stop(): void {
    clearInterval(this.timer)
  }
}

/** The clock that a program has without giving one. */
const ownClock = Context.get(Context.empty(), Clock.Clock)

/** A clock whose sleepers keep no process alive. One that is not the process's own, as in a test, stays what it is. */
export const unrefed = (clock: Clock.Clock): Clock.Clock =>
  clock === ownClock ? withTime(clock, () => clock.currentTimeMillisUnsafe(), sleep) : clock

const sleep = (duration: Duration.Duration): Effect.Effect<void> => sleepFor(Duration.toMillis(duration))

const sleepFor = (millis: number): Effect.Effect<void> => {
  if (millis <= 0) return Effect.yieldNow
  if (millis === Infinity) return Effect.never
  return Effect.callback<void>((resume) => {
    const rest = millis > longest ? sleepFor(millis - longest) : Effect.void
    // oxlint-disable-next-line no-restricted-globals -- Effect's own clock has no timer that can be let go
    const timer = setTimeout(() => resume(rest), Math.min(millis, longest)).unref()
    return Effect.sync(() => clearTimeout(timer))
  })
}
