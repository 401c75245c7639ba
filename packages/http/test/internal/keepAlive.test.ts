import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { KeepAlive, type Kept, parse } from "../../src/internal/keepAlive.ts"

describe("the header Keep-Alive", () => {
  it("tells how long, less the margin, which takes half of it at most", () => {
    assert.strictEqual(parse("timeout=5", 1000), 4000)
    assert.strictEqual(parse("max=100, Timeout = \"30\"", 1000), 29_000)
    assert.strictEqual(parse("timeout=1", 1000), 500)
    assert.strictEqual(parse("timeout=0", 1000), 0)
    assert.strictEqual(parse("timeout=5", 0), 5000)
  })

  it("tells nothing without a time", () => {
    assert.strictEqual(parse(undefined, 1000), Infinity)
    assert.strictEqual(parse("max=100", 1000), Infinity)
    assert.strictEqual(parse("xtimeout=5", 1000), Infinity)
  })
})

describe("idle connections", () => {
  const kept = (keepAlive: number, idleSince: number | undefined) => {
    const self = { keepAlive, idleSince, ended: false, end: () => {} }
    return Object.assign(self, { end: () => void (self.ended = true) }) satisfies Kept
  }

  it.effect("end when they have been idle for as long as they may, and not while in use", () =>
    Effect.gen(function*() {
      const keepAlive = yield* KeepAlive.make
      const [short, long, busy] = [kept(1000, 0), kept(3000, 0), kept(1000, undefined)]
      for (const one of [short, long, busy]) keepAlive.add(one)
      yield* TestClock.adjust("990 millis")
      assert.isFalse(short.ended)
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual([short, long, busy].map(({ ended }) => ended), [true, false, false])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([short, long, busy].map(({ ended }) => ended), [true, true, false])
    }))
})
