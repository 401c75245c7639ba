import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool, PoolConfig, PoolKind, PoolMetrics } from "@effect-pools/core"
import { Effect, Exit, Metric, Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { Histogram } from "../src/internal/watch/histogram.ts"
import { type Given, statsOf } from "./support/stats.ts"
import { db, http, redis, websocket } from "./support/kinds.ts"

/** A pool whose numbers the test sets at will. */
const source = (kind: PoolKind.PoolKind, name: string) =>
  Effect.map(PoolConfig.make(kind, name, {}), (config) => {
    let stats = statsOf()
    return {
      config,
      histograms: { wait: new Histogram(), use: new Histogram(), open: new Histogram(), lifetime: new Histogram() },
      numbers: () => stats,
      set: (given: Given) => {
        stats = statsOf(given)
      }
    }
  })

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

/** Each series with its value, as Prometheus reads them. */
const scrape = Effect.map(PrometheusMetrics.format(), (text) => {
  const series = new Map<string, number>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    assert.match(
      line,
      /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"]*")*\})? [0-9.e+-]+$/
    )
    const at = line.lastIndexOf(" ")
    assert.isFalse(series.has(line.slice(0, at)), `twice: ${line}`)
    series.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return series
})

const busy: Given = {
  total: 10,
  used: 5,
  idle: 1,
  opening: 2,
  checking: 1,
  closing: 1,
  pending: 7,
  limit: 18,
  limitedBy: "server",
  utilization: 27.5,
  oldestWaiter: 1500,
  breaker: "open",
  counts: {
    acquiredAtOnce: 100,
    acquiredAfterWaiting: 23,
    timedOut: 1,
    refused: 2,
    failed: 3,
    failedToOpen: 4,
    failedToValidate: 5,
    failedToReset: 6,
    closesTimedOut: 7,
    opened: 40,
    closed: 30,
    leaksSuspected: 8,
    ended: { success: 90, failure: 10, defect: 2, interrupt: 1 },
    retired: { idle: 1, lifetime: 2, ended: 8, broken: 3, invalid: 4, invalidated: 5, superseded: 6, shutdown: 7 }
  }
}

