/**
 * The delays of a schedule, one after the other. When it ends it begins anew, after its last delay once more.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"

type Step = (now: number, input: unknown) => Effect.Effect<[unknown, Duration.Duration], unknown>

export class Backoff {
  private readonly schedule: Schedule.Schedule<unknown, unknown>
  private step: Step | undefined
  private lastDelay = Duration.zero

  constructor(schedule: Schedule.Schedule<unknown, unknown>) {
    this.schedule = schedule
  }

  /** Things go well again. */
  reset(): void {
    this.step = undefined
  }

  /** Waits before the next attempt after a failure. */
  readonly wait = Effect.fnUntraced(function*(this: Backoff, cause: unknown): Effect.fn.Return<void> {
    this.step ??= yield* Schedule.toStep(this.schedule) as Effect.Effect<Step>
    const exit = yield* Effect.exit(this.step(yield* Clock.currentTimeMillis, cause))
    if (Exit.isSuccess(exit)) this.lastDelay = exit.value[1]
    else this.step = undefined
    yield* Effect.sleep(this.lastDelay)
  })
}
