import { BalancedPool, ConnectionPool, PoolError } from "@effect-pools/core"
import { ConnectionManager, type Manager } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Cache, Db, isolated, managed, pools } from "./support.ts"

class Orphan extends ConnectionPool.Service<Orphan, FakeConnector.FakeConnection>()("app/Orphan") {}

type Pool = ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>

const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })

/** Holds a connection until the test ends it. */
const hold = <R>(pool: Effect.Effect<Pool, never, R>, label?: string) =>
  Effect.gen(function*() {
    const { withConnection } = yield* pool
    const end = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkDetach(withConnection(() => Deferred.await(end), { label }), {
      startImmediately: true
    })
    yield* settle
    return { end: Deferred.succeed(end, undefined), fiber }
  })

const refusalOf = (exit: Exit.Exit<unknown, unknown>): PoolError.InvalidOption => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (error instanceof PoolError.PoolError && error.reason instanceof PoolError.InvalidOption) return error.reason
  throw new Error("no InvalidOption", { cause: error })
}

/** Makes the layer by hand, so that the test closes it when it likes. */
const start = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    return { context, close: Scope.close(scope, Exit.void) }
  })

describe("options", () => {
  const refused = (
    options: object,
    layer: Layer.Layer<Db | Cache, PoolError.PoolError> = pools().layer
  ) =>
    Effect.map(
      Effect.exit(
        Effect.scoped(
          Layer.build(
            Layer.provide(
              ConnectionManager.layer(
                { pools: [Db, Cache], ...options } as Manager.ManagerOptions<readonly [typeof Db, typeof Cache]>
              ),
              layer
            )
          )
        )
      ),
      refusalOf
    )

  it.effect.each<readonly [object, string, RegExp]>([
    [{ pools: [] }, "pools", /at least one/],
    [{ pools: [Db, "app/Cache"] }, "pools", /pool class/],
    [{ pools: [Db, Db] }, "pools", /names app\/Db twice/],
    [{ drainOrder: [[Db]] }, "drainOrder", /does not name app\/Cache/],
    [{ drainOrder: [[Db], [Cache, Db]] }, "drainOrder", /names app\/Db twice/],
    [{ drainOrder: [[Db, Cache, Orphan]] }, "drainOrder", /app\/Orphan, which is not among pools/],
    [{ drainOrder: [[]] }, "drainOrder", /at least one/],
    [{ drainTimeout: 0 }, "drainTimeout", /from 1 ms/],
    [{ drainTimeout: "Infinity" }, "drainTimeout", /to 24 hours/],
    [{ sampleInterval: "1 milli" }, "sampleInterval", /from 100 ms/],
    [{ sampleInterval: Number.NaN }, "sampleInterval", /from 100 ms/],
    [{ history: "now" }, "history", /a duration/],
    [{ history: "1 hour", sampleInterval: "100 millis" }, "history", /10000 times sampleInterval/],
    [{ thresholds: "loud" }, "thresholds", /"calm", "strict" or an object/],
    [{ thresholds: { wait: 0 } }, "thresholds.wait", /greater than 0/],
    [{ alertWindow: 1 }, "alertWindow", /from 1 second/],
    [{ alertWindow: "1 hour", sampleInterval: "100 millis" }, "alertWindow", /10000 times sampleInterval/],
    [{ alertAfter: -1 }, "alertAfter", /a duration/],
    [{ clearAfter: "2 days" }, "clearAfter", /a duration/],
    [{ metricsSchedule: 0 }, "metricsSchedule", /or a Schedule/],
    [{ healthSchedule: true }, "healthSchedule", /or a Schedule/],
    [{ interval: 1 }, "interval", /is not an option/]
  ])("refuses %o", ([options, option, rule]) =>
    Effect.map(refused(options), (refusal) => {
      assert.strictEqual(refusal.option, option)
      assert.match(refusal.rule, rule)
    }))

  it.effect("refuses two pools of one name", () =>
    Effect.map(refused({}, pools({ db: { name: "same" }, cache: { name: "same" } }).layer), (refusal) => {
      assert.deepStrictEqual([refusal.option, refusal.rule], [
        "pools",
        "two pools are called \"same\": rename one of them"
      ])
    }))

  it("does not compile without the layer of a pool", () => {
    const layer = ConnectionManager.layer({ pools: [Db, Cache] })
    type Needs = typeof layer extends Layer.Layer<infer _A, infer _E, infer R> ? R : never
    const needs: [[Db | Cache] extends [Needs] ? true : false, [Needs] extends [Db | Cache] ? true : false] = [
      true,
      true
    ]
    assert.isTrue(needs.every(Boolean))
  })
})

