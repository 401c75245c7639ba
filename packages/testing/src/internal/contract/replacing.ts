import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Bench, borrow, eventuallyStats } from "./bench.ts"

/** Connections that are given up before the pool is. */
export const replacing = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "a connection that its borrower invalidates is not lent again",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const old = yield* pool.withConnection((connection) => Effect.tap(use(connection), pool.invalidate(connection)))
        assert.notStrictEqual(yield* pool.withConnection(use), old)
        const { counts } = yield* pool.stats
        assert.deepStrictEqual([counts.opened, counts.retired.invalidated], [2, 1])
      })
  )

  test(
    "retireAll replaces idle connections now and lent ones when they come back",
    {},
    (pool) =>
      Effect.gen(function*() {
        yield* pool.warmUp(2)
        const borrower = yield* borrow(pool)
        const old = yield* use(borrower.connection)
        const idle = yield* pool.withConnection(use)
        yield* pool.retireAll
        assert.strictEqual(yield* use(borrower.connection), old, "the borrower keeps its connection")
        assert.notInclude([old, idle], yield* pool.withConnection(use))
        yield* borrower.giveBack
        yield* eventuallyStats(pool, "both are replaced", ({ counts }) => counts.retired.superseded === 2)
        assert.notInclude([old, idle], yield* pool.withConnection(use))
      })
  )

  test("retire gives up one connection by its id", {}, (pool) =>
    Effect.gen(function*() {
      const old = yield* pool.withConnection(use)
      const [info] = yield* pool.connections
      assert.isFalse(yield* pool.retire(123_456))
      assert.isTrue(yield* pool.retire(info?.id ?? 0))
      assert.notStrictEqual(yield* pool.withConnection(use), old)
      assert.isFalse(yield* pool.retire(info?.id ?? 0))
    }))

  test(
    "a connection is retired after maxUses leases",
    { maxConnections: 1, maxUses: 2 },
    (pool) =>
      Effect.gen(function*() {
        const ids = yield* Effect.replicateEffect(pool.withConnection(use), 4)
        assert.strictEqual(ids[0], ids[1])
        assert.notStrictEqual(ids[1], ids[2])
        assert.strictEqual(ids[2], ids[3])
      })
  )

  test("a connection older than maxLifetime is replaced", {
    maxConnections: 1,
    idleTimeout: "100 millis",
    maxLifetime: "100 millis",
    maxLifetimeJitter: 0
  }, (pool) =>
    Effect.gen(function*() {
      const old = yield* pool.withConnection(use)
      yield* Effect.sleep(150)
      assert.notStrictEqual(yield* pool.withConnection(use), old)
    }))

  test("an idle connection is retired at idleTimeout, but not below minConnections", {
    minConnections: 1,
    maxConnections: 3,
    idleTimeout: "100 millis"
  }, (pool) =>
    Effect.gen(function*() {
      yield* pool.warmUp(3)
      yield* eventuallyStats(pool, "one connection is left", ({ total }) => total === 1)
      yield* Effect.sleep(50)
      assert.isAtLeast((yield* pool.stats).total, 1)
    }))
}
