import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { PoolTime } from "../../src/internal/base/time.ts"
import { Hold } from "../../src/internal/places/hold.ts"
import { Pooled } from "../../src/internal/line/lease.ts"

const onHold = (
  body: (hold: Hold, out: ReadonlyArray<number>, scope: Scope.Closeable) => Generator<Effect.Effect<unknown>, void>
) =>
  Effect.gen(function*() {
    const out: Array<number> = []
    const scope = yield* Scope.make()
    const hold = new Hold({
      maxConnections: 3,
      timeToLive: 1_000,
      time: new PoolTime(yield* Clock.Clock),
      scope,
      exitDoor: ({ id }) => void out.push(id)
    })
    yield* Effect.gen(() => body(hold, out, scope))
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(hold.pool.state.items.size, 0)
  })

const connect = (hold: Hold, id: number): Pooled => {
  const connection = new Pooled(id, 0, 0)
  hold.enrol(connection)
  return connection
}

describe("the hold", () => {
  it.effect("takes in an arrival although others rest, which it then has on loan", () =>
    onHold(function*(hold) {
      const first = connect(hold, 1)
      hold.rest(first)
      assert.strictEqual(hold.resting, 1)
      const second = connect(hold, 2)
      assert.isDefined(second.loan)
      assert.deepStrictEqual([hold.resting, hold.pool.state.usage], [0, 2])
    }))

  it.effect("lets everything out by its one door when its scope closes, on loan or at rest", () =>
    onHold(function*(hold, out, scope) {
      connect(hold, 1)
      hold.rest(connect(hold, 2))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(out, [1, 2])
    }))

  it.effect("lets out what leaves after its scope was closed", () =>
    onHold(function*(hold, out, scope) {
      const first = connect(hold, 1)
      yield* Scope.close(scope, Exit.void)
      hold.leave(first)
      assert.deepStrictEqual(out, [1])
    }))

  it.effect("lets a connection out once", () =>
    onHold(function*(hold, out) {
      const first = connect(hold, 1)
      hold.leave(first)
      hold.leave(first)
      assert.deepStrictEqual(out, [1])
    }))

  it.effect("ends what has rested for its time to live, when it is told that it is time", () =>
    onHold(function*(hold, out) {
      const first = connect(hold, 1)
      const second = connect(hold, 2)
      second.idleSince = 500
      hold.rest(first)
      hold.rest(second)
      yield* TestClock.adjust(999)
      hold.expire()
      assert.deepStrictEqual(out, [])
      yield* TestClock.adjust(1)
      hold.expire()
      assert.deepStrictEqual(out, [1])
      hold.borrow(second)
      yield* TestClock.adjust(1_000)
      hold.expire()
      assert.deepStrictEqual(out, [1])
      hold.rest(second)
      hold.expire()
      assert.deepStrictEqual([out, hold.resting], [[1, 2], 0])
    }))

  it.effect("refuses loudly to take in more than it has room for", () =>
    onHold(function*(hold) {
      for (const id of [1, 2, 3]) connect(hold, id)
      assert.throws(() => connect(hold, 4), "a step that must not wait has to wait")
    }))
})
