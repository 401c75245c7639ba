import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool, PoolError } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Layer, Schedule, type Scope, Stream } from "effect"
import { advance, defectOf, id, only, reason, settle } from "./utils/bench.ts"
import { hold, leases, onFleet, type Setup, states } from "./utils/upstreams.ts"
import { http } from "./support/kinds.ts"

const inTurn = (setup: Partial<Setup> = {}): Setup => ({ weights: [1, 1], strategy: "roundRobin", ...setup })

describe("BalancedPool: what it shows", () => {
  it.effect("stats add up", () =>
    onFleet(inTurn({ weights: [3, 1], each: { minConnections: 1, maxConnections: 3 } }), function*(fleet) {
      const { backends, pool } = fleet
      yield* settle
      for (let lease = 0; lease < 8; lease++) {
        yield* Effect.exit(pool.withConnection(() => lease === 0 ? Effect.fail("mine") : Effect.sleep(0)))
      }
      const held = yield* Effect.forEach([1, 2, 3], () => hold(pool))
      yield* advance(400)
      yield* held[0]!.giveBack
      const [a, b] = [yield* backends[0]!.pool.stats, yield* backends[1]!.pool.stats]
      const all = yield* pool.stats
      assert.strictEqual(all.name, "all")
      for (const key of ["total", "used", "idle", "pending", "minConnections", "maxConnections", "limit"] as const) {
        assert.strictEqual(all[key], a[key] + b[key], key)
      }
      assert.deepInclude(all.counts, {
        acquiredAtOnce: a.counts.acquiredAtOnce + b.counts.acquiredAtOnce,
        opened: a.counts.opened + b.counts.opened,
        ended: { success: 8, failure: 1, defect: 0, interrupt: 0 }
      })
      assert.strictEqual(all.utilization, all.used / all.limit * 100)
      assert.strictEqual(all.use.count, a.use.count + b.use.count)
      assert.approximately(all.use.mean * all.use.count, a.use.mean * a.use.count + b.use.mean * b.use.count, 1e-9)
      assert.strictEqual(all.use.max, 400)
      assert.strictEqual(all.use.p95, Math.max(a.use.p95, b.use.p95))
      assert.isAtLeast(all.oldestWaiter, 0)
    }))

  it.effect("the state is the best of all and the breaker the worst only if all are", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      const state = Effect.map(pool.stats, ({ state }) => state)
      assert.strictEqual(yield* state, "open")
      yield* backends[0]!.pool.drain
      assert.strictEqual(yield* state, "open")
      yield* backends[1]!.pool.pause
      assert.strictEqual(yield* state, "paused")
      yield* backends[1]!.pool.drain
      assert.strictEqual(yield* state, "closed")
    }))

  it.effect("the breaker is open when every breaker is", () =>
    onFleet(
      inTurn({ each: { breaker: { minimumDials: 1 }, retry: Schedule.recurs(0) } }),
      function*({ backends, pool }) {
        const breaker = Effect.map(pool.stats, ({ breaker }) => breaker)
        for (const [index, expected] of (["closed", "open"] as const).entries()) {
          backends[index]!.gates.set("connect", "fail")
          yield* Effect.exit(backends[index]!.pool.withConnection(id))
          assert.strictEqual(yield* breaker, expected)
        }
      }
    ))

  it.effect("the configuration adds up what adds up and shows the largest of the rest", () =>
    Effect.gen(function*() {
      const upstreams = yield* Effect.forEach([1, 2], (n) =>
        Effect.map(
          ConnectionPool.make(FakeConnector.make().connector, {
            name: `u${n}`,
            kind: http,
            minConnections: n,
            maxConnections: 10 * n,
            pendingLimit: 100 * n,
            connectRate: n,
            acquireTimeout: `${n} seconds`,
            drainTimeout: `${3 - n} seconds`,
            metrics: n === 2
          }),
          (pool) => ({ pool })
        ))
      const pool = yield* BalancedPool.make(upstreams)
      assert.deepInclude(pool.config, {
        kind: "http",
        name: "balanced pool",
        minConnections: 3,
        maxConnections: 30,
        pendingLimit: 300,
        connectRate: 3,
        acquireTimeout: 2_000,
        drainTimeout: 2_000,
        metrics: true
      })
      assert.hasAllKeys(pool.config, Object.keys(upstreams[0]!.pool.config))
      assert.strictEqual(pool.name, "balanced pool")
    }))

  it.effect("connections have unique ids that retire understands, and the name of their upstream", () =>
    onFleet(
      inTurn({ weights: [1, 1, 1], each: { minConnections: 2, maxConnections: 2 } }),
      function*({ backends, pool }) {
        yield* settle
        const all = yield* pool.connections
        assert.strictEqual(new Set(all.map((connection) => connection.id)).size, 6)
        assert.deepStrictEqual(all.map(({ tags }) => tags["upstream"]), ["a", "a", "b", "b", "c", "c"])
        assert.isDefined(all[0]!.tags["fake"])
        const before = yield* Effect.forEach(backends, (backend) => backend.pool.connections)
        const victim = all[3]!
        assert.isTrue(yield* pool.retire(victim.id))
        yield* settle
        const retired = yield* Effect.forEach(
          backends,
          (backend) => Effect.map(backend.pool.stats, ({ counts }) => counts.retired.invalidated)
        )
        assert.deepStrictEqual(retired, [0, 1, 0])
        const now = yield* backends[1]!.pool.connections
        assert.notInclude(now.map((connection) => connection.id), before[1]![1]!.id)
        for (const id of [victim.id, 0, -1, 1e9, 0.5, NaN]) assert.isFalse(yield* pool.retire(id), String(id))
      }
    ))

  it.effect("events are those of the upstreams", () =>
    onFleet(inTurn(), function*({ events, listen, pool }) {
      yield* listen
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      yield* settle
      assert.deepStrictEqual(only(events, "Acquired").map((event) => event.pool), ["a", "b"])
    }))

  it.effect("a reader that does not want leases gets none of any upstream", () =>
    onFleet(inTurn(), function*({ pool }) {
      const reading = yield* Effect.forkScoped(Stream.runCollect(Stream.take(pool.eventsWith({ leases: false }), 4)))
      yield* settle
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      yield* pool.pause
      const tags = (yield* Fiber.join(reading)).map(({ _tag }) => _tag)
      assert.deepStrictEqual(tags, ["Opened", "Opened", "Paused", "Paused"])
    }))

  it.effect("events end with the drain", () =>
    onFleet(inTurn(), function*({ pool }) {
      const reading = yield* Effect.forkScoped(Stream.runCollect(pool.events))
      yield* settle
      yield* pool.drain
      yield* settle
      const exit = reading.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit))
      assert.deepStrictEqual(only(exit.value, "Drained").map((event) => event.pool).toSorted(), ["a", "b"])
    }))
})

