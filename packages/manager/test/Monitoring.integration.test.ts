import { NodeHttpServer } from "@effect/platform-node"
import { ConnectionPool, PoolError } from "@effect-pools/core"
import { ConnectionManager, Monitoring, MonitoringApi } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Deferred, Effect, Exit, Fiber, Layer, Logger, Metric, Redacted } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { spawnSync } from "node:child_process"
import { createServer, get } from "node:http"
import { gunzipSync } from "node:zlib"
import parsePrometheus from "parse-prometheus-text-format"
import { prometheusText } from "../src/internal/prometheusText.ts"
import {
  act,
  ask,
  bearer,
  Cache,
  Db,
  decode,
  isolated,
  managed,
  monitored,
  poolNamed,
  pools,
  token
} from "./support.ts"

const world = (
  options: Parameters<typeof pools>[0] = {},
  monitoring: Parameters<typeof monitored>[0] = {},
  base: Layer.Layer<never> = isolated
) => {
  const { layer, ...backends } = pools(options)
  return {
    ...backends,
    layer: monitored(monitoring).pipe(Layer.provideMerge(managed(layer)), Layer.provideMerge(base))
  }
}

/** Holds a connection of the pool until the scope closes. */
const hold = (pool: typeof Cache, options?: ConnectionPool.LeaseOptions) =>
  Effect.gen(function*() {
    const lent = yield* Deferred.make<void>()
    yield* Effect.forkScoped(
      pool.withConnection(() => Effect.andThen(Deferred.succeed(lent, undefined), Effect.never), options)
    )
    yield* Deferred.await(lent)
  })

const nasty = "x\"; drop\\ {a=\"b\"} <script>alert(1)</script> /?#%é"

/** `fetch` writes Host and Origin itself, and makes paths tidy. */
const raw = (path: string, headers: Record<string, string>, method = "GET") =>
  Effect.gen(function*() {
    const { hostname, pathname, port } = new URL((yield* Monitoring.Address).url)
    return yield* Effect.callback<number>((resume) => {
      const request = get({ hostname, port, path: `${pathname}${path}`, headers, method }, (response) => {
        response.resume()
        response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
      })
      request.on("error", (cause) => resume(Effect.die(cause)))
    })
  })

/** What is sent, as it is sent. */
const fetchRaw = (url: string, headers: Record<string, string>) =>
  new Promise<{ readonly body: Buffer; readonly encoding: string | undefined; readonly vary: string | undefined }>(
    (resolve, reject) => {
      get(url, { headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk) => chunks.push(chunk as Buffer))
        response.on("end", () =>
          resolve({
            body: Buffer.concat(chunks),
            encoding: response.headers["content-encoding"],
            vary: response.headers.vary
          }))
      }).on("error", reject)
    }
  )

