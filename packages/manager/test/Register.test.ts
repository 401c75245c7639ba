import { BalancedPool, ConnectionPool, PoolError } from "@effect-pools/core"
import { ConnectionManager } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, LayerMap, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Feed } from "../src/internal/feed.ts"
import { Cache, Db, isolated, managed, pools } from "./support.ts"

const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })
const options = { minConnections: 1, maxConnections: 2 } as const

const world = (given: Parameters<typeof managed>[1] = {}) =>
  managed(pools().layer, given).pipe(Layer.provideMerge(isolated))

const names = Effect.map(ConnectionManager.pools, (pools) => pools.map(({ name }) => name))

class Tenant extends ConnectionPool.Service<Tenant, FakeConnector.FakeConnection>()("app/Tenant") {}

describe("a pool that is made while the program runs", () => {
  it.effect("joins, is seen in everything, and leaves drained", () => {
    const fake = FakeConnector.make()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const seen: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(
          ConnectionManager.eventsWith({ leases: false }),
          ({ _tag, pool }) => Effect.sync(() => seen.push(`${pool} ${_tag}`))
        ),
        { startImmediately: true }
      )
      yield* settle
      const pool = yield* Scope.provide(
        Effect.gen(function*() {
          const pool = yield* ConnectionPool.make(fake.connector, { ...options, name: "late" })
          yield* ConnectionManager.register(pool)
          return pool
        }),
        scope
      )
      yield* settle
      assert.deepStrictEqual(yield* names, ["app/Db", "app/Cache", "late"])
      assert.strictEqual((yield* ConnectionManager.get("late")).name, "late")
      assert.strictEqual((yield* ConnectionManager.stats).fleet.pools.total, 3)
      assert.deepStrictEqual((yield* ConnectionManager.health).pools.map(({ name }) => name).at(-1), "late")
      yield* ConnectionManager.pause(["late"])
      yield* settle
      assert.include(seen, "late Paused")
      yield* ConnectionManager.resume(["late"])
      yield* TestClock.adjust("10 seconds")
      assert.isAbove((yield* ConnectionManager.history).find(({ name }) => name === "late")?.samples.length ?? 0, 2)
      const lease = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("1 second")), {
        startImmediately: true
      })
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* settle
      assert.strictEqual((yield* pool.stats).state, "draining")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(lease)))
      assert.deepStrictEqual(yield* names, ["app/Db", "app/Cache"])
      assert.strictEqual((yield* Effect.exit(ConnectionManager.get("late")))._tag, "Failure")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* ConnectionManager.history).map(({ name }) => name), ["app/Db", "app/Cache"])
      assert.strictEqual(fake.leaked, 0)
    }).pipe(Effect.scoped, Effect.provide(world()))
  })

  it.effect("is refused under the name of another, and may come again when that one has left", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(FakeConnector.make().connector, { ...options, name: "app/Db" })
      const error = yield* Effect.flip(Effect.scoped(ConnectionManager.register(pool)))
      assert.instanceOf(error, PoolError.PoolError)
      assert.include(error.message, "two pools are called \"app/Db\": rename one of them")
      assert.deepStrictEqual(yield* names, ["app/Db", "app/Cache"])
      for (let time = 0; time < 2; time++) {
        const late = ConnectionPool.make(FakeConnector.make().connector, { ...options, name: "late" })
        yield* Effect.scoped(Effect.andThen(Effect.flatMap(late, ConnectionManager.register), names))
      }
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("of which there is one for each tenant, is watched for as long as the tenant is there", () => {
    const fake = FakeConnector.make()
    class Tenants extends LayerMap.Service<Tenants>()("app/Tenants", {
      lookup: (tenant: string) =>
        Layer.effectDiscard(ConnectionManager.register(Tenant)).pipe(
          Layer.provideMerge(Tenant.layer(fake.connector, { ...options, name: `tenant ${tenant}` }))
        ),
      idleTimeToLive: "5 seconds"
    }) {}
    return Effect.gen(function*() {
      const ask = Tenant.withConnection(() => Effect.void)
      yield* Effect.provide(ask, Tenants.get("a"))
      yield* Effect.provide(ask, Tenants.get("b"))
      assert.deepStrictEqual((yield* names).toSorted(), ["app/Cache", "app/Db", "tenant a", "tenant b"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* names, ["app/Db", "app/Cache"])
      assert.strictEqual(fake.leaked, 0)
    }).pipe(Effect.provide(Layer.provideMerge(Tenants.layer, world())))
  })

  it.effect("takes its alerts with it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(
        ConnectionPool.make(FakeConnector.make().connector, { ...options, maxConnections: 1, name: "late" }),
        scope
      )
      yield* Scope.provide(ConnectionManager.register(pool), scope)
      const held = yield* Effect.forkScoped(pool.withConnection(() => Effect.never), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* ConnectionManager.alerts).current.map(({ pool, rule }) => [pool, rule]), [
        ["late", "utilization"]
      ])
      yield* Fiber.interrupt(held)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("3 seconds")
      const { cleared, current } = yield* ConnectionManager.alerts
      assert.deepStrictEqual([current.length, cleared.map(({ rule }) => rule)], [0, ["utilization"]])
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("is heard on the stream of events, its leases too", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, {
        heartbeat: 15_000,
        streams: 10,
        streamBuffer: 1024 * 1024,
        actions: false
      })
      const texts: Array<string> = []
      const stream = yield* feed.join({ lastEventId: undefined, last: 0, leases: true })
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.decodeText(stream), (text) => Effect.sync(() => texts.push(text)))
      )
      yield* settle
      const pool = yield* ConnectionPool.make(FakeConnector.make().connector, { ...options, name: "late" })
      yield* ConnectionManager.register(pool)
      yield* settle
      yield* pool.withConnection(() => Effect.void)
      yield* pool.pause
      yield* settle
      const told = texts.join("").match(/"_tag":"\w+","?[^}]*"pool":"late"|"pool":"late"/g) ?? []
      assert.isAtLeast(told.length, 3)
      for (const tag of ["Acquired", "Released", "Paused"]) assert.include(texts.join(""), `"_tag":"${tag}"`)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("is drained with the last group when all are", () => {
    const ended: Array<string> = []
    return Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(FakeConnector.make().connector, { ...options, name: "late" })
      yield* ConnectionManager.register(pool)
      yield* Effect.forkScoped(
        Stream.runForEach(
          Stream.filter(ConnectionManager.events, ({ _tag }) => _tag === "DrainStarted"),
          ({ pool }) => Effect.sync(() => ended.push(pool))
        ),
        { startImmediately: true }
      )
      yield* settle
      const held = yield* Effect.forkScoped(Cache.withConnection(() => Effect.sleep("2 seconds")), {
        startImmediately: true
      })
      const draining = yield* Effect.forkScoped(ConnectionManager.drain(), { startImmediately: true })
      yield* settle
      assert.deepStrictEqual(ended, ["app/Cache"])
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(held)
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual(report.pools.map(({ pool }) => pool), ["app/Cache", "app/Db", "late"])
      assert.deepStrictEqual(ended.toSorted(), ["app/Cache", "app/Db", "late"])
    }).pipe(Effect.scoped, Effect.provide(world({ drainOrder: [[Cache], [Db]] })))
  })
})

