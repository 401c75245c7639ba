/**
 * Everything that pools of classes with events could be asked, asked of pools that are services: each step says by which old
 * name it went. See docs/coming-from/the-first-design.md.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Traffic } from "@effect-pools/core"
import type { PoolEvent } from "@effect-pools/core"
import { ConnectionManager, Monitoring } from "@effect-pools/manager"
import { Console, Effect, Layer, Stream } from "effect"
import { HttpBody, HttpClientRequest } from "effect/http"
import { Cache, layer, PrimaryDb, Realtime, Sessions, size, VoiceApi } from "./Pools.ts"

/** The events that there were, by name. */
const seen = new Set<PoolEvent.PoolEvent["_tag"]>()

const database = Effect.gen(function*() {
  // warmup(count)
  yield* Console.log(`open: ${yield* PrimaryDb.warmUp(2)} of at most ${size.maxConnections}`)
  // query(sql, params), executeQuery
  yield* PrimaryDb.query`CREATE TABLE note (id int PRIMARY KEY, text text NOT NULL)`
  // query(sql, params, { timeout, retries, label, priority }), queue.enqueue
  yield* PrimaryDb.query((sql) => sql`INSERT INTO note VALUES (1, ${"hello"})`, {
    timeout: "5 seconds",
    retries: 2,
    label: "first note",
    priority: "high"
  })
  // executeTransaction, transaction(callback, { isolationLevel })
  yield* PrimaryDb.transaction((sql) => sql`UPDATE note SET text = ${"hello again"} WHERE id = 1`, {
    isolation: "serializable"
  })
  // acquire and release, getClient
  const rows = yield* PrimaryDb.withConnection((sql) => sql<{ text: string }>`SELECT text FROM note`)
  const other = yield* Effect.scoped(Effect.flatMap(PrimaryDb.acquire, (sql) => sql<{ n: number }>`SELECT 1 AS n`))
  yield* Console.log(`note: ${rows[0]?.text}, ${other[0]?.n}`)
  // Everything inside of an effect, whoever makes its statements.
  yield* PrimaryDb.query`SELECT 1`.pipe(Traffic.with({ priority: "low", fairKey: "reports" }))
  yield* Traffic.high(PrimaryDb.query`SELECT 1`)
  // queue.clear(reason)
  yield* Console.log(`cleared: ${yield* PrimaryDb.clear()}`)
})

const cache = Effect.gen(function*() {
  // set(key, value, ttl) with ttl in seconds
  yield* Cache.set("greeting", "hello", { ttl: { seconds: 60 } })
  yield* Cache.set("name", "Ada")
  const values = yield* Cache.mget(["greeting", "name"])
  // pipeline([{ command, args }])
  const results = yield* Cache.pipeline((redis) => [redis.get("greeting"), redis.del("name")])
  yield* Console.log(`cache: ${values.join(", ")}; ${yield* Cache.get("greeting")}; ${results.length} results`)
})

const http = Effect.gen(function*() {
  // get(url), post(url, data), request(method, url, options)
  const missing = yield* VoiceApi.get("/nothing")
  const body = HttpBody.uint8Array(new Uint8Array(16), "audio/ogg")
  const posted = yield* VoiceApi.post("/transcriptions", { body })
  const made = yield* VoiceApi.request(HttpClientRequest.head("/nothing"))
  yield* Console.log(`statuses: ${missing.status}, ${posted.status}, ${made.status}`)
})

const realtime = Effect.gen(function*() {
  // sendMessage, broadcast, on("websocket_message")
  yield* Realtime.send({ type: "said", text: "hello" })
  const sent = yield* Realtime.broadcast({ type: "said", text: "to everybody" })
  const heard = yield* Stream.runHead(Realtime.messages)
  yield* Console.log(
    `realtime: ${sent.length} told, heard ${heard._tag === "Some" ? heard.value.message.type : "none"}`
  )
  // on("websocket_error"): what happened between the messages
  yield* Stream.runHead(Realtime.inbound)
})

const resources = Effect.gen(function*() {
  // acquire, release
  const id = yield* Sessions.withConnection((session) => Effect.succeed(session.id))
  // totalCount, availableCount, inUseCount, getStats().pending
  const { idle, pending, total, used } = yield* Sessions.stats
  yield* Console.log(`session ${id}: ${total} in all, ${idle} idle, ${used} used, ${pending} wait`)
})

