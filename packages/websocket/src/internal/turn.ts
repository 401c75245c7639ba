/**
 * The end of the present turn of the event loop, for all connections of a pool.
 *
 * Where several requests are under way, what they send is held until everything that arrived in the same turn has been
 * read. Then it leaves together: fewer calls of the system, and the server is woken once.
 */
import type * as Scheduler from "effect/Scheduler"

export class Turn {
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private waiting: Array<() => void> = []

  constructor(scheduler: Scheduler.Scheduler) {
    this.dispatcher = scheduler.makeDispatcher()
  }

  /** Calls back when the turn ends, in the order in which it was asked. */
  atEnd(f: () => void): void {
    if (this.waiting.push(f) === 1) this.dispatcher.scheduleTask(this.end, 0)
  }

  private readonly end = (): void => {
    const { waiting } = this
    this.waiting = []
    for (const f of waiting) f()
  }
}