describe("a balanced pool", () => {
  class Balanced extends BalancedPool.Service<Balanced, FakeConnector.FakeConnection>()("app/Balanced") {}
  const upstream = (name: string) =>
    Effect.map(
      ConnectionPool.make(FakeConnector.make().connector, { ...options, maxConnections: 1, name }),
      (pool) => ({
        pool
      })
    )

  it.effect("has its waits in the history, and its alert when they are long", () =>
    Effect.gen(function*() {
      const long = Effect.all(
        Array.from({ length: 40 }, () => Balanced.withConnection(() => Effect.sleep("150 millis"))),
        {
          concurrency: "unbounded"
        }
      )
      yield* Effect.forkScoped(Effect.exit(long))
      yield* TestClock.adjust("8 seconds")
      const { current } = yield* ConnectionManager.alerts
      assert.deepStrictEqual(current.map(({ pool, rule }) => [pool, rule]), [["app/Balanced", "slowAcquires"]])
      const samples = (yield* ConnectionManager.history).flatMap(({ samples }) => samples)
      assert.isTrue(samples.some(({ wait }) => wait !== null && wait.p95 > 1000))
    }).pipe(
      Effect.scoped,
      Effect.provide(
        ConnectionManager.layer({ pools: [Balanced] }).pipe(
          Layer.provideMerge(Balanced.layer(Effect.all([upstream("a"), upstream("b")]))),
          Layer.provideMerge(isolated)
        )
      )
    ))
})