describe("looking", () => {
  it.effect("gives a pool by its class or its name, and tells which there are", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* ConnectionManager.get(Db), yield* Db)
      assert.strictEqual((yield* ConnectionManager.get("app/Cache")).name, "app/Cache")
      assert.deepStrictEqual((yield* ConnectionManager.pools).map(({ name }) => name), ["app/Db", "app/Cache"])
      const unknown = yield* Effect.flip(ConnectionManager.get("app/Nobody"))
      assert.strictEqual(unknown.message, "no pool \"app/Nobody\" is managed; there are app/Db, app/Cache")
      assert.strictEqual((yield* Effect.flip(ConnectionManager.get(Orphan))).pool, "app/Orphan")
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("adds the pools up", () =>
    Effect.gen(function*() {
      yield* Cache.withConnection(() => Effect.void)
      const held = yield* hold(Db)
      const { fleet, pools } = yield* ConnectionManager.stats
      assert.deepStrictEqual(pools, [yield* Db.stats, yield* Cache.stats])
      assert.deepStrictEqual(
        [fleet.used, fleet.idle, fleet.total, fleet.limit, fleet.utilization, fleet.acquired, fleet.failures],
        [1, 1, 2, 4, 25, 2, 0]
      )
      assert.deepStrictEqual([fleet.status, fleet.score], ["healthy", 100])
      yield* held.end
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("one pool that is not well shows in the score of all", () =>
    Effect.gen(function*() {
      yield* ConnectionManager.pause([Cache])
      const degraded = yield* ConnectionManager.health
      assert.deepStrictEqual([degraded.status, degraded.score], ["degraded", 90])
      assert.deepStrictEqual(degraded.warnings.map(({ about, pool }) => [pool, about]), [["app/Cache", "closed"]])
      yield* ConnectionManager.drain([Db])
      const unhealthy = yield* ConnectionManager.health
      assert.deepStrictEqual([unhealthy.status, unhealthy.score], ["unhealthy", 45])
      assert.deepStrictEqual(unhealthy.fleet.pools, { total: 2, healthy: 0, degraded: 1, unhealthy: 1 })
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("events of all pools come as one stream, with the pool's name", () =>
    Effect.gen(function*() {
      const seen = yield* Effect.forkChild(
        ConnectionManager.events.pipe(Stream.take(2), Stream.map(({ _tag, pool }) => [pool, _tag]), Stream.runCollect),
        { startImmediately: true }
      )
      yield* settle
      yield* Cache.pause
      yield* Db.retireAll
      assert.deepStrictEqual(yield* Fiber.join(seen), [["app/Cache", "Paused"], ["app/Db", "AllRetired"]])
    }).pipe(Effect.provide(managed(pools().layer))))

  const emissions = <A>(stream: Stream.Stream<A, never, ConnectionManager>) =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const now = TestClock.testClockWith((clock) => Effect.sync(() => clock.currentTimeMillisUnsafe()))
      yield* Effect.forkChild(Stream.runForEach(stream, () => Effect.map(now, (now) => times.push(now))))
      yield* settle
      yield* Effect.repeat(TestClock.adjust("10 seconds"), { times: 12 })
      return times
    })

  it.effect("metrics come every 30 s and health every 60 s", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* emissions(ConnectionManager.metrics), [0, 30, 60, 90, 120].map((s) => s * 1000))
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("health comes every 60 s", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* emissions(ConnectionManager.healthStream), [0, 60_000, 120_000])
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("or when one says", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* emissions(ConnectionManager.metrics)).length, 14)
    }).pipe(Effect.provide(managed(pools().layer, { metricsSchedule: "10 seconds" }))))

  it.effect("or when one says, for health", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* emissions(ConnectionManager.healthStream)).length, 14)
    }).pipe(Effect.provide(managed(pools().layer, { healthSchedule: "10 seconds" }))))

  it.effect("health is what each pool says of itself: one that balances tells of its upstreams", () => {
    class Replicas extends BalancedPool.Service<Replicas, FakeConnector.FakeConnection>()("app/Replicas") {}
    const upstreams = Effect.forEach(
      ["a", "b"],
      (name) => Effect.map(ConnectionPool.make(FakeConnector.make().connector, { name }), (pool) => ({ pool }))
    )
    return Effect.gen(function*() {
      const [one] = yield* upstreams
      assert(one !== undefined)
      const layer = ConnectionManager.layer({ pools: [Replicas], sampleInterval: "1 second" }).pipe(
        Layer.provideMerge(Replicas.layer(Effect.map(upstreams, (all) => [one, all[1]!])))
      )
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* ConnectionManager.health).status, "healthy")
        yield* one.pool.pause
        const { pools, status, warnings } = yield* ConnectionManager.health
        assert.deepStrictEqual([status, pools[0]?.status], ["degraded", "degraded"])
        assert.include(warnings[0], { about: "upstream", pool: "app/Replicas" })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* ConnectionManager.history)[0]?.samples.at(-1)?.status, "degraded")
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped, Effect.provide(isolated))
  })

  it.effect("a change of health is told once", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      yield* Effect.forkChild(Stream.runForEach(ConnectionManager.healthChanges, ({ from, pool, to }) =>
        Effect.sync(() =>
          seen.push([pool, from, to])
        )))
      yield* settle
      yield* Db.pause
      yield* TestClock.adjust("10 seconds")
      yield* Db.resume
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen, [["app/Db", "healthy", "degraded"], ["app/Db", "degraded", "healthy"]])
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("readings are kept as long as history says, at the interval that was asked for", () =>
    Effect.gen(function*() {
      yield* settle
      yield* TestClock.adjust("1 minute")
      const [db] = yield* ConnectionManager.history
      assert.strictEqual(db?.name, "app/Db")
      assert.deepStrictEqual(db?.samples.map(({ at }) => at), [50, 55, 60].map((s) => s * 1000))
    }).pipe(Effect.provide(managed(pools().layer, { sampleInterval: "5 seconds", history: "15 seconds" }))))

  it.effect("a reading tells what happened since the one before", () =>
    Effect.gen(function*() {
      yield* settle
      yield* Effect.repeat(Cache.withConnection(() => Effect.void), { times: 19 })
      yield* TestClock.adjust("2 seconds")
      yield* TestClock.adjust("2 seconds")
      const [, cache] = yield* ConnectionManager.history
      assert.deepStrictEqual(cache?.samples.map(({ acquireRate, wait }) => [acquireRate, wait?.p50]), [
        [10, 0],
        [0, 0]
      ])
      yield* TestClock.adjust("20 seconds")
      // Nobody asked for a connection: there is no wait to tell.
      assert.strictEqual((yield* ConnectionManager.history)[1]?.samples.at(-1)?.wait, null)
    }).pipe(Effect.provide(Layer.provideMerge(managed(pools().layer), isolated))))
})

