import { assert, describe, it } from "@effect/vitest"
import { compare, median, orderOf, quantile, summarize } from "../src/statistics.ts"

describe("statistics", () => {
  it("the median is the middle value, whatever the order", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
  })

  it("the median of an even number of values lies between the two in the middle", () => {
    assert.strictEqual(median([10, 1, 2, 4]), 3)
  })

  it("there is no median of nothing", () => {
    assert.throws(() => median([]))
  })

  it("a quantile is a value that was measured, whatever the order", () => {
    assert.deepStrictEqual([0, 0.25, 0.5, 0.75, 1].map((share) => quantile([5, 1, 4, 2, 3], share)), [1, 2, 3, 4, 5])
    assert.strictEqual(quantile([7], 0.25), 7)
    assert.throws(() => quantile([], 0.5))
  })

  it("one slow round moves the maximum and not the median", () => {
    assert.deepStrictEqual(summarize([1, 2, 100]), { median: 2, min: 1, max: 100 })
  })

  it("the ratio is above 1 when ours takes less time than the fastest rival", () => {
    assert.deepStrictEqual(compare(2, { slow: 8, fast: 3 }), { fastest: "fast", ratio: 1.5 })
  })

  it("the ratio is below 1 when any rival takes less time than ours", () => {
    assert.deepStrictEqual(compare(4, { slow: 8, fast: 1 }), { fastest: "fast", ratio: 0.25 })
  })

  it("in every round each contender runs once, and in as many rounds as contenders each comes first once", () => {
    const all = ["a", "b", "c", "d"]
    const orders = all.map((_, round) => orderOf(all, round))
    for (const order of orders) assert.deepStrictEqual(order.toSorted(), all)
    assert.deepStrictEqual(orders.map((order) => order.join("")), ["abcd", "dcba", "bcda", "cbad"])
  })
})
