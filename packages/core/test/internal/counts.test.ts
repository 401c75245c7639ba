import { assert, describe, it } from "@effect/vitest"
import { PoolStats } from "@effect-pools/core"
import { combine } from "../../src/internal/model/counts.ts"
import { Counts } from "../../src/internal/watch/counts.ts"

describe("counts", () => {
  it("are those of the list, and what was read does not change", () => {
    const counts = new Counts()
    assert.deepStrictEqual(counts.read(), PoolStats.noCounts)
    const before = counts.read()
    counts.leaseEnded("defect", 3)
    counts.retired("broken")
    counts.add("failed", 2)
    assert.deepStrictEqual(before, PoolStats.noCounts)
    assert.deepStrictEqual(counts.read(), {
      ...PoolStats.noCounts,
      failed: 2,
      ended: { ...PoolStats.noCounts.ended, defect: 1 },
      retired: { ...PoolStats.noCounts.retired, broken: 1 }
    })
    assert.strictEqual(counts.use.count, 1)
  })

  it("of two pools do not count in one another", () => {
    new Counts().retired("idle")
    assert.strictEqual(new Counts().numbers.retired.idle, 0)
  })

  it("of several pools add up one by one, groups included", () => {
    const sum = (all: ReadonlyArray<number>) => all.reduce((total, each) => total + each, 0)
    const one = combine([PoolStats.noCounts], () => 1)
    assert.deepStrictEqual(combine([one, one, one], sum), combine([], () => 3))
    assert.deepStrictEqual(combine([], sum), PoolStats.noCounts)
  })
})