describe("acting", () => {
  it.effect("warms up, pauses and resumes all or some", () => {
    const { layer } = pools({
      db: { minConnections: 2, startup: "lazy" },
      cache: { minConnections: 1, startup: "lazy" }
    })
    return Effect.gen(function*() {
      const states = Effect.map(ConnectionManager.stats, ({ pools }) => pools.map(({ state }) => state))
      assert.deepStrictEqual(yield* ConnectionManager.warmUp(), [
        { pool: "app/Db", open: 2 },
        { pool: "app/Cache", open: 1 }
      ])
      assert.deepStrictEqual(yield* ConnectionManager.warmUp(["app/Cache"]), [{ pool: "app/Cache", open: 1 }])
      yield* ConnectionManager.pause()
      assert.deepStrictEqual(yield* states, ["paused", "paused"])
      yield* ConnectionManager.resume([Db])
      assert.deepStrictEqual(yield* states, ["open", "paused"])
      yield* ConnectionManager.resume()
      assert.deepStrictEqual(yield* states, ["open", "open"])
      const unknown = yield* Effect.flip(ConnectionManager.pause(["nobody"]))
      assert.deepInclude(unknown, { _tag: "UnknownPool", name: "UnknownPool", pool: "nobody" })
    }).pipe(Effect.provide(managed(layer)))
  })
})

