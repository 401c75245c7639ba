import { assert, describe, it } from "@effect/vitest"
import { advance, borrowMany, call, callMany, only, onPool } from "./utils/bench.ts"

describe("ConnectionPool: dials of which some fail", () => {
  it.effect("one that fails beside one that succeeds holds nobody up", () =>
    onPool({ maxConnections: 5, minConnections: 0 }, function*({ events, gates, listen, pool }) {
      yield* listen
      gates.set("connect", "slowFail", "slow", "slowFail", "ok")
      const callers = yield* callMany(pool, 3)
      // All at once, in the order in which they were made: the first fails before any has succeeded.
      yield* gates.release("connect")
      yield* advance(0)
      assert.isAtMost(only(events, "OpenFailed").filter(({ retryIn }) => retryIn > 0).length, 1)
      assert.deepStrictEqual(callers.map(({ exit }) => exit()?._tag), Array(3).fill("Success"))
    }))

  it.effect("one that fails after several have succeeded is made again at once, until as many have failed", () =>
    onPool({ maxConnections: 20, minConnections: 0 }, function*({ events, gates, listen, pool }) {
      yield* listen
      yield* borrowMany(pool, 4)
      gates.set("connect", "fail")
      yield* call(pool)
      const failures = only(events, "OpenFailed")
      assert.deepStrictEqual(failures.slice(0, -1).map(({ retryIn }) => retryIn), [0, 0, 0, 0])
      assert.isAbove(failures.at(-1)!.retryIn, 0)
      assert.strictEqual((yield* pool.stats).counts.failedToOpen, 5)
    }))

  it.effect("an outage after a good time is met with backoff as soon as no dial succeeds any more", () =>
    onPool({ maxConnections: 100, minConnections: 0, connectRate: 1000 }, function*({ gates, pool }) {
      yield* borrowMany(pool, 50)
      gates.set("connect", "fail")
      yield* callMany(pool, 20)
      yield* advance("1 second")
      assert.isAtMost(gates.calls("connect"), 50 + 10 + 20)
    }))
})
