/**
 * The waits between attempts: for authors of backend packages that try again by themselves.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"

type Step = (now: number, input: unknown) => Effect.Effect<[unknown, Duration.Duration], unknown>

/** A schedule that says never, or grows for as long as an outage lasts, must not keep anybody from coming back. */
const longestDelay = 3_600_000

/**
 * The delays of a schedule, one after the other. When it ends it begins anew, after its last delay once more.
 *
 * @category models
 * @since 0.1.0
 */
export class Backoff {
  /** Whether the schedule had ended when it was asked last. */
  hasEnded = false
  private readonly schedule: Schedule.Schedule<unknown, unknown>
  private step: Step | undefined = undefined
  private lastDelay = 0

  constructor(schedule: Schedule.Schedule<unknown, unknown>) {
    this.schedule = schedule
  }

  /** Things go well again. */
  reset(): void {
    this.step = undefined
  }

  /** The delay before the next attempt after a failure, in milliseconds: an hour at most. */
  readonly next = Effect.fnUntraced(function*(this: Backoff, now: number, cause: unknown): Effect.fn.Return<number> {
    const step = this.step ??= yield* Schedule.toStep(this.schedule) as Effect.Effect<Step>
    const exit = yield* Effect.exit(Effect.suspend(() => step(now, cause)))
    this.hasEnded = Exit.isFailure(exit)
    if (Exit.isSuccess(exit)) this.lastDelay = Math.min(Duration.toMillis(exit.value[1]), longestDelay)
    else this.step = undefined
    return this.lastDelay
  })
}