/** The rules of `promtool check metrics` that names and types can break, for machines without it. */
const lint = (text: string): ReadonlyArray<string> => {
  const families = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = "", type = ""]) => ({ name, type }))
  const helps = new Set(Array.from(text.matchAll(/^# HELP (\S+) \S/gm), ([, name]) => name))
  const names = new Set<string>()
  return families.flatMap(({ name, type }) => {
    const found: Array<string> = []
    if (names.has(name)) found.push(`${name} comes twice`)
    names.add(name)
    if (!helps.has(name)) found.push(`${name} has no help text`)
    if (type === "counter" && !name.endsWith("_total")) found.push(`${name} is a counter without _total`)
    if (type !== "counter" && type !== "untyped" && name.endsWith("_total")) found.push(`${name} is a ${type}`)
    if (type === "gauge" && /_(count|sum|bucket)$/.test(name)) found.push(`${name} is a gauge`)
    if (new RegExp(`(^|_)(${type})(_|$)`).test(name)) found.push(`${name} includes its type`)
    if (/[A-Z]/.test(name) || name.includes("__")) found.push(`${name} is not in snake case`)
    return found
  })
}

/** What Prometheus' own linter says, where it is installed. */
const promtool = (text: string): ReadonlyArray<string> => {
  const { error, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
  return error === undefined ? `${stdout}${stderr}`.split("\n").filter((line) => line !== "") : []
}

describe("what the routes tell", () => {
  it.live("/pools and the connections are what the pools say", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      yield* hold(Cache, { label: "<script>alert(1)</script>\u001b[31m\r\nX" })
      const answer = yield* ask("pools")
      assert.strictEqual(answer.status, 200)
      const body = decode(MonitoringApi.Pools, answer)
      assert.deepStrictEqual(body.pools.map(({ kind, name }) => [name, kind]), [["app/Db", "db"], [
        "app/Cache",
        "redis"
      ]])
      assert.deepStrictEqual(body.pools.map(({ stats }) => [stats.used, stats.idle]), [[0, 1], [1, 0]])
      assert.deepStrictEqual(poolNamed(body, "app/Db").stats.counts, (yield* Db.stats).counts)
      const { fleet } = body
      assert.deepStrictEqual([fleet.used, fleet.idle, fleet.limit, fleet.acquired], [1, 1, 4, 2])
      assert.deepStrictEqual([poolNamed(body, "app/Db").config.maxUses, fleet.status], [null, "healthy"])
      const connections = yield* ask("pools/app%2FCache/connections")
      assert.deepStrictEqual(
        decode(MonitoringApi.Connections, connections).connections.map((
          { id, label, state, tags }
        ) => [id, state, label, tags]),
        [[1, "used", "<script>alert(1)</script> [31m  X", { fake: "1" }]]
      )
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("every answer has the shape of its schema", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const routes: ReadonlyArray<readonly [string, Parameters<typeof decode>[0]]> = [
        ["live", MonitoringApi.Live],
        ["ready", MonitoringApi.Ready],
        ["health", MonitoringApi.Health],
        ["pools", MonitoringApi.Pools],
        ["pools/app%2FDb", MonitoringApi.Pool],
        ["pools/app%2FDb/connections", MonitoringApi.Connections],
        ["alerts", MonitoringApi.Alerts],
        ["history", MonitoringApi.History]
      ]
      for (const [path, schema] of routes) {
        const answer = yield* ask(path)
        assert.strictEqual(answer.status, 200, path)
        assert.strictEqual(answer.headers.get("content-type"), "application/json", path)
        assert.strictEqual(answer.headers.get("cache-control"), "no-store", path)
        decode(schema, answer)
      }
    }).pipe(Effect.provide(layer))
  })

  it.live("/health is 200 while all is well and 503 when a pool is not, with the numbers", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const well = yield* ask("health")
      const healthy = decode(MonitoringApi.Health, well)
      assert.deepStrictEqual([well.status, healthy.status, healthy.score, healthy.warnings.length], [
        200,
        "healthy",
        100,
        0
      ])
      assert.deepStrictEqual([healthy.utilization, healthy.avgWaitTime, healthy.errorRate], [0, 0, 0])
      assert.match(healthy.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      yield* Cache.pause
      // One alone would be no rate.
      yield* Effect.replicateEffect(Effect.exit(Cache.withConnection(() => Effect.void)), 2)
      const paused = yield* ask("health")
      const degraded = decode(MonitoringApi.Health, paused)
      assert.deepStrictEqual([paused.status, degraded.status, degraded.errorRate], [503, "degraded", 1])
      assert.deepStrictEqual(degraded.warnings.map(({ about, pool }) => [pool, about]), [
        ["app/Cache", "closed"],
        ["app/Cache", "failures"]
      ])
      assert.deepStrictEqual(degraded.pools.map(({ name, status }) => [name, status]), [
        ["app/Db", "healthy"],
        ["app/Cache", "degraded"]
      ])
      yield* Db.drain
      const broken = yield* ask("health")
      assert.deepStrictEqual([broken.status, decode(MonitoringApi.Health, broken).status], [503, "unhealthy"])
    }).pipe(Effect.provide(layer))
  })

  it.live("/health has the numbers under the names of other pools as well, the connections and the queue too", () => {
    const { layer } = world({ db: { maxConnections: 1, pendingLimit: 5 }, cache: { pendingLimit: 7 } })
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.sleep("20 millis"))
      yield* Cache.withConnection(() => Effect.void)
      yield* Effect.forkScoped(Db.withConnection(() => Effect.never, { label: "the report" }), {
        startImmediately: true
      })
      yield* Effect.forkScoped(Effect.exit(Db.withConnection(() => Effect.void)), { startImmediately: true })
      const busy = decode(MonitoringApi.Health, yield* ask("health"))
      assert.deepStrictEqual(
        [
          busy.healthy,
          busy.totalConnections,
          busy.availableConnections,
          busy.utilizationPercent,
          busy.avgResponseTimeMs
        ],
        [false, 2, 1, busy.utilization, busy.avgQueryTime]
      )
      assert.deepStrictEqual(busy.warningTexts.length, busy.warnings.length)
      assert.match(
        busy.warningTexts[0]!,
        /^app\/Db: 1 of 1 connections are lent, which is above 90 %\. Nobody suffers yet/
      )
      const { avgAcquireTimeMs, avgHoldTimeMs, ...plain } = busy.stats.pool
      assert.deepStrictEqual(plain, {
        totalConnections: 2,
        idleConnections: 1,
        activeConnections: 1,
        waitingRequests: 1,
        acquiredCount: 3,
        releasedCount: 2,
        errorCount: 0,
        avgQueryTimeMs: 0
      })
      assert.isAbove(avgHoldTimeMs, 8)
      assert.isAtLeast(avgAcquireTimeMs, 0)
      assert.deepInclude(busy.stats.queue, { pending: 1, limit: 12 })
      assert.isAbove(busy.stats.queue.oldestWaiter, 0)
      assert.deepStrictEqual(busy.stats.connections.map(({ label, pool, state }) => [pool, state, label]), [
        ["app/Db", "used", "the report"],
        ["app/Cache", "idle", null]
      ])
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("/ready is 503 while a pool admits nobody, and /live never", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      assert.strictEqual((yield* ask("ready")).status, 200)
      yield* Db.pause
      const answer = yield* ask("ready")
      assert.strictEqual(answer.status, 503)
      assert.deepStrictEqual(decode(MonitoringApi.Ready, answer), { ready: false, pools: 2, admitting: 1 })
      yield* Db.drain
      assert.strictEqual((yield* ask("live")).status, 200)
    }).pipe(Effect.provide(layer))
  })

  it.live("/ready is 503 while a pool can serve nobody, and /health names the culprit first", () => {
    const { layer } = world({
      db: { maxConnections: 1, acquireTimeout: "200 millis", slowAcquireTimeout: "100 millis" }
    })
    return Effect.gen(function*() {
      yield* Effect.forkScoped(Db.withConnection(() => Effect.never, { label: "the report" }), {
        startImmediately: true
      })
      assert.strictEqual((yield* ask("ready")).status, 200)
      yield* Effect.exit(Db.withConnection(() => Effect.void))
      const answer = yield* ask("ready")
      assert.strictEqual(answer.status, 503)
      assert.deepStrictEqual(decode(MonitoringApi.Ready, answer), { ready: false, pools: 2, admitting: 1 })
      const { diagnoses, status, summary } = decode(MonitoringApi.Health, yield* ask("health"))
      assert.match(
        summary,
        /^app\/Db: the report holds 1 of 1 connections, the longest for .*Run fewer of them at once/
      )
      assert.deepStrictEqual(diagnoses.map(({ cause, level, pool }) => [pool, cause, level]), [
        ["app/Db", "oneHolder", "critical"]
      ])
      assert.strictEqual(status, "unhealthy")
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("HEAD asks the same without the answer", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const head = (path: string) => Effect.map(ask(path, { method: "HEAD" }), ({ body, status }) => [status, body])
      assert.deepStrictEqual(yield* head("health"), [200, ""])
      assert.deepStrictEqual(yield* head("nowhere"), [404, ""])
      // Nobody is left in a stream that was only asked after.
      assert.deepStrictEqual(yield* Effect.repeat(head("events"), { times: 60 }), [200, ""])
      yield* Db.pause
      assert.deepStrictEqual(yield* head("health"), [503, ""])
    }).pipe(Effect.provide(layer))
  })

  it.live("/metrics is what a Prometheus parser accepts, whatever a pool is called", () => {
    const { layer } = world({ db: { name: nasty } })
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      const answer = yield* ask("metrics")
      assert.strictEqual(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      const families = new Map(parsePrometheus(answer.body).map((family) => [family.name, family]))
      for (
        const name of [
          "db_pool_connections_total",
          "db_pool_connections_idle",
          "db_pool_connections_active",
          "db_pool_waiting_requests",
          "db_pool_utilization_percent",
          "db_pool_acquire_total",
          "db_pool_release_total",
          "db_pool_errors_total",
          "db_pool_timeouts_total",
          "db_pool_acquire_duration_seconds",
          "db_client_connection_count",
          "redis_pool_acquire_total"
        ]
      ) {
        assert.isTrue(families.has(name), name)
      }
      const acquired = families.get("db_pool_acquire_total")
      assert.deepStrictEqual([acquired?.type, acquired?.metrics[0]?.value], ["COUNTER", "1"])
      assert.deepStrictEqual(acquired?.metrics[0]?.labels, { pool: nasty })
      const waits = families.get("db_pool_acquire_duration_seconds")
      assert.deepStrictEqual([waits?.type, waits?.metrics[0]?.buckets?.["+Inf"]], ["HISTOGRAM", "1"])
    }).pipe(Effect.provide(layer))
  })

  it.live("/metrics keeps the rules of Prometheus: its own linter finds nothing, and our names are there as well", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      yield* Metric.update(Metric.frequency("app_answers", { description: "Answers, by kind" }), "yes")
      yield* Metric.update(Metric.counter("app_calls", { description: "Calls" }), 3)
      const { body } = yield* ask("metrics")
      assert.deepStrictEqual(lint(body), [])
      assert.deepStrictEqual(promtool(body), [])
      const types = new Map(Array.from(body.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name, type]) => [name, type]))
      assert.deepStrictEqual(
        [
          "db_pool_connections",
          "db_pool_connections_total",
          "db_client_connection_timeouts_total",
          "db_client_connection_timeouts",
          "db_client_connection_count",
          "app_answers_total",
          "app_calls_total"
        ].map((name) => [name, types.get(name)]),
        [
          ["db_pool_connections", "gauge"],
          ["db_pool_connections_total", "untyped"],
          ["db_client_connection_timeouts_total", "counter"],
          ["db_client_connection_timeouts", "untyped"],
          ["db_client_connection_count", "untyped"],
          ["app_answers_total", "counter"],
          ["app_calls_total", "counter"]
        ]
      )
      assert.include(body, "\ndb_pool_connections{pool=\"app/Db\"} 1\n")
      assert.include(body, "\napp_calls_total 3\n")
      assert.include(body, "\napp_calls 3\n")
    }).pipe(Effect.provide(layer))
  })

  it.live("what grows with the number of pools is written a piece at a time, and compressed for who takes that", () => {
    const fake = FakeConnector.make()
    const classes = Array.from(
      { length: 100 },
      (_, index) => class extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()(`many/${index}`) {}
    )
    const [first, ...rest] = classes.map((Pool) =>
      Pool.layer(fake.connector, { minConnections: 0, kind: { name: "db", isDatabase: true } })
    )
    return Effect.gen(function*() {
      const { url } = yield* Monitoring.Address
      for (const path of ["metrics", "pools", "history"]) {
        const sent = yield* Effect.promise(() => fetchRaw(`${url}${path}`, { "accept-encoding": "gzip" }))
        assert.strictEqual(sent.encoding, "gzip", path)
        const plain = yield* Effect.promise(() => fetchRaw(`${url}${path}`, { "accept-encoding": "gzip;q=0, br" }))
        assert.isUndefined(plain.encoding, path)
        assert.isBelow(sent.body.length * 4, plain.body.length, path)
        assert.strictEqual(plain.vary, "accept-encoding")
        if (path === "metrics") assert.deepStrictEqual(lint(gunzipSync(sent.body).toString()), [])
        else JSON.parse(gunzipSync(sent.body).toString())
      }
      // While a scrape is written others get their turn, many times.
      let turns = 0
      const turning = yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(Effect.sync(() => void turns++), Effect.yieldNow))
      )
      yield* prometheusText
      assert.isAbove(turns, 20)
      yield* Fiber.interrupt(turning)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        monitored().pipe(
          Layer.provideMerge(ConnectionManager.layer({ pools: classes })),
          Layer.provideMerge(Layer.mergeAll(first!, ...rest)),
          Layer.provideMerge(isolated)
        )
      )
    )
  })

  it.live("a pool is found by its encoded name, and an unknown one is not", () => {
    const { layer } = world({ db: { name: nasty } })
    return Effect.gen(function*() {
      const answer = yield* ask(`pools/${encodeURIComponent(nasty)}`)
      assert.strictEqual(decode(MonitoringApi.Pool, answer).name, nasty)
      const unknown = yield* ask(`pools/${encodeURIComponent("nobody\r\n<b>\u001b[2J")}/connections`)
      assert.strictEqual(unknown.status, 404)
      assert.deepStrictEqual(decode(MonitoringApi.Failure, unknown), {
        error: "not-found",
        message: "no pool is called \"nobody\\r\\n<b>\\u001b[2J\""
      })
    }).pipe(Effect.provide(layer))
  })

  it.live("a name of the greatest length is found", () => {
    const name = "é".repeat(200)
    const { layer } = world({ db: { name } })
    return Effect.gen(function*() {
      assert.strictEqual(decode(MonitoringApi.Pool, yield* ask(`pools/${encodeURIComponent(name)}`)).name, name)
    }).pipe(Effect.provide(layer))
  })

  it.live("a thousand pools are told and drained", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const classes = Array.from({ length: 1000 }, (_, index) =>
        class extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()(`many/${index}`) {})
      const layers = classes.map((Pool) =>
        Pool.layer(fake.connector, { minConnections: 1, maxConnections: 2, kind: { name: "db" } })
      )
      const [first, ...rest] = layers
      const all = Layer.mergeAll(first!, ...rest)
      const layer = monitored().pipe(
        Layer.provideMerge(ConnectionManager.layer({ pools: classes })),
        Layer.provideMerge(all),
        Layer.provideMerge(isolated)
      )
      yield* Effect.gen(function*() {
        const { fleet, pools } = decode(MonitoringApi.Pools, yield* ask("pools"))
        assert.deepStrictEqual([pools.length, fleet.pools.total, fleet.idle], [1000, 1000, 1000])
        assert.strictEqual((yield* ask("health")).status, 200)
        yield* Effect.sleep("2500 millis")
        const { pools: history } = decode(MonitoringApi.History, yield* ask("history"))
        assert.isTrue(history.every(({ samples }) =>
          samples.length > 0
        ))
        assert.strictEqual(fake.opened, 1000)
      }).pipe(Effect.provide(layer))
      assert.strictEqual(fake.leaked, 0)
    }))
})

