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

/** One that is begun loses its session when its whole time is over, and not before. */
const hasItsWholeTime = Effect.fnUntraced(function*({ begin, hungUp, opening }: Effect.Success<typeof make>) {
  yield* begin
  yield* TestClock.adjust(999)
  assert.deepStrictEqual([hungUp.length, opening.isLate], [0, false])
  yield* TestClock.adjust(1)
  assert.deepStrictEqual([hungUp.length, opening.isLate], [1, true])
})

describe("Opening", () => {
  it.effect("gives each statement its whole time, though one timer serves several", () =>
    Effect.gen(function*() {
      const made = yield* make
      made.opening.end(yield* made.begin)
      yield* TestClock.adjust(700)
      yield* hasItsWholeTime(made)
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
      const made = yield* make
      made.opening.end(yield* made.begin)
      yield* TestClock.adjust(5000)
      yield* hasItsWholeTime(made)
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
