import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Costs } from "../../src/internal/cost/costs.ts"
import { Lane } from "../../src/internal/cost/lane.ts"
import { interruptedBefore } from "../fixtures/givingWay.ts"

const rules = { above: 500, plannedAbove: 100_000, share: 0.25 }

describe("the lane of heavy statements", () => {
  it.effect("counts no statement as running that was interrupted, at whatever step", () =>
    Effect.gen(function*() {
      let before = 0
      let wasReached = true
      while (wasReached) {
        const lane = new Lane(new Costs(rules), 1)
        wasReached = yield* interruptedBefore(++before, lane.timed("SELECT 1", false, Effect.never))
        assert.strictEqual(lane.costs.outside(Infinity), 0, `before operation ${before}`)
      }
      assert.isAbove(before, 3)
    }))
})
