import { assert, describe, it } from "@effect/vitest"
import { Degradation, type Second } from "../../src/internal/line/degradation.ts"

const quiet = { asked: 0, failed: 0 }
const served = { asked: 100, failed: 0 }
const failing = { asked: 100, failed: 30 }
const good: Second = { high: served, normal: served }
const wrong: Second = { high: failing, normal: failing }
const normalFails: Second = { high: served, normal: failing }

const after = (degradation: Degradation, seconds: number, second: Second): number => {
  for (let count = 0; count < seconds; count++) degradation.turn(second)
  return degradation.level
}

describe("Degradation", () => {
  it("rises by one level after each bad second, and no further than 4", () => {
    const degradation = new Degradation(0)
    assert.deepStrictEqual(Array.from({ length: 6 }, () => after(degradation, 1, wrong)), [1, 2, 3, 4, 4, 4])
  })

  it("falls by one level after ten good seconds", () => {
    const degradation = new Degradation(0)
    after(degradation, 2, wrong)
    assert.strictEqual(after(degradation, 9, good), 2)
    assert.isTrue(degradation.turn(good))
    assert.strictEqual(degradation.level, 1)
    assert.strictEqual(after(degradation, 10, good), 0)
  })

  it("takes a few failures, and a small part of many, for no bad second", () => {
    const degradation = new Degradation(0)
    assert.isFalse(degradation.turn({ high: { asked: 2, failed: 2 }, normal: quiet }))
    assert.isFalse(degradation.turn({ high: { asked: 1000, failed: 50 }, normal: quiet }))
    assert.isFalse(degradation.turn({ high: quiet, normal: quiet }))
    assert.strictEqual(degradation.level, 0)
  })

  it("refuses all normal callers only for high ones that fail", () => {
    const degradation = new Degradation(0)
    assert.strictEqual(after(degradation, 100, normalFails), 3)
    assert.strictEqual(after(degradation, 1, { high: failing, normal: quiet }), 4)
  })

  it("stays where normal callers still fail", () => {
    const degradation = new Degradation(0)
    after(degradation, 3, normalFails)
    for (let second = 0; second < 100; second++) {
      assert.strictEqual(after(degradation, 1, second % 9 === 8 ? normalFails : good), 3)
    }
  })

  it("changes at most twice a minute in steady overload, whichever level holds it", () => {
    for (const needed of [1, 2, 3, 4] as const) {
      const degradation = new Degradation(0)
      const changes: Array<number> = []
      for (let second = 0; second < 1800; second++) {
        if (degradation.turn(degradation.level >= needed ? good : wrong)) changes.push(second)
      }
      const steady = changes.filter((second) => second > 60)
      for (const from of steady) {
        const within = steady.filter((second) => second >= from && second < from + 60)
        assert.isAtMost(within.length, 2, `level ${needed}`)
      }
    }
  })

  it("takes a descent for wrong although callers wait for half a minute before they fail", () => {
    const degradation = new Degradation(30)
    after(degradation, 1, wrong)
    after(degradation, 10, good)
    after(degradation, 30, good)
    assert.strictEqual(after(degradation, 1, wrong), 1)
    assert.strictEqual(after(degradation, 59, good), 1)
    assert.strictEqual(after(degradation, 1, good), 0)
  })

  it("forgets that it was needed when the pool has been well for long", () => {
    const degradation = new Degradation(0)
    for (let second = 0; second < 100; second++) degradation.turn(degradation.level >= 1 ? good : wrong)
    after(degradation, 1000, good)
    after(degradation, 1, wrong)
    assert.strictEqual(after(degradation, 10, good), 0)
  })
})
