/**
 * A time limit that holds whatever the effect does, even if it can't be interrupted.
 *
 * `Effect.timeout` waits for the loser to end; a socket that hangs in an uninterruptible region would hang the pool.
 * Here the effect runs in a fiber of its own, which is told to stop when time is up and then left behind.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TimeLimit from "../../TimeLimit.ts"

/** The failure of a step whose time is up. */
export class StepTimedOut extends Data.TaggedError("StepTimedOut")<{
  readonly step: string
  readonly option: string
  readonly millis: number
}> {
  override get message(): string {
    return `${this.step} took longer than ${this.millis} ms (${this.option})`
  }
}

/** The failure of a step that was ended before its time was up. */
export class StepCut extends Data.TaggedError("StepCut")<{ readonly step: string }> {
  override get message(): string {
    return `${this.step} was given up, since the time for the drain was up`
  }
}

/** The failure of a step that breaks the connector's contract. */
export class StepMisused extends Data.TaggedError("StepMisused")<{ readonly rule: string }> {
  override get message(): string {
    return this.rule
  }
}

/**
 * Runs an effect for so many milliseconds at most. Failures, defects and an interruption of itself all come back as a
 * failure with their cause squashed: the caller is a pool step, for which they mean the same.
 */
export const limited = <A>(
  effect: Effect.Effect<A, unknown>,
  { cut, millis, onStart, option, step }: {
    readonly step: string
    readonly option: string
    readonly millis: number
    /** The end of this ends the step before its time is up. */
    readonly cut?: Effect.Effect<void> | undefined
    /** Told of the fiber the effect runs in. */
    readonly onStart?: ((fiber: Fiber.Fiber<unknown, unknown>) => void) | undefined
  }
): Effect.Effect<A, unknown> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
      onStart?.(fiber)
      const abandon = Effect.sync(() => fiber.interruptUnsafe())
      const timeIsUp = Effect.as(TimeLimit.sleep(millis), "late" as const)
      // Most steps can't be cut and do not pay for it: a validation or a reset is on the way of a lease.
      const ending = cut === undefined ? timeIsUp : Effect.raceFirst(timeIsUp, Effect.as(cut, "cut" as const))
      return Effect.flatMap(
        Effect.onInterrupt(restore(Effect.raceFirst(Fiber.await(fiber), ending)), () => abandon),
        (exit) =>
          exit === "late"
            ? Effect.andThen(abandon, Effect.fail(new StepTimedOut({ step, option, millis })))
            : exit === "cut"
            ? Effect.andThen(abandon, Effect.fail(new StepCut({ step })))
            : Exit.isSuccess(exit)
            ? Effect.succeed(exit.value)
            : Effect.fail(squash(exit.cause, step))
      )
    })
  )

const squash = (cause: Cause.Cause<unknown>, step: string): unknown =>
  Cause.hasInterruptsOnly(cause) ? new StepMisused({ rule: `${step} interrupted itself` }) : Cause.squash(cause)
