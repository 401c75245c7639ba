/**
 * Runs an effect to its end within the calling step.
 *
 * A fiber of Effect's ordinary scheduler may give way between two operations, and each fiber it forks runs on a later
 * turn. Here every fiber shares one dispatcher, which is emptied before the step goes on. An effect that would have to
 * wait for anything else breaks the caller's contract and is a defect.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scheduler from "effect/Scheduler"

export class Inline implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "sync"
  private tasks: Array<() => void> = []
  private readonly runFork: ReturnType<typeof Effect.runForkWith<never>>

  constructor(clock: Clock.Clock) {
    const context = Context.add(Context.make(Scheduler.Scheduler, this), Clock.Clock, clock)
    this.runFork = Effect.runForkWith(context)
  }

  run<A>(effect: Effect.Effect<A>): A {
    const fiber = this.runFork(effect)
    this.flush()
    const exit = fiber.pollUnsafe()
    if (exit === undefined) throw new Error("a step that must not wait has to wait")
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value
  }

  shouldYield(): boolean {
    return false
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
  }

  flush(): void {
    while (this.tasks.length > 0) {
      const { tasks } = this
      this.tasks = []
      for (const task of tasks) task()
    }
  }
}
