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
import { clientOf, maxBodyBytes } from "./guard.ts"
import type { ManagedPool } from "./managedPool.ts"
import { patiently } from "./patient.ts"
import { failure, json } from "./reply.ts"
import { type Route, route, withPool } from "./route.ts"
import { oneLine } from "./text.ts"
import * as View from "./view.ts"

type Response = HttpServerResponse.HttpServerResponse

export interface ActOptions {
  /** ms after which an answer that is not there yet begins with a sign of life. */
  readonly heartbeat: number
  /** Told of each action that is carried out, before it is. */
  readonly onAction: (deed: Omit<Api.Acted, "_tag" | "at">) => void
}

export const actRoutes = (manager: Manager, { heartbeat, onAction }: ActOptions): ReadonlyArray<Route> => {
  const act = (method: Route["method"], action: string, path: Route["path"], run: Action): Route =>
    route(method, path, "act", withPool(manager, (pool) => run(pool, audit(action, pool, onAction))))
  const post = (action: string, run: Action): Route => act("POST", action, `/pools/:name/${action}`, run)
  return [
    post("warm-up", warmUp(heartbeat)),
    post("drain", drain(heartbeat)),
    post("pause", simply("pause", ({ pause }) => pause)),
    post("resume", simply("resume", ({ resume }) => resume)),
    post("retire-all", simply("retire-all", ({ retireAll }) => retireAll)),
    act("DELETE", "retire", "/pools/:name/connections/:id", retire)
  ]
}

/** Tells of an action once nothing speaks against it any more. */
type Audit = Effect.Effect<void, never, HttpRouter.Provided>
type Action = (pool: ManagedPool, audit: Audit) => Effect.Effect<Response, PoolError, HttpRouter.Provided>

/** A caller that changes a pool from outside must be found: in the log, and by who listens to the events. */
const audit = (action: string, { name }: ManagedPool, onAction: ActOptions["onAction"]): Audit =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const client = clientOf(request)
    const forwarded = request.headers["x-forwarded-for"]
    const forwardedFor = forwarded === undefined ? null : oneLine(forwarded)
    onAction({ pool: name, action, client, forwardedFor })
    yield* Effect.annotateLogs(Effect.logInfo(`${name}: ${action}, as asked over HTTP by ${client}`), {
      pool: name,
      action,
      client,
      ...(forwardedFor === null ? {} : { forwardedFor })
    })
  })

const warmUp = (heartbeat: number): Action => (pool, audit) =>
  reading(Api.WarmUp, ({ count }) =>
    Effect.gen(function*() {
      yield* stillServing(pool)
      yield* audit
      const work = Effect.map(
        pool.warmUp(count),
        (open): Api.WarmedUp => ({ action: "warm-up", pool: pool.name, open })
      )
      return yield* patiently(work, heartbeat)
    }))

const drain = (heartbeat: number): Action => (pool, audit) =>
  reading(Schema.Unknown, () =>
    Effect.gen(function*() {
      yield* audit
      const work = Effect.map(pool.drain, (report): Api.Drained => {
        return { action: "drain", pool: pool.name, report: View.drainReport(report) }
      })
      return yield* patiently(work, heartbeat)
    }))

const simply = (action: Api.Done["action"], run: (pool: ManagedPool) => Effect.Effect<void>): Action => (pool, audit) =>
  reading(Schema.Unknown, () =>
    Effect.gen(function*() {
      yield* stillServing(pool)
      yield* audit
      yield* run(pool)
      return done(action, pool)
    }))

/** A pool that drains takes no more orders and says nothing: whoever gave one over HTTP wants to know. */
const stillServing = (pool: ManagedPool): Effect.Effect<void, PoolError> =>
  Effect.flatMap(pool.stats, ({ state }) =>
    state === "draining" || state === "closed"
      ? Effect.fail(new PoolError({ pool: pool.name, reason: new PoolClosed({ state }) }))
      : Effect.void)

const retire: Action = (pool, audit) =>
  Effect.gen(function*() {
    const { id = "" } = yield* HttpRouter.params
    const isRetired = /^\d{1,15}$/.test(id) && (yield* pool.retire(Number(id)))
    if (!isRetired) {
      return failure("not-found", `${pool.name} has no connection ${JSON.stringify(id)}, or it is being closed`)
    }
    yield* audit
    return done("retire", pool)
  })

const done = (action: Api.Done["action"], { name }: ManagedPool): Response => {
  const body: Api.Done = { action, pool: name }
  return json(body)
}

/** Reads the body, if there is one, as JSON of this schema. */
const reading = <A>(
  schema: Schema.Codec<A, unknown>,
  f: (body: A) => Effect.Effect<Response, PoolError, HttpRouter.Provided>
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
