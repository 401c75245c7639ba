import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { PoolTime, withTime } from "../../src/internal/base/time.ts"

describe("PoolTime", () => {
  it.effect("tells whole milliseconds, and loses nothing of a clock that tells parts of them", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let wall = 1000.25
      const time = new PoolTime(withTime(clock, () => wall, (duration) => clock.sleep(duration)))
      const told: Array<number> = []
      for (let i = 0; i < 10; i++) {
        wall += 0.5
        told.push(time.now())
      }
      assert.deepStrictEqual(told, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5])
    }))

  it.effect("tells a millisecond that is whole but for the last digits of a fraction", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let wall = 0
      const time = new PoolTime(withTime(clock, () => wall, (duration) => clock.sleep(duration)))
      const told: Array<number> = []
      for (const at of [949.9999999, 949.99999995, 950, 1100.2, 1100.1999999999998]) {
        wall = at
        told.push(time.now())
      }
      assert.deepStrictEqual(told, [950, 950, 950, 1100, 1100])
    }))

  it.effect("tells whole milliseconds after a gap between two readings", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let millis = 5000
      const steady: Clock.Clock = {
        ...withTime(clock, () => millis, (duration) => clock.sleep(duration)),
        monotonicTimeNanosUnsafe: () => BigInt(Math.round((millis + 0.3) * 1_000_000))
      }
      const time = new PoolTime(steady)
      millis += 2500.75
      assert.strictEqual(time.now(), 2501)
      millis += 0.5
      assert.strictEqual(time.now(), 2501)
      millis += 3000.5
      assert.strictEqual(time.now(), 5502)
    }))
})