describe("PoolMetrics", () => {
  it.effect("publishes every number of a pool with its name as label", () =>
    Effect.gen(function*() {
      const pool = yield* source(db, "app/Db")
      pool.set(busy)
      yield* PoolMetrics.register(pool)
      const series = yield* scrape
      const expected: Record<string, number> = {
        connections: 10,
        connections_total: 10,
        connections_idle: 1,
        connections_active: 5,
        connections_opening: 2,
        connections_checking: 1,
        connections_closing: 1,
        connections_min: 2,
        connections_max: 18,
        waiting_requests: 7,
        oldest_waiter_seconds: 1.5,
        utilization_percent: 27.5,
        breaker_open: 1,
        acquire_total: 123,
        release_total: 103,
        timeouts_total: 1,
        connections_opened_total: 40,
        connections_closed_total: 30,
        leaks_suspected_total: 8
      }
      for (const [name, value] of Object.entries(expected)) {
        assert.strictEqual(series.get(`db_pool_${name}{pool="app/Db"}`), value, name)
      }
      const labelled = (name: string, label: string, value: string) =>
        series.get(`db_pool_${name}{pool="app/Db",${label}="${value}"}`)
      assert.deepStrictEqual(
        ["timeout", "refused", "failed", "connect", "validate", "reset", "close"].map((type) =>
          labelled("errors_total", "type", type)
        ),
        [1, 2, 3, 4, 5, 6, 7]
      )
      assert.deepStrictEqual(
        ["idle", "lifetime", "broken", "invalid", "invalidated", "superseded", "shutdown", "ended"].map((reason) =>
          labelled("connections_retired_total", "reason", reason)
        ),
        [1, 2, 3, 4, 5, 6, 7, 8]
      )
      assert.deepStrictEqual(
        ["success", "failure", "defect", "interrupt"].map((end) => labelled("lease_ends_total", "end", end)),
        [90, 10, 2, 1]
      )
      assert.deepStrictEqual(
        ["maxConnections", "setLimit", "sizing", "server", "budget"].map((by) => labelled("limited", "by", by)),
        [0, 0, 0, 1, 0]
      )
    }).pipe(isolated))

  it.effect("publishes histograms in seconds, with the leases that did not wait", () =>
    Effect.gen(function*() {
      const pool = yield* source(http, "app/Api")
      pool.set({ counts: { acquiredAtOnce: 10 } })
      for (const ms of [10, 11, 100_000]) pool.histograms.wait.record(ms)
      pool.histograms.use.record(500)
      for (const minutes of [1, 31, 90]) pool.histograms.lifetime.record(minutes * 60_000)
      yield* PoolMetrics.register(pool)
      const series = yield* scrape
      const wait = (suffix: string) => series.get(`http_pool_acquire_duration_seconds${suffix}`)
      assert.strictEqual(wait("_bucket{pool=\"app/Api\",le=\"0.005\"}"), 10)
      assert.strictEqual(wait("_bucket{pool=\"app/Api\",le=\"0.01\"}"), 11)
      assert.strictEqual(wait("_bucket{pool=\"app/Api\",le=\"0.02\"}"), 12)
      assert.strictEqual(wait("_bucket{pool=\"app/Api\",le=\"40.96\"}"), 12)
      assert.strictEqual(wait("_bucket{pool=\"app/Api\",le=\"+Inf\"}"), 13)
      assert.strictEqual(wait("_count{pool=\"app/Api\"}"), 13)
      assert.strictEqual(wait("_sum{pool=\"app/Api\"}"), 100.021)
      assert.strictEqual(series.get("http_pool_use_duration_seconds_sum{pool=\"app/Api\"}"), 0.5)
      assert.strictEqual(series.get("http_pool_open_duration_seconds_count{pool=\"app/Api\"}"), 0)
      const lived = (le: string) =>
        series.get(`http_pool_connection_lifetime_seconds_bucket{pool="app/Api",le="${le}"}`)
      assert.deepStrictEqual(["61.44", "1835.008", "3670.016", "7340.032"].map(lived), [1, 1, 2, 3])
    }).pipe(isolated))

  it.effect("publishes OpenTelemetry's names for databases and for Redis, and for no other kind", () =>
    Effect.gen(function*() {
      for (const kind of [db, redis, http, websocket, PoolKind.service]) {
        const pool = yield* source(kind, `app/${kind.name}`)
        pool.set(busy)
        pool.histograms.open.record(20)
        yield* PoolMetrics.register(pool)
      }
      const snapshots = (yield* Metric.snapshot).filter(({ id }) => id.startsWith("db.client."))
      const pools = new Set(snapshots.map(({ attributes }) => attributes?.["db.client.connection.pool.name"]))
      assert.deepStrictEqual([...pools], ["app/db", "app/redis"])
      assert.deepStrictEqual([...new Set(snapshots.map(({ id }) => id.slice("db.client.connection.".length)))], [
        "count",
        "idle.max",
        "idle.min",
        "max",
        "pending_requests",
        "timeouts",
        "create_time",
        "wait_time",
        "use_time"
      ])
      const series = yield* scrape
      const labels = "db_client_connection_pool_name=\"app/db\""
      const value = (name: string, more = "") => series.get(`db_client_connection_${name}{${labels}${more}}`)
      assert.strictEqual(value("count", ",db_client_connection_state=\"idle\""), 1)
      assert.strictEqual(value("count", ",db_client_connection_state=\"used\""), 5)
      assert.strictEqual(value("idle_max"), 18)
      assert.strictEqual(value("idle_min"), 2)
      assert.strictEqual(value("max"), 18)
      assert.strictEqual(value("pending_requests"), 7)
      assert.strictEqual(value("timeouts"), 1)
      assert.strictEqual(value("create_time_sum"), 0.02)
      assert.strictEqual(value("wait_time_count"), 100)
      assert.strictEqual(value("use_time_count"), 0)
    }).pipe(isolated))

  it.effect("shows the numbers of the moment it is scraped", () =>
    Effect.gen(function*() {
      const pool = yield* source(redis, "app/Cache")
      yield* PoolMetrics.register(pool)
      assert.strictEqual((yield* scrape).get("redis_pool_waiting_requests{pool=\"app/Cache\"}"), 0)
      pool.set({ pending: 3 })
      assert.strictEqual((yield* scrape).get("redis_pool_waiting_requests{pool=\"app/Cache\"}"), 3)
    }).pipe(isolated))

  it.effect("keeps pools apart, and takes the series of one away when its scope closes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(PoolMetrics.register(yield* source(db, "app/Replica")), scope)
      yield* PoolMetrics.register(yield* source(db, "app/Primary"))
      const both = yield* scrape
      assert.isTrue(both.has("db_pool_acquire_total{pool=\"app/Replica\"}"))
      assert.isTrue(both.has("db_pool_acquire_total{pool=\"app/Primary\"}"))
      yield* Scope.close(scope, Exit.void)
      const one = yield* scrape
      assert.strictEqual(one.size, both.size / 2)
      assert.isFalse([...one.keys()].some((name) => name.includes("app/Replica")))
      assert.isTrue(one.has("db_pool_acquire_total{pool=\"app/Primary\"}"))
    }).pipe(isolated))

  it.effect("leaves the registry as it was when its scope closes", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(PoolMetrics.register(yield* source(db, "app/Db")))
      assert.strictEqual(yield* PrometheusMetrics.format(), "")
    }).pipe(isolated))

  it.effect("never shows a number that is none, or is below 0", () =>
    Effect.gen(function*() {
      const pool = yield* source(db, "app/Db")
      pool.set({ used: -1, utilization: NaN, oldestWaiter: -5, pending: -Infinity, counts: { timedOut: NaN } })
      for (const ms of [NaN, -3, Infinity]) pool.histograms.use.record(ms)
      yield* PoolMetrics.register(pool)
      for (const [name, value] of yield* scrape) assert.isTrue(Number.isFinite(value) && value >= 0, name)
    }).pipe(isolated))

  it.effect("a scrape does not go through the distributions of a pool as its stats do", () =>
    Effect.gen(function*() {
      const prototype = Object.getPrototypeOf(new Histogram()) as Histogram
      const { timing } = prototype
      let timings = 0
      const counting = function(this: Histogram, ...zeros: Parameters<typeof timing>) {
        timings++
        return timing.apply(this, zeros)
      }
      yield* Effect.addFinalizer(() => Effect.sync(() => Object.assign(prototype, { timing })))
      Object.assign(prototype, { timing: counting })
      const connector = { connect: () => Effect.succeed({}) }
      const pool = yield* ConnectionPool.make(connector, { name: "app/Db", kind: db })
      yield* pool.withConnection(() => Effect.void)
      yield* pool.stats
      assert.strictEqual(timings, 7)
      const found = yield* scrape
      assert.strictEqual(timings, 7)
      assert.strictEqual(found.get("db_pool_acquire_total{pool=\"app/Db\"}"), 1)
    }).pipe(Effect.scoped, isolated))

  it.effect("times what a package wants to have timed besides", () =>
    Effect.gen(function*() {
      const attributes = { pool: "app/Db", query_type: "select" }
      const series = { name: "db_pool_query_duration_seconds", description: "How long queries took", attributes }
      yield* Effect.scoped(Effect.gen(function*() {
        const record = yield* PoolMetrics.makeTimer(series)
        record(5)
        record(1000)
        const labels = "pool=\"app/Db\",query_type=\"select\""
        const found = yield* scrape
        assert.strictEqual(found.get(`db_pool_query_duration_seconds_bucket{${labels},le="0.005"}`), 1)
        assert.strictEqual(found.get(`db_pool_query_duration_seconds_count{${labels}}`), 2)
        assert.strictEqual(found.get(`db_pool_query_duration_seconds_sum{${labels}}`), 1.005)
      }))
      assert.strictEqual(yield* PrometheusMetrics.format(), "")
    }).pipe(isolated))

  it.effect("of two pools of one name the later is seen, and the earlier again once it is gone", () =>
    Effect.gen(function*() {
      const open = Effect.fnUntraced(function*(maxConnections: number) {
        const scope = yield* Scope.make()
        const options = { name: "app/Db", kind: db, minConnections: 0, maxConnections } as const
        yield* Scope.provide(ConnectionPool.make({ connect: () => Effect.succeed({}) }, options), scope)
        return Scope.close(scope, Exit.void)
      })
      const seen = Effect.map(scrape, (series) => [
        series.get("db_pool_connections_max{pool=\"app/Db\"}"),
        series.get("db_client_connection_max{db_client_connection_pool_name=\"app/Db\"}")
      ])
      const closeFirst = yield* open(1)
      const closeSecond = yield* open(2)
      assert.deepStrictEqual(yield* seen, [2, 2])
      yield* closeFirst
      assert.deepStrictEqual(yield* seen, [2, 2])
      const closeThird = yield* open(3)
      const closeFourth = yield* open(4)
      yield* closeThird
      assert.deepStrictEqual(yield* seen, [4, 4])
      yield* closeFourth
      assert.deepStrictEqual(yield* seen, [2, 2])
      yield* closeSecond
      assert.strictEqual(yield* PrometheusMetrics.format(), "")
    }).pipe(isolated))

  it.effect("the series of a balanced pool's upstreams join by its name, and are their own again after it", () =>
    Effect.gen(function*() {
      const options = { kind: db, minConnections: 0, maxConnections: 2 } as const
      const connector = { connect: () => Effect.succeed({}) }
      const a = yield* ConnectionPool.make(connector, { ...options, name: "a" })
      const b = yield* ConnectionPool.make(connector, { ...options, name: "b" })
      yield* Effect.scoped(Effect.gen(function*() {
        const decorated = { ...b, withConnection: b.withConnection }
        const all = yield* BalancedPool.make([{ pool: a }, { pool: decorated }], {
          name: "all",
          strategy: "roundRobin"
        })
        for (let lease = 0; lease < 6; lease++) yield* all.withConnection(() => Effect.void)
        const series = yield* scrape
        for (const upstream of ["a", "b"]) {
          const labels = `pool="all",upstream="${upstream}"`
          assert.strictEqual(series.get(`db_pool_acquire_total{${labels}}`), 3)
          assert.strictEqual(series.get(`db_pool_acquire_duration_seconds_count{${labels}}`), 3)
          assert.isUndefined(series.get(`db_pool_acquire_total{pool="${upstream}"}`))
        }
        const { wait, waitsUpTo } = yield* all.stats
        assert.deepStrictEqual([wait.count, waitsUpTo.length, waitsUpTo.at(-1)], [6, PoolMetrics.boundaries.length, 6])
      }))
      const series = yield* scrape
      assert.strictEqual(series.get("db_pool_acquire_total{pool=\"a\"}"), 3)
      assert.isFalse(Array.from(series.keys()).some((name) => name.includes("\"all\"")))
    }).pipe(Effect.scoped, isolated))

  it.effect("tells the level, who waits by priority, and the busiest keys, with a bounded number of labels", () =>
    Effect.scoped(Effect.gen(function*() {
      const connect = () => Effect.succeed({})
      const pool = yield* ConnectionPool.make<object>({ connect }, { name: "app/Db", kind: db, minConnections: 0 })
      for (let key = 0; key < 40; key++) {
        for (let count = 0; count <= (key < 3 ? 2 : 0); count++) {
          yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { fairKey: `key ${key}` }))
        }
      }
      yield* Effect.yieldNow
      yield* pool.degrade(2)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* scrape
      const series = yield* scrape
      const valueOf = (name: string, labels: string) => series.get(`db_pool_${name}{${labels}}`)
      assert.strictEqual(valueOf("degradation_level", "pool=\"app/Db\""), 2)
      const ofKeys = Array.from(series.keys()).filter((name) => name.startsWith("db_pool_key_waiting_requests"))
      assert.strictEqual(ofKeys.length, 21)
      const waiting = ofKeys.reduce((sum, name) => sum + series.get(name)!, 0)
      const stats = yield* pool.stats
      assert.isAbove(waiting, 0)
      assert.strictEqual(waiting, stats.pending)
      assert.strictEqual(
        series.get("db_pool_priority_waiting_requests{pool=\"app/Db\",priority=\"normal\"}"),
        stats.pending
      )
      assert.strictEqual(series.get("db_pool_priority_refused_ratio{pool=\"app/Db\",priority=\"low\"}"), 0.95)
      yield* pool.clear()
      yield* scrape
      const left = Array.from(yield* scrape).filter(([name]) => name.startsWith("db_pool_key_leases"))
      assert.isTrue(left.every(([, leases]) => leases > 0), "only those that still hold connections")
      assert.strictEqual(left.reduce((sum, [, leases]) => sum + leases, 0), stats.used)
    })).pipe(isolated))
})
