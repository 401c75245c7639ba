import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import { Costs } from "../../src/internal/cost/costs.ts"
import { Lane } from "../../src/internal/cost/lane.ts"

const rules = { above: 500, plannedAbove: 100_000, share: 0.25 }

/** Runs a statement that gives way before an operation, and is interrupted then. Tells whether it had so many. */
const interruptedBefore = (before: number) =>
  Effect.gen(function*() {
    const lane = new Lane(new Costs(rules), 1)
    const parent = yield* Scheduler.Scheduler
    let operations = 0
    let isGivingWay = false
    let isOver = false
    const scheduler: Scheduler.Scheduler = {
      executionMode: parent.executionMode,
      shouldYield: () => isGivingWay = !isOver && ++operations === before,
      makeDispatcher: () => {
        const dispatcher = parent.makeDispatcher()
        const scheduleTask: typeof dispatcher.scheduleTask = (task, priority) => {
          if (!isGivingWay) return dispatcher.scheduleTask(task, priority)
          isGivingWay = false
          dispatcher.scheduleTask(() => {
            isOver = true
            fiber.interruptUnsafe()
            task()
          }, priority)
        }
        return { scheduleTask, flush: () => dispatcher.flush() }
      }
    }
    const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(
      Effect.provideService(lane.timed("SELECT 1", false, Effect.never), Scheduler.Scheduler, scheduler)
    )
    yield* Effect.repeat(Effect.yieldNow, { times: 30 })
    const wasReached = operations >= before
    yield* Fiber.interrupt(fiber)
    assert.strictEqual(lane.costs.outside(Infinity), 0, `before operation ${before}`)
    return wasReached
  })

describe("the lane of heavy statements", () => {
  it.effect("counts no statement as running that was interrupted, at whatever step", () =>
    Effect.gen(function*() {
      let before = 1
      while (yield* interruptedBefore(before)) before++
      assert.isAbove(before, 3)
    }))
})
