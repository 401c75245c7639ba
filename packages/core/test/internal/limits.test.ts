import { assert, describe, it } from "@effect/vitest"
import { Mark } from "../../src/internal/base/mark.ts"
import { Limits } from "../../src/internal/places/limits.ts"

describe("the bounds of the live limit", () => {
  it("is maxConnections while nothing holds it down", () => {
    const limits = new Limits(10, new Mark())
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [10, "maxConnections"])
    assert.isFalse(limits.set("budget", 12))
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [10, "maxConnections"])
  })

  it("the least decides, whatever the order in which they come", () => {
    const limits = new Limits(10, new Mark())
    assert.isTrue(limits.set("sizing", 6))
    assert.isTrue(limits.set("server", 4))
    assert.isFalse(limits.set("setLimit", 8))
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [4, "server"])
    assert.isTrue(limits.set("server", Infinity))
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [6, "sizing"])
    assert.strictEqual(limits.without("sizing"), 8)
  })

  it("a change marks itself, and what changes nothing does not", () => {
    const mark = new Mark()
    const limits = new Limits(10, mark)
    limits.set("server", 12)
    assert.isFalse(mark.isSet)
    limits.set("server", 8)
    assert.isTrue(mark.isSet)
  })

  it("a grant below all others wins, down to 0", () => {
    const limits = new Limits(10, new Mark())
    limits.set("sizing", 2)
    limits.set("budget", 0)
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [0, "budget"])
  })

  it("of bounds that are equal the one nearest to the user is told", () => {
    const limits = new Limits(10, new Mark())
    limits.set("budget", 5)
    assert.isTrue(limits.set("setLimit", 5))
    assert.deepStrictEqual([limits.limit, limits.limitedBy], [5, "setLimit"])
  })
})