describe("BalancedPool: health", () => {
  const health = (
    pool: ConnectionPool.ConnectionPool<never> | BalancedPool.BalancedPool<FakeConnector.FakeConnection>
  ) => Effect.map(pool.health, ({ status, warnings }) => ({ status, warnings: warnings.map(({ message }) => message) }))

  it.effect("is healthy while all upstreams are", () =>
    onFleet(inTurn(), function*({ pool }) {
      assert.deepStrictEqual(yield* health(pool), { status: "healthy", warnings: [] })
      assert.strictEqual((yield* pool.health).name, "all")
    }))

  it.effect("is degraded while one is out, and tells which and why", () =>
    onFleet(inTurn({ outlierEjection: { consecutiveFailures: 1 } }), function*({ backends, pool }) {
      yield* Effect.exit(pool.withConnection((connection) => {
        backends[0]!.gates.fake.break(connection)
        return Effect.fail("cut")
      }))
      yield* advance("2 seconds")
      assert.deepStrictEqual(yield* health(pool), {
        status: "degraded",
        warnings: [
          "1 of 2 upstreams is available",
          "a: ejected (consecutiveFailures) for the 1st time, 2000 ms ago, for 30000 ms"
        ]
      })
      yield* backends[1]!.pool.drain
      const { status, warnings } = yield* pool.health
      assert.strictEqual(status, "unhealthy")
      assert.deepStrictEqual(warnings.map(({ about }) => about), ["upstream", "upstream", "closed"])
      assert.deepStrictEqual(warnings.map(({ level }) => level), ["critical", "warning", "critical"])
      assert.include(warnings[0]!.message, "below panicThreshold (0.5): ejected ones are used as well")
      assert.isTrue(warnings.every(({ remedy }) => remedy.length > 0))
    }))

  it.effect("what is critical for one is a warning for all while another is there", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      yield* backends[0]!.pool.drain
      const { status, warnings } = yield* pool.health
      assert.strictEqual(status, "degraded")
      assert.deepStrictEqual(warnings.map(({ level, message }) => `${level}: ${message}`), [
        "warning: 1 of 2 upstreams is available",
        "warning: a: the pool is closed and has 0 connections"
      ])
    }))

  it.effect("a paused upstream is unavailable", () =>
    onFleet(inTurn(), function*(fleet) {
      yield* fleet.backends[0]!.pool.pause
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
      for (let lease = 0; lease < 3; lease++) yield* fleet.pool.withConnection(id)
      assert.strictEqual((yield* fleet.backends[0]!.pool.stats).counts.refused, 0)
    }))
})