const numbers = Effect.gen(function*() {
  // getStats, getMetrics, queue.getQueueStats
  const { avgQueryTime, counts, lifetime, recent, traffic, wait } = yield* PrimaryDb.stats
  const acquired = counts.acquiredAtOnce + counts.acquiredAfterWaiting
  const released = counts.ended.success + counts.ended.failure
  yield* Console.log(`acquired ${acquired}, released ${released}, opened ${counts.opened}, closed ${counts.closed}`)
  const failed = counts.failedToOpen + counts.timedOut + counts.failedToValidate + counts.operations.failed
  const waiting = traffic.pending.high + traffic.pending.normal + traffic.pending.low
  yield* Console.log(`failed ${failed}, waiting ${waiting}, refused ${counts.refused}`)
  yield* Console.log(`timed: ${[wait.mean, avgQueryTime, lifetime.mean, recent.span].every(Number.isFinite)}`)
  // getHealth, getHealthStatus
  const { avgWaitTime, errorRate, status, utilization, warnings } = yield* PrimaryDb.health
  yield* Console.log(
    `health: ${status}, ${warnings.length} warnings, ${[avgWaitTime, errorRate, utilization].length} numbers`
  )
  // getConnections
  const [one] = yield* PrimaryDb.connections
  const told = [one?.id, one?.tags["processId"], one?.state, one?.age, one?.idleFor, one?.uses, one?.errors]
  yield* Console.log(
    `a connection: ${told.filter((fact) => fact !== undefined).length} facts, ${one?.activity ?? "at rest"}`
  )
})

const manager = Effect.gen(function*() {
  // getPool(name): mostly the class itself
  const found = yield* ConnectionManager.get("cache")
  // getAllMetrics, getAllHealth, getOverallHealthScore
  const { pools } = yield* ConnectionManager.stats
  const { score, status } = yield* ConnectionManager.health
  // generateAlerts
  const { current } = yield* ConnectionManager.alerts
  yield* Console.log(`${found.name} is one of ${pools.length}: ${status}, score ${score}, ${current.length} alerts`)
  // on("metrics_collected"), on("health_check_completed"), on("pool_unhealthy")
  const [metrics, healths] = [ConnectionManager.metrics, ConnectionManager.healthStream]
  yield* Console.log(`streams: ${[metrics, healths, ConnectionManager.healthChanges].filter(Stream.isStream).length}`)
  // startHealthCheck and GET /api/pool/health, createMetricsEndpoint
  const { url } = yield* Monitoring.Address
  const answers = yield* Effect.promise(() =>
    Promise.all(["health", "metrics"].map((path) => fetch(new URL(path, url))))
  )
  const [health = "", text = ""] = yield* Effect.promise(() => Promise.all(answers.map((answer) => answer.text())))
  const fields = ["healthy", "totalConnections", "availableConnections", "utilizationPercent", "avgResponseTimeMs"]
  yield* Console.log(
    `health says ${fields.filter((field) => health.includes(`"${field}"`)).length} of ${fields.length}`
  )
  yield* Console.log(`metrics: ${oldMetrics.filter((name) => text.includes(name)).length} of ${oldMetrics.length}`)
})

/** The names that dashboards have. */
const oldMetrics = [
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
  "db_pool_query_duration_seconds"
]

/** on("pool-event"), on("query_executed") and the like: one stream, and one tagged union. */
const watch = Stream.runForEach(
  PrimaryDb.eventsWith({ operations: true }),
  (event) => Effect.sync(() => void seen.add(event._tag))
)

const program = Effect.gen(function*() {
  yield* Effect.forkScoped(watch, { startImmediately: true })
  yield* Effect.all([database, cache, http, realtime, resources, numbers, manager], { discard: true })
  // drain, close, shutdown
  const { pools } = yield* ConnectionManager.drain()
  const { closed } = yield* PrimaryDb.drain
  yield* Console.log(`drained ${pools.length} pools, ${closed} connections of the database`)
  yield* Effect.sleep("20 millis")
  yield* Console.log(`events: ${Array.from(seen).toSorted().join(", ")}`)
})

const monitored = Monitoring.layer({ port: 0 }).pipe(Layer.provideMerge(layer))

program.pipe(Effect.scoped, Effect.provide(monitored), NodeRuntime.runMain)
