/**
 * The scheduler that something runs on for as long as it lives, whoever made it.
 */
import * as Scheduler from "effect/Scheduler"

/**
 * A pool that is made by `Effect.runSync` meets the scheduler of that one run, whose turns are microtasks: with it for life a
 * busy pool would let no timer and no socket come to its turn.
 */
export const asynchronous = (scheduler: Scheduler.Scheduler): Scheduler.Scheduler =>
  scheduler.executionMode === "sync" ? new Scheduler.MixedScheduler("async") : scheduler
