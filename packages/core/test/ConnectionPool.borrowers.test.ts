import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { advance, call, onPool, type Pool, settle } from "./utils/bench.ts"

const lease = (pool: Pool, label: string | undefined, millis: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(millis), { label }))
    yield* settle
    yield* advance(millis)
    yield* Fiber.join(fiber)
  })

describe("PoolStats.borrowers", () => {
  it.effect("tells by label how many leases, for how long, and their share, the largest first", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      for (let i = 0; i < 4; i++) yield* lease(pool, "GET /user", 50)
      yield* lease(pool, "report", 600)
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "report" }))
      yield* settle
      yield* advance(200)
      assert.deepStrictEqual((yield* pool.stats).borrowers, [
        { label: "report", statement: undefined, used: 1, leases: 2, mean: 400, longest: 600, share: 0.8, waits: 0 },
        { label: "GET /user", statement: undefined, used: 0, leases: 4, mean: 50, longest: 50, share: 0.2, waits: 0 }
      ])
    }))

  it.effect("tells by statement, as the connector says, but not of leases that were too short to matter", () => {
    let doing = "SELECT one"
    return onPool({ maxConnections: 2 }, function*({ gates, pool }) {
      Object.assign(gates.connector, { inspect: () => ({ tags: {}, lately: doing }) })
      yield* lease(pool, "GET /user", 10)
      doing = "SELECT two"
      yield* lease(pool, "GET /user", 30)
      yield* lease(pool, "GET /user", 2)
      assert.deepStrictEqual(
        (yield* pool.stats).borrowers.map(({ leases, statement }) => [statement, leases]),
        [["SELECT two", 1], ["SELECT one", 1], [undefined, 1]]
      )
    })
  })

  it.effect("tells for how long others waited meanwhile", () =>
    onPool({ maxConnections: 1 }, function*({ pool }) {
      const report = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(500), { label: "report" }))
      yield* settle
      yield* advance(200)
      yield* call(pool, "GET /user")
      yield* advance(300)
      yield* Fiber.join(report)
      const [first] = (yield* pool.stats).borrowers
      assert.deepInclude(first, { label: "report", waits: 300 })
    }))

  it.effect("tells for how long those who still hold a connection hold up others, those that gave up included", () =>
    onPool({ maxConnections: 2, acquireTimeout: "2 seconds" }, function*({ pool }) {
      for (let i = 0; i < 2; i++) {
        yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "report" }))
      }
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      yield* call(pool)
      yield* advance("500 millis")
      assert.deepInclude((yield* pool.stats).borrowers[0], { label: "report", used: 2, leases: 2, waits: 2500 })
      yield* advance("2 seconds")
    }))

  it.effect("forgets what is two minutes old, and has one row for the labels beyond 64", () =>
    onPool({ maxConnections: 1 }, function*({ pool }) {
      for (let i = 0; i < 100; i++) yield* lease(pool, `label ${i}`, 1)
      const { borrowers } = yield* pool.stats
      assert.strictEqual(borrowers.length, 10)
      assert.deepInclude(borrowers[0], { label: "(others)", leases: 36 })
      yield* advance("3 minutes")
      assert.deepStrictEqual((yield* pool.stats).borrowers, [])
    }))
})
