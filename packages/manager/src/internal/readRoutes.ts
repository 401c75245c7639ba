/**
 * The routes that tell something and change nothing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Manager } from "../Manager.ts"
import type * as Api from "../MonitoringApi.ts"
import { type Feed, kept } from "./feed.ts"
import { readingOf } from "./fleet.ts"
import { healthOf } from "./healthAnswer.ts"
import { jsonWithList, large } from "./largeReply.ts"
import type { ManagedPool } from "./managedPool.ts"
import { prometheusText } from "./prometheusText.ts"
import { failure, json, securityHeaders } from "./reply.ts"
import { type Handler, type Route, route, withPool } from "./route.ts"
import { stopping } from "./stopping.ts"
import * as View from "./view.ts"

/** `isEnding`: whether the program that is told of is on its way out, though its pools may not drain yet. */
export const probes = (manager: Manager, isEnding: () => boolean): ReadonlyArray<Route> => [
  route("GET", "/live", "open", Effect.succeed(json({ live: true } satisfies Api.Live))),
  route(
    "GET",
    "/ready",
    "open",
    Effect.map(readPools(manager), (pools) => {
      const admitting = pools.filter(({ health, stats }) => stats.state === "open" && health.isServing)
      const body: Api.Ready = {
        ready: admitting.length === pools.length && !isEnding() && !stopping.isStopping,
        pools: pools.length,
        admitting: admitting.length
      }
      return json(body, body.ready ? 200 : 503)
    })
  ),
  route(
    "GET",
    "/health",
    "read",
    Effect.map(healthOf(manager), (body) => json(body, body.healthy ? 200 : 503))
  )
]

export const readRoutes = (manager: Manager, feed: Feed, actions: boolean): ReadonlyArray<Route> => [
  route("GET", "/metrics", "read", Effect.flatMap(prometheusText, (body) => large(body, prometheus))),
  route(
    "GET",
    "/pools",
    "read",
    Effect.gen(function*() {
      const { at, fleet } = yield* manager.stats
      const head: Omit<Api.Pools, "pools"> = { at, instance: feed.instance, actions, fleet }
      return yield* large(yield* jsonWithList(head, "pools", manager.pools, readPool), "application/json")
    })
  ),
  route("GET", "/pools/:name", "read", withPool(manager, (pool) => Effect.map(readPool(pool), json))),
  route(
    "GET",
    "/pools/:name/connections",
    "read",
    withPool(manager, (pool) =>
      Effect.gen(function*() {
        const connections = yield* pool.connections
        const at = yield* Clock.currentTimeMillis
        return json({ at, pool: pool.name, connections: connections.map(View.connection) } satisfies Api.Connections)
      }))
  ),
  route(
    "GET",
    "/history",
    "read",
    Effect.gen(function*() {
      const { range = "short", ...others } = yield* HttpServerRequest.ParsedSearchParams
      if (range !== "short" && range !== "long") return failure("bad-request", "range must be short or long")
      for (const name of Object.keys(others)) {
        return failure("bad-request", `${JSON.stringify(name)} is no parameter of /history, which has range`)
      }
      const pools = yield* range === "long" ? manager.longHistory : manager.history
      const at = yield* Clock.currentTimeMillis
      const { sampleInterval } = manager
      const head: Omit<Api.History, "pools"> = { at, instance: feed.instance, sampleInterval }
      return yield* large(yield* jsonWithList(head, "pools", pools, Effect.succeed), "application/json")
    })
  ),
  route(
    "GET",
    "/alerts",
    "read",
    Effect.gen(function*() {
      const alerts = yield* manager.alerts
      return json({ at: yield* Clock.currentTimeMillis, ...alerts } satisfies Api.Alerts)
    })
  ),
  route("GET", "/events", "read", events(feed))
]

const prometheus = "text/plain; version=0.0.4; charset=utf-8"

const readPool = (pool: ManagedPool): Effect.Effect<Api.Pool> =>
  Effect.gen(function*() {
    const { config, name } = pool
    const { health, stats } = yield* readingOf(pool)
    return {
      name,
      kind: config.kind,
      stats: View.stats(stats),
      health: View.health(health),
      config: View.config(config)
    }
  })

const readPools = ({ pools }: Manager): Effect.Effect<ReadonlyArray<Api.Pool>> => Effect.forEach(pools, readPool)

const events = (feed: Feed): Handler =>
  Effect.gen(function*() {
    if (feed.isFull) return failure("too-many-streams", "as many streams as are allowed are open already")
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    // A link may lead to the page from anywhere; a stream is nothing to look at, and each that is opened takes a place.
    if (headers["sec-fetch-site"] === "cross-site") {
      return failure("forbidden", "a stream is not opened from another origin")
    }
    const { last = "0", leases = "false", ...others } = yield* HttpServerRequest.ParsedSearchParams
    if (!(/^\d{1,4}$/.test(String(last)) && Number(last) <= kept)) {
      return failure("bad-request", `last must be an integer from 0 to ${kept}`)
    }
    if (leases !== "true" && leases !== "false") return failure("bad-request", "leases must be true or false")
    for (const name of Object.keys(others)) {
      return failure("bad-request", `${JSON.stringify(name)} is no parameter of /events, which has last and leases`)
    }
    const body = yield* feed.join({
      lastEventId: headers["last-event-id"],
      last: Number(last),
      leases: leases === "true"
    })
    return HttpServerResponse.stream(body, {
      contentType: "text/event-stream",
      // Proxies must neither keep nor collect it.
      headers: { ...securityHeaders, "cache-control": "no-store", "x-accel-buffering": "no" }
    })
  })