describe("the drain at the end", () => {
  it.effect("takes all pools at once, and closes every connection", () =>
    Effect.gen(function*() {
      const { cache, db, layer } = pools()
      const { close, context } = yield* start(managed(layer))
      yield* Effect.provide(
        Effect.andThen(Db.withConnection(() => Effect.void), Cache.withConnection(() => Effect.void)),
        context
      )
      yield* close
      assert.deepStrictEqual([db.fake.opened, db.fake.leaked, cache.opened, cache.leaked], [1, 0, 1, 0])
    }))

  it.effect("keeps the order of the groups", () =>
    Effect.gen(function*() {
      const { layer } = pools()
      const { close, context } = yield* start(managed(layer, { drainOrder: [[Cache], [Db]] }))
      const held = yield* Effect.provide(hold(Cache), context)
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      yield* settle
      const states = Effect.provide(
        Effect.all([Effect.map(Cache.stats, ({ state }) => state), Effect.map(Db.stats, ({ state }) => state)]),
        context
      )
      assert.deepStrictEqual(yield* states, ["draining", "open"])
      yield* held.end
      yield* settle
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* states, ["closed", "closed"])
    }))

  const stuckIn = (options: Parameters<typeof managed>[1]) =>
    Effect.gen(function*() {
      const logs: Array<string> = []
      const { layer, ...backends } = pools({
        db: { drainTimeout: "1 hour" },
        cache: { drainTimeout: "1 hour" }
      })
      const logger = Logger.layer([Logger.make(({ message }) => void logs.push(String(message)))])
      const world = yield* start(Layer.provideMerge(managed(layer, options), logger))
      const held = yield* Effect.provide(hold(Db, "the report of June"), world.context)
      const closing = yield* Effect.forkChild(world.close, { startImmediately: true })
      yield* settle
      const state = (pool: Effect.Effect<Pool, never, Db | Cache>) =>
        Effect.provide(Effect.flatMap(pool, ({ stats }) => Effect.map(stats, ({ state }) => state)), world.context)
      return { ...backends, ...world, logs, held, closing, state }
    })

  it.effect("that was asked for is logged, and the release after it has nothing to add", () =>
    Effect.gen(function*() {
      const { layer } = pools()
      const logs: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logs.push(String(message)))])
      const world = yield* start(Layer.provideMerge(managed(layer), logger))
      yield* Effect.provide(ConnectionManager.drain(), world.context)
      yield* world.close
      assert.strictEqual(logs.length, 1)
      assert.match(logs[0]!, /^drained 2 pools in \d+ ms$/)
    }))

  it.effect("gives up on a stuck pool at the deadline, names who holds it, and delays nobody", () =>
    Effect.gen(function*() {
      const { cache, closing, db, held, logs, state } = yield* stuckIn({ drainTimeout: "30 seconds" })
      assert.strictEqual(yield* state(Cache), "closed")
      assert.strictEqual(cache.leaked, 0)
      yield* TestClock.adjust("29 seconds")
      assert.match(logs.splice(0).join(), /^the drain waits for 1 connection \(.*\), held by the report of June/)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(logs.length, 2)
      assert.match(
        logs[0]!,
        /drained 2 pools in 30000 ms, but not all in peace: app\/Db: not done at drainTimeout, held by the report of June \(connection 1, 30000 ms\);/
      )
      assert.match(
        logs[1]!,
        /^1 leases had not ended by the deadline of whoever drains the pool, their connections are closed: the report of June/
      )
      // The pool's own limit of an hour does not begin again.
      yield* settle
      yield* Fiber.join(closing)
      assert.strictEqual(db.fake.leaked, 0)
      yield* held.end
    }))

  it.effect("a stuck group leaves the next ones their share of the time", () =>
    Effect.gen(function*() {
      const { closing, held, state } = yield* stuckIn({ drainTimeout: "30 seconds", drainOrder: [[Db], [Cache]] })
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(yield* state(Cache), "open")
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(yield* state(Cache), "closed")
      yield* held.end
      yield* settle
      yield* Fiber.join(closing)
    }))

  it.effect("reports what it did", () =>
    Effect.gen(function*() {
      const held = yield* hold(Db, "a slow one")
      const drain = yield* Effect.forkChild(ConnectionManager.drain(), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const report = yield* Fiber.join(drain)
      assert.isTrue(report.isComplete)
      assert.deepStrictEqual(report.pools.map(({ held, pool }) => [pool, held.map(({ label }) => label)]), [
        ["app/Db", ["a slow one"]],
        ["app/Cache", []]
      ])
      assert.deepStrictEqual(report.pools.map(({ report }) => report?.closed), [1, 0])
      yield* held.end
    }).pipe(Effect.provide(managed(pools({ db: { drainTimeout: "5 seconds" } }).layer))))
})