describe("actions", () => {
  it.live("change the pool and tell what they did", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const at = (action: string) => `pools/app%2FDb/${action}`
      const warm = yield* act(at("warm-up"), "POST", JSON.stringify({ count: 2 }))
      assert.deepStrictEqual(decode(MonitoringApi.WarmedUp, warm), { action: "warm-up", pool: "app/Db", open: 2 })
      assert.strictEqual(decode(MonitoringApi.WarmedUp, yield* act(at("warm-up"))).open, 2)
      assert.deepStrictEqual(decode(MonitoringApi.Done, yield* act(at("pause"))), { action: "pause", pool: "app/Db" })
      assert.strictEqual((yield* Db.stats).state, "paused")
      assert.strictEqual((yield* act(at("resume"))).status, 200)
      assert.strictEqual((yield* Db.stats).state, "open")
      assert.strictEqual((yield* act(at("connections/1"), "DELETE")).status, 200)
      assert.strictEqual((yield* Db.stats).counts.retired.invalidated, 1)
      assert.strictEqual((yield* act(at("retire-all"))).status, 200)
      assert.strictEqual((yield* Db.stats).counts.retired.superseded, 1)
      const drained = decode(MonitoringApi.Drained, yield* act(at("drain")))
      assert.deepStrictEqual([drained.action, drained.report.abandoned], ["drain", []])
      assert.strictEqual((yield* Db.stats).state, "closed")
      for (const action of ["warm-up", "pause", "resume", "retire-all"]) {
        const late = yield* act(at(action))
        assert.deepStrictEqual([late.status, decode(MonitoringApi.Failure, late).error], [409, "conflict"], action)
      }
    }).pipe(Effect.provide(layer))
  })

  it.live("of what is unknown are 404 and do nothing", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      for (const id of ["2", "0", "-1", "1e0", "0x1", "1%20", "99999999999999999999", "1%3Bdrop"]) {
        const answer = yield* act(`pools/app%2FDb/connections/${id}`, "DELETE")
        assert.deepStrictEqual([answer.status, decode(MonitoringApi.Failure, answer).error], [404, "not-found"], id)
      }
      assert.strictEqual((yield* act("pools/nobody/drain")).status, 404)
      assert.strictEqual((yield* act("pools/app%2FDb/explode")).status, 404)
      const { counts, state, total } = yield* Db.stats
      assert.deepStrictEqual([state, total, counts.closed], ["open", 1, 0])
    }).pipe(Effect.provide(layer))
  })

  it.live("are finished without the client, and found in the log", () => {
    const logs: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void logs.push(String(message)))])
    const { layer } = world({ cache: { drainTimeout: "300 millis" } }, {}, Layer.merge(isolated, logger))
    return Effect.gen(function*() {
      yield* hold(Cache)
      const leave = yield* Effect.forkScoped(act("pools/app%2FCache/drain"))
      yield* Effect.repeat(Effect.delay(Cache.stats, "5 millis"), { until: ({ state }) => state === "draining" })
      yield* Fiber.interrupt(leave)
      yield* Effect.repeat(Effect.delay(Cache.stats, "5 millis"), { until: ({ state }) => state === "closed" })
      assert.include(logs, "app/Cache: drain, as asked over HTTP by 127.0.0.1")
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("with a body that is not what it should be are 400", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      for (const body of ["{", "[]", "{\"count\":-1}", "{\"count\":\"2\"}", "{\"count\":1e9}"]) {
        const answer = yield* act("pools/app%2FDb/warm-up", "POST", body)
        assert.deepStrictEqual([answer.status, decode(MonitoringApi.Failure, answer).error], [400, "bad-request"], body)
      }
      assert.strictEqual((yield* Db.stats).total, 0)
    }).pipe(Effect.provide(layer))
  })

  const all: ReadonlyArray<readonly ["POST" | "DELETE", string]> = [
    ["POST", "warm-up"],
    ["POST", "drain"],
    ["POST", "pause"],
    ["POST", "resume"],
    ["POST", "retire-all"],
    ["DELETE", "connections/1"]
  ]

  it.live("need the token, the whole token and nothing but the token", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const wrong = [
        undefined,
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${token}x`,
        `Bearer ${token.slice(0, -1)}`,
        token,
        `Basic ${token}`,
        "Bearer undefined"
      ]
      for (const [method, action] of all) {
        for (const authorization of wrong) {
          const answer = yield* ask(`pools/app%2FDb/${action}`, {
            method,
            headers: authorization === undefined ? {} : { authorization }
          })
          assert.deepStrictEqual([answer.status, answer.headers.get("www-authenticate")], [401, "Bearer"])
          assert.strictEqual(decode(MonitoringApi.Failure, answer).error, "unauthorized")
          assert.notInclude(answer.body, token)
        }
      }
      const { state, total } = yield* Db.stats
      assert.deepStrictEqual([state, total], ["open", 0])
    }).pipe(Effect.provide(layer))
  })

  it.live("do not exist without a token", () => {
    const { layer } = world({}, { token: undefined })
    return Effect.gen(function*() {
      for (const [method, action] of all) {
        assert.strictEqual((yield* act(`pools/app%2FDb/${action}`, method)).status, 404)
      }
      assert.strictEqual(decode(MonitoringApi.Pools, yield* ask("pools")).actions, false)
      assert.strictEqual((yield* Db.stats).state, "open")
    }).pipe(Effect.provide(layer))
  })

  it.live("are never done by GET", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      const before = yield* Db.stats
      for (const [, action] of all) {
        assert.strictEqual((yield* ask(`pools/app%2FDb/${action}`, { headers: bearer })).status, 405)
      }
      const { counts, state } = yield* Db.stats
      assert.deepStrictEqual([state, counts], [before.state, before.counts])
    }).pipe(Effect.provide(layer))
  })
})

describe("who may ask", () => {
  it.live("a name that may be rebound is refused, addresses and localhost are not", () => {
    const { layer } = world({}, { hosts: ["monitor.internal"] })
    return Effect.gen(function*() {
      for (
        const host of ["localhost", "LOCALHOST:80", "127.0.0.1:9191", "[::1]:80", "10.1.2.3", "monitor.internal:8080"]
      ) {
        assert.strictEqual(yield* raw("pools", { host }), 200, host)
      }
      for (
        const host of [
          "evil.example",
          "evil.example:80",
          "localhost.evil.example",
          "127.0.0.1.evil.example",
          "x@127.0.0.1"
        ]
      ) {
        assert.strictEqual(yield* raw("pools", { host }), 403, host)
        assert.strictEqual(yield* raw("live", { host }), 403, host)
      }
    }).pipe(Effect.provide(layer))
  })

  it.live("another origin is refused, even with the token", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const host = "localhost:1234"
      const pause = "pools/app%2FDb/pause"
      for (
        const origin of [
          "https://evil.example",
          "null",
          "http://localhost",
          "http://localhost:12345",
          "ftp://localhost:1234"
        ]
      ) {
        assert.strictEqual(yield* raw("pools", { host, origin }), 403, origin)
        assert.strictEqual(yield* raw(pause, { host, origin, ...bearer }, "POST"), 403, origin)
      }
      assert.strictEqual(yield* raw(pause, { host, "sec-fetch-site": "cross-site", ...bearer }, "POST"), 403)
      // Whoever follows a link may come.
      assert.strictEqual(
        yield* raw("pools", { host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }),
        200
      )
      assert.strictEqual((yield* Db.stats).state, "open")
      assert.strictEqual(yield* raw(pause, { host, origin: "http://localhost:1234", ...bearer }, "POST"), 200)
    }).pipe(Effect.provide(layer))
  })

  it.live("a path that is not percent-encoded UTF-8 is a bad request", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      for (const path of ["pools/%E0%A4%A", "pools/100%", "pools/%zz/connections?last=1", "%"]) {
        const answer = yield* ask(path)
        const { error, message } = decode(MonitoringApi.Failure, answer)
        assert.deepStrictEqual([answer.status, error], [400, "bad-request"], path)
        assert.match(message, /percent-encoded/)
      }
      assert.strictEqual((yield* act("pools/%/pause")).status, 400)
      assert.strictEqual((yield* ask("nowhere?%")).status, 404)
    }).pipe(Effect.provide(layer))
  })

  it.live("a path is what it says: nothing is read into it or cut off", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const host = "localhost"
      yield* Db.withConnection(() => Effect.void)
      assert.strictEqual(yield* raw("pools/app%2FDb/connections/1;x", { host, ...bearer }, "DELETE"), 400)
      assert.strictEqual(yield* raw("pools/app%2FDb;x/pause", { host, ...bearer }, "POST"), 400)
      assert.strictEqual(yield* raw("pools/app/Db", { host }), 404)
      assert.strictEqual(yield* raw("pools/x/../app%2FDb", { host }), 404)
      const override = { host, "x-http-method-override": "POST", ...bearer }
      assert.strictEqual(yield* raw("pools/app%2FDb/pause", override), 405)
      assert.deepStrictEqual([(yield* Db.stats).state, (yield* Db.stats).total], ["open", 1])
      for (const page of ["", "/", "?x=/", "/?x"]) assert.strictEqual(yield* raw(page, { host }), 200, `/${page}`)
    }).pipe(Effect.provide(layer))
  })

  it.live("everybody may read on loopback, and nobody without the token where it is asked for", () => {
    const { layer } = world({}, { reading: "token" })
    return Effect.gen(function*() {
      for (
        const path of [
          "pools",
          "pools/app%2FDb",
          "pools/app%2FDb/connections",
          "health",
          "metrics",
          "alerts",
          "history",
          "events"
        ]
      ) {
        assert.strictEqual((yield* ask(path)).status, 401, path)
        if (path !== "events") assert.strictEqual((yield* ask(path, { headers: bearer })).status, 200, path)
      }
      assert.deepStrictEqual([(yield* ask("live")).status, (yield* ask("ready")).status], [200, 200])
    }).pipe(Effect.provide(layer))
  })

  it.live("answers can't be framed, sniffed or scripted", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      for (const path of ["", "pools", "health", "metrics", "pools/nobody", "nowhere"]) {
        const { headers } = yield* ask(path)
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff", path)
        assert.strictEqual(headers.get("x-frame-options"), "DENY", path)
        assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'.*frame-ancestors 'none'/, path)
        assert.isNull(headers.get("access-control-allow-origin"), path)
      }
      assert.match((yield* ask("")).headers.get("content-type") ?? "", /^text\/html/)
    }).pipe(Effect.provide(layer))
  })
})

describe("where it listens", () => {
  it.live("an address that is taken is an error", () => {
    const { layer } = world()
    return Effect.gen(function*() {
      const port = Number(new URL((yield* Monitoring.Address).url).port)
      const second = Layer.build(Monitoring.layer({ port }))
      const error = yield* Effect.flip(Effect.scoped(second))
      assert.strictEqual(error._tag, "ServeError")
      assert.include(error.message, `Monitoring can't listen at 127.0.0.1 on port ${port}: listen EADDRINUSE`)
      assert.match(error.message, /options host and port/)
      // What a program that fails with it prints.
      assert.include(Cause.pretty(Cause.fail(error)), error.message)
    }).pipe(Effect.provide(layer))
  })

  const failureOf = (options: Monitoring.ServerOptions) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.scoped(
          Layer.build(
            Monitoring.layer(options).pipe(Layer.provide(managed(pools().layer)), Layer.provide(isolated))
          )
        )
      )
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      if (!(error instanceof PoolError.PoolError)) throw new Error("not refused", { cause: error })
      if (!(error.reason instanceof PoolError.InvalidOption)) throw error
      return error.reason
    })

  it.live.each<readonly [Record<string, unknown>, string, RegExp]>([
    [{ host: "0.0.0.0" }, "host", /can be reached from elsewhere/],
    [{ host: "::" }, "host", /can be reached from elsewhere/],
    [{ host: "0.0.0.0", isExposed: false }, "host", /can be reached from elsewhere/],
    [{ host: "db.example" }, "host", /an IP address or localhost/],
    [{ host: "0.0.0.0", token: Redacted.make("a-token-for-the-tests") }, "host", /the token would travel unencrypted/],
    [{ isUnencrypted: true }, "isUnencrypted", /has no effect where no token travels unencrypted/],
    [{ tls: { cert: "", key: Redacted.make("a-token-for-the-tests") } }, "tls", /a certificate as cert \(PEM\)/],
    [{ tls: { cert: "none", key: Redacted.make("a-token-for-the-tests") } }, "tls", /can't be used: /],
    [{ isExposed: true }, "isExposed", /has no effect where host is 127.0.0.1/],
    [{ token: "a-token-for-the-tests" }, "token", /Redacted/],
    [{ token: Redacted.make("short") }, "token", /at least 16/],
    [{ reading: "token" }, "reading", /where no token is given/],
    [{ reading: "all" }, "reading", /"open" or "token"/],
    [{ port: 65_536 }, "port", /from 0 to 65535/],
    [{ prefix: "monitoring" }, "prefix", /a path/],
    [{ prefix: "/a/:b" }, "prefix", /a path/],
    [{ hosts: ["http://a"] }, "hosts", /host names/],
    [{ heartbeat: 1 }, "heartbeat", /from 100 ms/],
    [{ streams: 0 }, "streams", /from 1/],
    [{ streamBuffer: 10 }, "streamBuffer", /from 1024/],
    [{ headersTimeout: 0 }, "headersTimeout", /from 100 ms/],
    [{ requestTimeout: "1 hour" }, "requestTimeout", /to 10 minutes/],
    [{ maxSockets: 0 }, "maxSockets", /from 1/],
    [{ dashboard: "no" }, "dashboard", /true or false/],
    [{ cors: true }, "cors", /is not an option/]
  ])("refuses %o", ([options, option, rule]) =>
    Effect.map(failureOf(options), (refusal) => {
      assert.strictEqual(refusal.option, option)
      assert.match(refusal.rule, rule)
      assert.notInclude(refusal.message, "a-token-for-the-tests")
    }))

  const elsewhere = (options: Monitoring.ServerOptions) => {
    const { layer } = world({}, { host: "0.0.0.0", ...options })
    return Effect.gen(function*() {
      return [(yield* ask("pools")).status, (yield* ask("pools", { headers: bearer })).status]
    }).pipe(Effect.provide(layer))
  }

  it.live("elsewhere than on loopback reading needs the token, unless it is exposed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* elsewhere({ isUnencrypted: true }), [401, 200])
      assert.deepStrictEqual(yield* elsewhere({ isUnencrypted: true, isExposed: true }), [200, 200])
      assert.deepStrictEqual(yield* elsewhere({ isExposed: true, token: undefined }), [200, 200])
      assert.deepStrictEqual(yield* elsewhere({ isUnencrypted: true, reading: "open" }), [200, 200])
    }))

  it.live("below a prefix everything is where it was, and nothing beside it", () => {
    const { layer } = world({}, { prefix: "/ops/pools" })
    return Effect.gen(function*() {
      const { url } = yield* Monitoring.Address
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/ops\/pools\/$/)
      assert.strictEqual((yield* ask("health")).status, 200)
      assert.strictEqual((yield* ask("/health")).status, 404)
      assert.strictEqual(decode(MonitoringApi.Pool, yield* ask("pools/app%2FDb")).name, "app/Db")
      const moved = yield* ask("/ops/pools")
      assert.deepStrictEqual([moved.status, moved.headers.get("location")], [308, "/ops/pools/"])
    }).pipe(Effect.provide(layer))
  })

  it.live("the routes go beside those of a server of one's own", () => {
    const own = Layer.mergeAll(
      HttpRouter.add("GET", "/", Effect.succeed(HttpServerResponse.text("own page"))),
      HttpRouter.add("GET", "/health", Effect.succeed(HttpServerResponse.text("own health"))),
      Monitoring.routes({ prefix: "/monitoring" })
    )
    const address = Layer.effect(
      Monitoring.Address,
      Effect.map(HttpServer.HttpServer, ({ address }) => ({ url: HttpServer.formatAddress(address) }))
    )
    const layer = address.pipe(
      Layer.provide(HttpRouter.serve(own, { disableLogger: true, disableListenLog: true })),
      Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      Layer.provideMerge(managed(pools().layer)),
      Layer.provideMerge(isolated)
    )
    return Effect.gen(function*() {
      assert.strictEqual((yield* ask("/")).body, "own page")
      assert.strictEqual((yield* ask("/health")).body, "own health")
      assert.strictEqual(decode(MonitoringApi.Health, yield* ask("/monitoring/health")).status, "healthy")
      assert.strictEqual(decode(MonitoringApi.Pool, yield* ask("/monitoring/pools/app%2FDb")).name, "app/Db")
      assert.match((yield* ask("/monitoring/")).headers.get("content-type") ?? "", /^text\/html/)
      assert.strictEqual((yield* ask("/monitoring/pools/app%2FDb/pause", { method: "POST" })).status, 404)
    }).pipe(Effect.provide(layer))
  })

  it.live("without the dashboard there is no page", () => {
    const { layer } = world({}, { dashboard: false })
    return Effect.gen(function*() {
      const answer = yield* ask("")
      assert.deepStrictEqual([answer.status, answer.headers.get("content-type")], [404, "application/json"])
    }).pipe(Effect.provide(layer))
  })

  it.live("options are read from Config", () => {
    const layer = Monitoring.layerConfig({
      port: Config.Int("MONITORING_PORT"),
      token: Config.Redacted("MONITORING_TOKEN")
    }).pipe(
      Layer.provideMerge(managed(pools().layer)),
      Layer.provideMerge(isolated),
      Layer.provide(
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ MONITORING_PORT: "0", MONITORING_TOKEN: token }))
      )
    )
    return Effect.gen(function*() {
      assert.strictEqual((yield* act("pools/app%2FDb/pause")).status, 200)
    }).pipe(Effect.provide(layer))
  })
})
