import { PoolService } from "@effect-pools/core"
import type { FakeConnection } from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { borrow, defectOf, id, only, onPool, type Pool, settle } from "./utils/bench.ts"

type Lease = PoolService.Kept

const keeperOf = (pool: Pool): PoolService.Keeper<FakeConnection> => PoolService.keepers.ofPristine(pool)!

/** A lease that its effect has left, and what ends it. */
const kept = (pool: Pool) =>
  keeperOf(pool).withShared((_: FakeConnection, lease) =>
    Effect.sync((): Lease => {
      lease.keep()
      return lease
    })
  )

describe("PoolService.keepers: a kept lease", () => {
  it.effect("goes on when its effect has succeeded, until it is ended; a second end does nothing", () =>
    onPool({}, function*({ gates, pool }) {
      const lease = yield* kept(pool)
      assert.strictEqual((yield* pool.stats).used, 1)
      lease.end(Exit.void)
      lease.end(Exit.fail("late"))
      yield* settle
      const { counts, idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, counts.ended.success, counts.ended.failure], [1, 0, 1, 0])
      assert.strictEqual(gates.fake.dialled, 1)
    }))

  it.effect("gives its connection to the first in line when it ends", () =>
    onPool({}, function*({ pool }) {
      const lease = yield* kept(pool)
      const next = yield* Effect.forkScoped(pool.withConnection(id))
      yield* settle
      assert.isUndefined(next.pollUnsafe())
      lease.end(Exit.void)
      assert.strictEqual(yield* Fiber.join(next), 1)
    }))

  it.effect("that nobody keeps ends with its effect, as does one whose effect fails", () =>
    onPool({}, function*({ pool }) {
      const { withShared } = keeperOf(pool)
      assert.strictEqual(yield* withShared(({ id }) => Effect.succeed(id)), 1)
      const left: Array<Lease> = []
      const failing = withShared((_, lease) => {
        left.push(lease)
        lease.keep()
        return Effect.fail("mine" as const)
      })
      assert.strictEqual(yield* Effect.flip(failing), "mine")
      left[0]!.end(Exit.void)
      const thrown = yield* Effect.exit(withShared((_, lease): Effect.Effect<void> => {
        lease.keep()
        throw new Error("thrown")
      }))
      assert.strictEqual((defectOf(thrown) as Error).message, "thrown")
      const { counts, used } = yield* pool.stats
      assert.strictEqual(used, 0)
      assert.deepStrictEqual(counts.ended, { success: 1, failure: 1, defect: 1, interrupt: 0 })
    }))

  it.effect("may end before its effect does", () =>
    onPool({}, function*({ pool }) {
      const go = yield* Deferred.make<void>()
      const lending = yield* Effect.forkScoped(
        keeperOf(pool).withShared((_, lease) => {
          lease.keep()
          lease.end(Exit.void)
          return Deferred.await(go)
        })
      )
      yield* settle
      assert.strictEqual((yield* pool.stats).used, 0)
      assert.strictEqual(yield* pool.withConnection(id), 1)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(lending)
      assert.strictEqual((yield* pool.stats).counts.ended.success, 2)
    }))

  it.effect("ends with a caller that is interrupted, whether it waits for its connection or has it", () =>
    onPool({}, function*({ pool }) {
      const using = yield* Effect.forkScoped(
        keeperOf(pool).withShared((_, lease) => {
          lease.keep()
          return Effect.never
        })
      )
      yield* settle
      const waiting = yield* Effect.forkScoped(kept(pool))
      yield* settle
      assert.deepStrictEqual([(yield* pool.stats).used, (yield* pool.stats).pending], [1, 1])
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* pool.stats).pending, 0)
      yield* Fiber.interrupt(using)
      yield* settle
      const { counts, used } = yield* pool.stats
      assert.deepStrictEqual([used, counts.ended.interrupt, counts.interrupted], [0, 1, 1])
    }))

  it.effect("that ends well resets its connection, and one that ends badly has it looked at", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("reset", "slow")
      ;(yield* kept(pool)).end(Exit.void)
      yield* settle
      assert.strictEqual((yield* pool.stats).checking, 1)
      gates.open("reset")
      yield* settle
      assert.strictEqual((yield* pool.stats).idle, 1)
      const lease = yield* kept(pool)
      gates.fake.cutSilently(gates.fake.connections[0]!)
      lease.end(Exit.fail("reset by peer"))
      yield* settle
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.retired.broken], [0, 1])
    }))

  it.effect("goes by the name that its caller had when its effect was over", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      const lease = yield* Effect.withSpan(kept(pool), "the request")
      const labels = yield* Effect.withSpan(
        Effect.map(pool.connections, (all) => all.map(({ label }) => label)),
        "what came after"
      )
      assert.deepStrictEqual(labels, ["the request"])
      yield* Effect.withSpan(Effect.sync(() => lease.end(Exit.void)), "what came after")
      yield* settle
      assert.deepStrictEqual(only(events, "Released").map(({ label }) => label), ["the request"])
    }))

  it.effect("is no lease of its caller any more: one that asks again does not wait for itself", () =>
    onPool({ acquireTimeout: "1 second" }, function*({ pool }) {
      const lease = yield* kept(pool)
      const next = yield* Effect.forkScoped(Effect.flip(pool.withConnection(id)))
      yield* settle
      assert.strictEqual((yield* pool.stats).pending, 1)
      yield* Fiber.interrupt(next)
      lease.end(Exit.void)
    }))

  it.effect("has its connection closed under it by a drain, as every other", () =>
    onPool({ drainTimeout: "1 second" }, function*({ pool }) {
      const lease = yield* kept(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* Effect.yieldNow
      yield* settle
      assert.isUndefined(draining.pollUnsafe())
      lease.end(Exit.void)
      yield* Fiber.join(draining)
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.effect("is refused as any lease is", () =>
    onPool({ pendingLimit: 0 }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const error = yield* Effect.flip(kept(pool))
      assert.strictEqual(error.reason._tag, "QueueFull")
      yield* borrower.giveBack
    }))
})

describe("PoolService.keepers", () => {
  it.effect("has none for a pool that lends in another way, whose effects are wrapped", () =>
    onPool({}, function*({ pool }) {
      assert.isDefined(PoolService.keepers.ofPristine({ ...pool }))
      const decorated: Pool = { ...pool, withConnection: (f, options) => pool.withConnection(f, options) }
      assert.isUndefined(PoolService.keepers.ofPristine(decorated))
      yield* Effect.void
    }))
})
