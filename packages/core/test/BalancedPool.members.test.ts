import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Metric, Scope } from "effect"
import { advance, id, only, reason, settle } from "./utils/bench.ts"
import { hold, leases, onFleet, type Setup, states } from "./utils/upstreams.ts"

const inTurn = (setup: Partial<Setup> = {}): Setup => ({
  weights: [1, 1],
  strategy: "roundRobin",
  slowStart: 0,
  ...setup
})

const another = (name: string, options: ConnectionPool.MakeOptions = {}) =>
  Effect.gen(function*() {
    const fake = FakeConnector.make()
    const pool = yield* ConnectionPool.make(fake.connector, { name, minConnections: 0, ...options })
    return { fake, pool }
  })

const acquired = <Lent>(pool: ConnectionPool.ConnectionPool<Lent>) =>
  Effect.map(pool.stats, ({ counts }) => counts.acquiredAtOnce + counts.acquiredAfterWaiting)

describe("BalancedPool: upstreams that join and leave", () => {
  it.effect("one that joins gets its share until its scope closes, and its pool is drained after it has left", () =>
    onFleet(inTurn(), function*(fleet) {
      yield* fleet.listen
      const scope = yield* Scope.make()
      const { fake, pool } = yield* Scope.provide(another("c"), scope)
      yield* Scope.provide(fleet.pool.join({ pool, weight: 2 }), scope)
      for (let lease = 0; lease < 8; lease++) yield* fleet.pool.withConnection(id)
      assert.deepStrictEqual([...yield* leases(fleet), yield* acquired(pool)], [2, 2, 4])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(fake.leaked, 0)
      for (let lease = 0; lease < 2; lease++) yield* fleet.pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [3, 3])
      yield* settle
      const told = fleet.events.filter(({ _tag }) => _tag === "UpstreamJoined" || _tag === "UpstreamLeft")
      assert.deepStrictEqual<ReadonlyArray<unknown>>(told, [
        { _tag: "UpstreamJoined", pool: "all", at: 0, upstream: "c", weight: 2 },
        { _tag: "UpstreamLeft", pool: "all", at: 0, upstream: "c" }
      ])
    }))

  it.effect("one that joins begins with little load", () =>
    onFleet(inTurn({ slowStart: "10 seconds" }), function*(fleet) {
      const { pool } = yield* another("c")
      yield* fleet.pool.join({ pool })
      assert.deepStrictEqual(yield* states(fleet), ["in", "in", "warming"])
      yield* advance("10 seconds")
      assert.deepStrictEqual(yield* states(fleet), ["in", "in", "in"])
    }))

  it.effect("the pool shows the configuration, numbers, connections and events of those that are in", () =>
    onFleet(inTurn({ each: { maxConnections: 2 } }), function*(fleet) {
      yield* fleet.listen
      const scope = yield* Scope.make()
      const { pool } = yield* another("c", { maxConnections: 7, acquireTimeout: "1 hour" })
      yield* Scope.provide(fleet.pool.join({ pool }), scope)
      assert.deepInclude(fleet.pool.config, { maxConnections: 11, acquireTimeout: 3_600_000 })
      assert.strictEqual((yield* fleet.pool.stats).limit, 11)
      const held = yield* hold(pool)
      yield* settle
      assert.isTrue(only(fleet.events, "Opened").some((event) => event.pool === "c"))
      const connection = (yield* fleet.pool.connections).find(({ tags }) => tags["upstream"] === "c")
      assert.strictEqual(connection?.state, "used")
      yield* held.giveBack
      assert.isTrue(yield* fleet.pool.retire(connection!.id))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(yield* fleet.pool.retire(connection!.id))
      assert.strictEqual(fleet.pool.config.maxConnections, 4)
      yield* settle
      const before = fleet.events.length
      yield* pool.withConnection(id)
      yield* settle
      assert.strictEqual(fleet.events.length, before)
    }))

  it.effect("the ids of connections stay the same while others join and leave", () =>
    onFleet(inTurn({ weights: [1] }), function*(fleet) {
      yield* hold(fleet.pool)
      const ids = Effect.map(fleet.pool.connections, (all) => all.map(({ id }) => id))
      const before = yield* ids
      const scope = yield* Scope.make()
      const { pool } = yield* another("c")
      yield* Scope.provide(fleet.pool.join({ pool }), scope)
      assert.deepStrictEqual(yield* ids, before)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* ids, before)
    }))

  it.effect("callers that wait at one that leaves go on, leases that have begun there end there", () =>
    onFleet(inTurn({ weights: [1] }), function*(fleet) {
      const scope = yield* Scope.make()
      const { pool } = yield* another("c", { maxConnections: 1 })
      yield* fleet.pool.setWeight("a", 0)
      yield* Scope.provide(fleet.pool.join({ pool }), scope)
      const held = yield* hold(fleet.pool)
      const waiting = yield* Effect.forkScoped(fleet.pool.withConnection(id))
      yield* settle
      assert.strictEqual((yield* pool.stats).pending, 1)
      yield* fleet.pool.setWeight("a", 1)
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.strictEqual(yield* Fiber.join(waiting), 1)
      assert.deepStrictEqual(yield* leases(fleet), [1])
      assert.strictEqual((yield* pool.stats).used, 1)
      yield* held.giveBack
    }))

  it.effect("when all have left callers are refused, until one joins", () =>
    Effect.gen(function*() {
      const first = yield* another("a")
      const pool = yield* BalancedPool.make([{ pool: first.pool, weight: 0 }], { name: "all" })
      const refused = yield* reason(pool.withConnection(id), "PoolPaused")
      assert.include(refused.message, "no upstream with a weight above 0")
      assert.isTrue(refused.isRetryable)
      assert.strictEqual((yield* pool.health).status, "unhealthy")
      const { pool: next } = yield* another("b")
      yield* pool.join({ pool: next })
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))

  it.effect("one without weight gets no lease, keeps its connections, and gets its share when it has a weight", () =>
    onFleet(inTurn({ weights: [1, 0], each: { minConnections: 1 } }), function*(fleet) {
      yield* settle
      for (let lease = 0; lease < 4; lease++) yield* fleet.pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [4, 0])
      assert.strictEqual((yield* fleet.backends[1]!.pool.stats).idle, 1)
      assert.deepStrictEqual((yield* fleet.pool.upstreams).map(({ effectiveWeight }) => effectiveWeight), [1, 0])
      // Not even if the others are gone: its weight says so.
      yield* fleet.backends[0]!.pool.pause
      yield* reason(fleet.pool.withConnection(id), "PoolPaused")
      yield* fleet.pool.setWeight("b", 3)
      yield* fleet.pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [4, 1])
    }))

  it.effect("warmUp and setLimit know that a weight is 0", () =>
    onFleet(inTurn({ weights: [1, 0], each: { maxConnections: 3 } }), function*({ backends, pool }) {
      assert.strictEqual(yield* pool.warmUp(2), 2)
      yield* pool.setLimit(4)
      const limits = yield* Effect.forEach(backends, (backend) => Effect.map(backend.pool.stats, ({ limit }) => limit))
      assert.deepStrictEqual(limits, [3, 1])
    }))

  it.effect("a name that is taken, a bad weight and a name that nobody has are refused", () =>
    onFleet(inTurn(), function*({ backends: [a], pool }) {
      const { pool: c } = yield* another("c")
      const refusals = [
        pool.join({ pool: a!.pool }),
        pool.join({ pool: c, weight: -1 }),
        pool.setWeight("a", NaN),
        pool.setWeight("nobody", 1)
      ]
      const told = yield* Effect.forEach(
        refusals,
        (refusal) => Effect.map(reason(refusal, "InvalidOption"), ({ option }) => option)
      )
      assert.deepStrictEqual(told, ["upstreams", "weight", "weight", "upstream"])
      assert.strictEqual((yield* pool.upstreams).length, 2)
    }))

  it.effect("a class has them too, and any other pool can take its place", () =>
    Effect.gen(function*() {
      class Api extends BalancedPool.Service<Api, FakeConnector.FakeConnection>()("test/Api") {}
      const [a, b] = [yield* another("a"), yield* another("b")]
      yield* Effect.gen(function*() {
        yield* Api.join({ pool: b.pool })
        yield* Api.setWeight("a", 0)
        yield* Api.withConnection(id)
        assert.strictEqual(yield* acquired(b.pool), 1)
      }).pipe(Effect.provide(Api.layer(Effect.succeed([{ pool: a.pool }]))))
      yield* Effect.andThen(Api.join({ pool: b.pool }), Api.setWeight("a", 0)).pipe(
        Effect.provide(Api.layerFrom(Effect.succeed(a.pool)))
      )
    }))
})

describe("BalancedPool: its series", () => {
  const series = Effect.map(Metric.snapshot, (all) => all.filter(({ id }) => id === "service_pool_ejections_total"))

  it.effect("are gone when its scope has closed", () =>
    Effect.gen(function*() {
      const { pool } = yield* another("a", { metrics: true })
      const scope = yield* Scope.make()
      const classify = () => "failure" as const
      const balanced = yield* Scope.provide(
        BalancedPool.make([{ pool }, { pool: (yield* another("b")).pool }], {
          classify,
          strategy: "roundRobin",
          outlierEjection: { consecutiveFailures: 1 }
        }),
        scope
      )
      yield* balanced.withConnection(id)
      const counts = (yield* series).map((
        { attributes, state }
      ) => [attributes?.["upstream"], (state as { count: number }).count])
      assert.deepStrictEqual(counts, [["a", 1], ["b", 0]])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* series, [])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("of an upstream are gone when it has left", () =>
    onFleet(inTurn(), function*({ pool }) {
      const scope = yield* Scope.make()
      yield* Scope.provide(pool.join({ pool: (yield* another("c")).pool }), scope)
      assert.strictEqual((yield* series).length, 3)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* series).length, 2)
    }))
})
