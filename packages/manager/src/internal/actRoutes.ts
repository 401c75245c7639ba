/**
 * The routes that change something: they exist where there is a token.
 */
import { PoolClosed, PoolError } from "@effect-pools/core/PoolError"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Manager } from "../Manager.ts"
import * as Api from "../MonitoringApi.ts"
import { maxBodyBytes } from "./guard.ts"
import type { ManagedPool } from "./managedPool.ts"
import { failure, json } from "./reply.ts"
import { type Route, route, withPool } from "./route.ts"
import * as View from "./view.ts"

type Response = HttpServerResponse.HttpServerResponse

export const actRoutes = (manager: Manager): ReadonlyArray<Route> => {
  const act = (method: Route["method"], action: string, path: Route["path"], run: Action): Route => {
    // Who changes a pool from outside must be found in the log.
    const logged = (pool: ManagedPool): Effect.Effect<void> =>
      Effect.annotateLogs(Effect.logInfo(`${pool.name}: ${action}, as asked over HTTP`), { pool: pool.name })
    return route(method, path, "act", withPool(manager, (pool) => Effect.andThen(logged(pool), run(pool))))
  }
  const post = (action: string, run: Action): Route => act("POST", action, `/pools/:name/${action}`, run)
  return [
    post("warm-up", warmUp),
    post("drain", drain),
    post("pause", simply("pause", ({ pause }) => pause)),
    post("resume", simply("resume", ({ resume }) => resume)),
    post("retire-all", simply("retire-all", ({ retireAll }) => retireAll)),
    act("DELETE", "retire a connection", "/pools/:name/connections/:id", retire)
  ]
}

type Action = (pool: ManagedPool) => Effect.Effect<Response, PoolError, HttpRouter.Provided>

const warmUp: Action = (pool) =>
  reading(Api.WarmUp, ({ count }) =>
    Effect.map(pool.warmUp(count), (open) => {
      const body: Api.WarmedUp = { action: "warm-up", pool: pool.name, open }
      return json(body)
    }))

const drain: Action = (pool) =>
  reading(Schema.Unknown, () =>
    Effect.map(pool.drain, (report) => {
      const body: Api.Drained = { action: "drain", pool: pool.name, report: View.drainReport(report) }
      return json(body)
    }))

const simply = (action: Api.Done["action"], run: (pool: ManagedPool) => Effect.Effect<void>): Action => (pool) =>
  reading(Schema.Unknown, () => Effect.andThen(stillServing(pool), Effect.as(run(pool), done(action, pool))))

/** A pool that drains takes no more orders and says nothing: whoever gave one over HTTP wants to know. */
const stillServing = (pool: ManagedPool): Effect.Effect<void, PoolError> =>
  Effect.flatMap(pool.stats, ({ state }) =>
    state === "draining" || state === "closed"
      ? Effect.fail(new PoolError({ pool: pool.name, reason: new PoolClosed({ state }) }))
      : Effect.void)

const retire: Action = (pool) =>
  Effect.gen(function*() {
    const { id = "" } = yield* HttpRouter.params
    const isRetired = /^\d{1,15}$/.test(id) && (yield* pool.retire(Number(id)))
    return isRetired
      ? done("retire", pool)
      : failure("not-found", `${pool.name} has no connection ${JSON.stringify(id)}, or it is being closed`)
  })

const done = (action: Api.Done["action"], { name }: ManagedPool): Response => {
  const body: Api.Done = { action, pool: name }
  return json(body)
}

/** Reads the body, if there is one, as JSON of this schema. */
const reading = <A>(
  schema: Schema.Codec<A, unknown>,
  f: (body: A) => Effect.Effect<Response, PoolError>
): Effect.Effect<Response, PoolError, HttpRouter.Provided> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = yield* request.text
    const decoded = Schema.decodeUnknownOption(Schema.fromJsonString(schema))(body === "" ? "{}" : body)
    return Option.isNone(decoded)
      ? failure("bad-request", "the body is not what it should be")
      : yield* f(decoded.value)
  }).pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
    Effect.catchIf(HttpServerError.isHttpServerError, (error) =>
      Effect.succeed(
        error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
          ? failure("body-too-large", `the body is larger than ${maxBodyBytes} bytes`)
          : failure("bad-request", "the body can't be read")
      ))
  )
