/**
 * Counts the work that is scheduled and not done, so that a test can run until nothing is left to do, and can make a
 * fiber give way after every single operation.
 */
import { Context, Data, Effect, Exit, Metric, Scheduler } from "effect"
import { TestClock } from "effect/testing"

/** A rule of the pool that did not hold. */
export class Violation extends Data.TaggedError("Violation")<{ readonly rule: string; readonly facts: unknown }> {
  override get message(): string {
    return `${this.rule}: ${JSON.stringify(this.facts)}`
  }
}

export class Turns implements Metric.FiberRuntimeMetricsService {
  /** Tasks scheduled and not begun. */
  outstanding = 0
  /** Fibers begun and not ended. */
  fibers = 0
  readonly defects: Array<unknown> = []
  /** The marks of the pools that are watched, and how many tasks have ended that left one behind. */
  readonly marks: Array<{ readonly isSet: boolean }> = []
  marksLeft = 0

  recordFiberStart(): void {
    this.fibers++
  }

  recordFiberEnd(_: unknown, exit: Exit.Exit<unknown, unknown>): void {
    this.fibers--
    if (Exit.isSuccess(exit)) return
    for (const reason of exit.cause.reasons) {
      if (reason._tag === "Die") this.defects.push(reason.defect)
    }
  }

  /** Counts what a scheduler is given. With `isStepwise` its fibers give way after every operation. */
  scheduler(parent: Scheduler.Scheduler, isStepwise: boolean): Scheduler.Scheduler {
    return {
      executionMode: parent.executionMode,
      // The first two operations only take up where the fiber gave way.
      shouldYield: (fiber) => isStepwise ? fiber.currentOpCount > 2 : parent.shouldYield(fiber),
      makeDispatcher: () => this.dispatcher(parent.makeDispatcher())
    }
  }

  private dispatcher(parent: Scheduler.SchedulerDispatcher): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task, priority) => {
        this.outstanding++
        parent.scheduleTask(() => {
          this.outstanding--
          task()
          if (this.marks.some(({ isSet }) => isSet)) this.marksLeft++
        }, priority)
      },
      flush: () => parent.flush()
    }
  }

  /** Runs until no fiber can go on without the clock or the test. */
  readonly settle: Effect.Effect<void, Violation> = Effect.suspend(() => this.settleWithin(5_000))

  private settleWithin(turns: number): Effect.Effect<void, Violation> {
    return Effect.flatMap(Effect.yieldNow, () => {
      if (this.outstanding === 0) return Effect.void
      if (turns > 0) return this.settleWithin(turns - 1)
      return Effect.fail(new Violation({ rule: "the pool comes to rest", facts: { outstanding: this.outstanding } }))
    })
  }

  /** Moves the clock once everything is at rest, and lets everything come to rest again. */
  readonly advance = (millis: number): Effect.Effect<void, Violation> =>
    this.settle.pipe(Effect.andThen(TestClock.adjust(millis)), Effect.andThen(this.settle))
}

/** Runs a test whose scheduled work and fibers are counted. */
export const counted = <A, E, R>(f: (turns: Turns) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Scheduler.Scheduler, (parent) => {
    const turns = new Turns()
    const context = Context.make(Scheduler.Scheduler, turns.scheduler(parent, false)).pipe(
      Context.add(Metric.FiberRuntimeMetrics, turns)
    )
    return Effect.provideContext(Effect.suspend(() => f(turns)), context)
  })

/** Runs an effect so that it, and all that it starts, gives way after every operation. */
export const stepwise = <A, E, R>(turns: Turns, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Scheduler.Scheduler,
    (parent) => Effect.provideService(effect, Scheduler.Scheduler, turns.scheduler(parent, true))
  )
