import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Opening } from "../../src/internal/opening.ts"

const limit = 1000

const make = Effect.sync(() => {
  const hungUp: Array<true> = []
  const opening = new Opening(() => void hungUp.push(true))
  const begin = Effect.sync(() => opening.begin(Fiber.getCurrent()!, limit))
  return { opening, begin, hungUp }
})

describe("Opening", () => {
  it.effect("gives each statement its whole time, though one timer serves several", () =>
    Effect.gen(function*() {
      const { begin, hungUp, opening } = yield* make
      opening.end(yield* begin)
      yield* TestClock.adjust(700)
      yield* begin
      yield* TestClock.adjust(999)
      assert.deepStrictEqual([hungUp.length, opening.isLate], [0, false])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([hungUp.length, opening.isLate], [1, true])
    }))

  it.effect("looks at the oldest of several that are under way", () =>
    Effect.gen(function*() {
      const { begin, hungUp, opening } = yield* make
      const first = yield* begin
      yield* TestClock.adjust(500)
      const second = yield* begin
      yield* TestClock.adjust(400)
      opening.end(first)
      yield* TestClock.adjust(500)
      assert.strictEqual(hungUp.length, 0)
      opening.end(second)
      yield* TestClock.adjust(5000)
      assert.strictEqual(hungUp.length, 0)
    }))

  it.effect("watches again after it has found nothing to watch", () =>
    Effect.gen(function*() {
      const { begin, hungUp, opening } = yield* make
      opening.end(yield* begin)
      yield* TestClock.adjust(5000)
      yield* begin
      yield* TestClock.adjust(999)
      assert.strictEqual(hungUp.length, 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(hungUp.length, 1)
    }))

  it.effect("watches no more once the session is over", () =>
    Effect.gen(function*() {
      const { begin, hungUp, opening } = yield* make
      yield* begin
      opening.stop()
      yield* TestClock.adjust(5000)
      assert.strictEqual(hungUp.length, 0)
    }))
})