describe("BalancedPool: what it does", () => {
  it.effect("get and acquireWith lend for a scope, and count as in flight until it closes", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      const inFlight = Effect.map(pool.upstreams, (all) => all.map((upstream) => upstream.inFlight))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* pool.acquire
        yield* pool.acquireWith({ label: "scoped" })
        assert.deepStrictEqual(yield* inFlight, [1, 1])
        assert.strictEqual((yield* backends[1]!.pool.connections)[0]!.label, "scoped")
      }))
      assert.deepStrictEqual(yield* inFlight, [0, 0])
      assert.strictEqual((yield* pool.stats).used, 0)
    }))

  it.effect("withConnection passes the options of the lease on", () =>
    onFleet(inTurn(), function*({ pool }) {
      const labels = yield* pool.withConnection(
        () => Effect.map(pool.connections, (all) => all.map(({ label }) => label)),
        { label: "mine" }
      )
      assert.deepStrictEqual(labels, ["mine"])
    }))

  it.effect("withShared shares where the upstream's connector can", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const shared = yield* ConnectionPool.make({ ...fake.connector, sharers: 5 }, {
        name: "shared",
        minConnections: 0,
        maxConnections: 1
      })
      const pool = yield* BalancedPool.make([{ pool: shared }])
      const ids = yield* pool.withShared((one) => pool.withShared((other) => Effect.succeed([one.id, other.id])))
      assert.strictEqual(ids[0], ids[1])
    }))

  it.effect("invalidate finds the upstream that lent the connection", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      yield* pool.withConnection(id)
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      const retired = yield* Effect.forEach(
        backends,
        (backend) => Effect.map(backend.pool.stats, ({ counts }) => counts.retired.invalidated)
      )
      assert.deepStrictEqual(retired, [0, 1])
      const held = yield* hold(pool)
      yield* held.giveBack
      const misuse = defectOf(yield* Effect.exit(pool.invalidate(held.connection)))
      assert(misuse instanceof PoolError.PoolMisuse)
      assert.strictEqual(misuse.pool, "all")
    }))

  it.effect("invalidate does not hide what else goes wrong", () =>
    onFleet(inTurn(), function*({ backends }) {
      const upstream = { ...backends[0]!.pool, invalidate: () => Effect.die("bug") }
      const pool = yield* BalancedPool.make([{ pool: upstream }, { pool: backends[1]!.pool }])
      const exit = yield* Effect.exit(pool.withConnection((connection) => pool.invalidate(connection)))
      assert.strictEqual(defectOf(exit), "bug")
    }))

  it.effect("retireAll replaces every connection of every upstream", () =>
    onFleet(inTurn({ each: { minConnections: 1 } }), function*({ pool }) {
      yield* settle
      yield* pool.retireAll
      yield* settle
      assert.strictEqual((yield* pool.stats).counts.retired.superseded, 2)
    }))

  it.effect("pause and resume hold for all, at once", () =>
    onFleet(inTurn(), function*(fleet) {
      const { pool } = fleet
      yield* pool.pause
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "unavailable"])
      yield* reason(pool.withConnection(id), "PoolPaused")
      yield* pool.resume
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [1, 1])
    }))

  it.effect("warmUp opens by weight, or what each upstream keeps open", () =>
    onFleet(inTurn({ weights: [3, 1], each: { maxConnections: 5 } }), function*({ backends, pool }) {
      assert.strictEqual(yield* pool.warmUp(), 0)
      assert.strictEqual(yield* pool.warmUp(4), 4)
      const open = Effect.forEach(backends, (backend) => Effect.map(backend.pool.stats, ({ idle }) => idle))
      assert.deepStrictEqual(yield* open, [3, 1])
      assert.strictEqual(yield* pool.warmUp(8), 8)
      assert.deepStrictEqual(yield* open, [5, 3])
      assert.strictEqual(yield* pool.warmUp(100), 10)
      assert.deepStrictEqual(yield* open, [5, 5])
      const refused = yield* reason(pool.warmUp(-1), "InvalidOption")
      assert.strictEqual(refused.option, "count")
    }))

  it.effect("warmUp fails only if no upstream can be warmed up", () =>
    onFleet(inTurn({ each: { retry: Schedule.recurs(0) } }), function*({ backends, pool }) {
      backends[0]!.gates.set("connect", "fail")
      assert.strictEqual(yield* pool.warmUp(2), 1)
      backends[1]!.gates.set("connect", "fail")
      yield* pool.retireAll
      yield* settle
      yield* reason(pool.warmUp(2), "ConnectFailed")
    }))

  it.effect("setLimit holds for the upstreams that are left, and is refused when none is", () =>
    onFleet({ weights: [1, 1] }, function*({ backends: [a, b], pool }) {
      yield* a!.pool.drain
      yield* pool.setLimit(2)
      assert.strictEqual((yield* b!.pool.stats).limit, 1)
      yield* b!.pool.drain
      yield* reason(pool.setLimit(2), "PoolClosed")
    }))

  it.effect("setLimit is split by weight, one for each at least", () =>
    onFleet(inTurn({ weights: [8, 1, 1], each: { maxConnections: 6 } }), function*({ backends, pool }) {
      const limits = Effect.forEach(backends, (backend) => Effect.map(backend.pool.stats, ({ limit }) => limit))
      const splits: ReadonlyArray<readonly [number, ReadonlyArray<number>]> = [
        [3, [1, 1, 1]],
        [5, [3, 1, 1]],
        [10, [6, 2, 2]],
        [18, [6, 6, 6]]
      ]
      for (const [limit, split] of splits) {
        yield* pool.setLimit(limit)
        assert.deepStrictEqual<ReadonlyArray<number>>(yield* limits, split)
        assert.strictEqual((yield* pool.stats).limit, limit)
      }
      for (const limit of [2, 19, 3.5, NaN]) {
        const { option, rule } = yield* reason(pool.setLimit(limit), "InvalidOption")
        assert.strictEqual(option, "limit")
        assert.include(rule, "from 3 (one for each upstream) to maxConnections (18)")
      }
    }))

  it.effect("a drain with a stuck upstream takes one drainTimeout and reports all", () =>
    onFleet(inTurn({ each: { drainTimeout: "5 seconds" } }), function*(fleet) {
      const { pool } = fleet
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "stuck" }))
      yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("1 second")))
      yield* settle
      const stuck = (yield* pool.connections)[0]!
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("5 seconds")
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual(report, {
        took: 5_000,
        served: 0,
        refused: 0,
        returned: 1,
        abandoned: [{ connection: stuck.id, label: "stuck", held: 5_000 }],
        closed: 2,
        closesTimedOut: 0
      })
      yield* reason(pool.withConnection(id), "PoolClosed")
      assert.deepStrictEqual(yield* pool.drain, report)
    }))

  it.effect("a drain goes on when its caller is interrupted", () =>
    onFleet(inTurn({ each: { minConnections: 1 } }), function*({ pool }) {
      yield* settle
      const draining = yield* Effect.forkChild(pool.drain, { startImmediately: true })
      yield* Fiber.interrupt(draining)
      yield* settle
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.effect("its events end as well when the caller of its drain is interrupted", () =>
    onFleet(inTurn(), function*({ pool }) {
      const reading = yield* Effect.forkScoped(Stream.runDrain(pool.events))
      yield* settle
      const draining = yield* Effect.forkChild(pool.drain, { startImmediately: true })
      yield* Fiber.interrupt(draining)
      yield* settle
      assert.deepStrictEqual(reading.pollUnsafe(), Exit.void)
    }))

  it.effect("the end of its scope closes no upstream, and leases go on", () =>
    Effect.gen(function*() {
      const upstreams = yield* Effect.forEach(["a", "b"], (name) =>
        Effect.map(ConnectionPool.make(FakeConnector.make().connector, { name }), (pool) => ({ pool })))
      const pool = yield* Effect.scoped(
        BalancedPool.make(upstreams, {
          strategy: "roundRobin",
          outlierEjection: { consecutiveFailures: 1 },
          classify: (exit) =>
            Exit.isSuccess(exit) ? "success" : "failure"
        })
      )
      assert.strictEqual((yield* pool.stats).state, "open")
      assert.strictEqual(
        defectOf(
          yield* Effect.exit(pool.withConnection(() => Effect.die("bug")))
        ),
        "bug"
      )
      assert.deepStrictEqual((yield* pool.upstreams).map(({ state }) => state), ["ejected", "in"])
      assert.isNumber(yield* pool.withConnection(id))
    }))

  it.effect("a balanced pool can be an upstream", () =>
    Effect.gen(function*() {
      const pools = yield* Effect.forEach(["a", "b", "c"], (name) =>
        ConnectionPool.make(FakeConnector.make().connector, { name }))
      const strategy = "roundRobin"
      const near = yield* BalancedPool.make(pools.slice(0, 2).map((pool) => ({ pool })), { name: "near", strategy })
      const pool = yield* BalancedPool.make([{ pool: near, weight: 2 }, { pool: pools[2]! }], { strategy })
      for (let lease = 0; lease < 6; lease++) {
        yield* pool.withConnection(id)
      }
      const counts = yield* Effect.forEach(
        pools,
        (each) =>
          Effect.map(each.stats, ({ counts }) => counts.acquiredAtOnce)
      )
      assert.deepStrictEqual(counts, [2, 2, 2])
      const all = yield* pool.connections
      assert.strictEqual(new Set(all.map((connection) => connection.id)).size, all.length)
      for (const connection of all) assert.isTrue(yield* pool.retire(connection.id))
    }))
})

describe("BalancedPool.Service", () => {
  class Api extends BalancedPool.Service<Api, FakeConnector.FakeConnection>()("test/Api") {}
  class One extends ConnectionPool.Service<One, FakeConnector.FakeConnection>()("test/One") {}

  const upstream = (name: string) => {
    const fake = FakeConnector.make()
    return {
      fake,
      make: Effect.map(ConnectionPool.make(fake.connector, { name }), (pool) => ({ pool }))
    }
  }

  it.effect("its layer owns the pools that the effect makes, and its name is the class's id", () =>
    Effect.gen(function*() {
      const [a, b] = [upstream("a"), upstream("b")]
      const layer: Layer.Layer<Api, PoolError.PoolError> = Api.layer(Effect.all([a.make, b.make]), {
        strategy: "roundRobin"
      })
      const names = yield* Effect.provide(
        Effect.gen(function*() {
          yield* Api.withConnection(id)
          const pool = yield* Api
          assert.deepStrictEqual([pool.name, (yield* Api.stats).counts.acquiredAtOnce], ["test/Api", 1])
          return (yield* Api.upstreams).map(({ name }) => name)
        }),
        layer
      )
      assert.deepStrictEqual(names, ["a", "b"])
      assert.deepStrictEqual([a.fake.leaked, b.fake.leaked], [0, 0])
      assert.isAbove(a.fake.opened, 0)
    }))

  it.effect("its upstreams may be services", () => {
    const fake = FakeConnector.make()
    const layer: Layer.Layer<Api | One, PoolError.PoolError> = Layer.provideMerge(
      Api.layer(Effect.map(One, (pool) => [{ pool }]), { name: "api" }),
      One.layer(fake.connector)
    )
    return Effect.provide(
      Effect.gen(function*() {
        yield* Api.withConnection(id)
        assert.strictEqual((yield* One.stats).counts.acquiredAtOnce, 1)
        assert.strictEqual((yield* Api).name, "api")
      }),
      layer
    )
  })

  it.effect("any pool can take its place", () =>
    Effect.gen(function*() {
      const { pool } = yield* upstream("fake").make
      const context = yield* Layer.build(Api.layerFrom(Effect.succeed(pool)))
      assert.deepStrictEqual(yield* Effect.provideContext(Api.upstreams, context), [])
      assert.isNumber(yield* Effect.provideContext(Api.withConnection(id), context))
    }))

  it("asks for a scope and fails with PoolError", () => {
    const made: (
      upstreams: ReadonlyArray<BalancedPool.Upstream<FakeConnector.FakeConnection>>
    ) => Effect.Effect<
      BalancedPool.BalancedPool<FakeConnector.FakeConnection>,
      PoolError.PoolError,
      Scope.Scope
    > = (upstreams) => BalancedPool.make(upstreams)
    assert.isFunction(made)
  })
})
