/**
 * One connection, or one transaction, for each HTTP request: taken when its handler begins, given back when the handler
 * ends, whatever becomes of the request. A client that leaves interrupts its handler, and the connection is back.
 *
 * It is given back before the answer is sent, so that a slow client holds none. A handler must therefore have read all
 * it needs: an answer whose body is streamed from the connection does not work.
 *
 * ```ts
 * import { ConnectionPool } from "@effect-pools/core"
 * import { PerRequest } from "@effect-pools/manager"
 * import { Context, Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * interface Sql {
 *   readonly query: (text: string) => Effect.Effect<ReadonlyArray<object>>
 * }
 *
 * class PrimaryDb extends ConnectionPool.Service<PrimaryDb, Sql>()("app/PrimaryDb") {}
 * class CurrentSql extends Context.Service<CurrentSql, Sql>()("app/CurrentSql") {}
 *
 * const users = HttpRouter.add("GET", "/users", Effect.gen(function*() {
 *   const sql = yield* CurrentSql
 *   return HttpServerResponse.jsonUnsafe(yield* sql.query("SELECT * FROM users"))
 * }))
 *
 * // Needs `PrimaryDb`, and nothing else.
 * const routes = users.pipe(Layer.provide(PerRequest.connection(PrimaryDb, CurrentSql).layer))
 * ```
 *
 * @since 0.1.0
 */
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import { PoolError } from "@effect-pools/core/PoolError"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { NoInfer, unhandled } from "effect/Types"
import { read, type TrafficHeaders } from "./internal/trafficHeaders.ts"

export type { TrafficHeaders } from "./internal/trafficHeaders.ts"

type Response = HttpServerResponse.HttpServerResponse

/**
 * Whatever a handler fails with.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerFailure {
  readonly HandlerFailure: unique symbol
}

/**
 * Runs a handler in a transaction, such as `(body) => PrimaryDb.transaction(body)`.
 *
 * @category models
 * @since 0.1.0
 */
export type Transaction<Lent, TE, TR> = (
  body: (connection: Lent) => Effect.Effect<HttpServerResponse.HttpServerResponse, HandlerFailure>
) => Effect.Effect<HttpServerResponse.HttpServerResponse, HandlerFailure | TE, TR>

/**
 * A middleware of `HttpRouter` that gives the handlers of its routes a service.
 *
 * @category models
 * @since 0.1.0
 */
export type Provides<I, E, R> = HttpRouter.Middleware<{
  provides: I
  handles: never
  error: E
  requires: never
  layerError: never
  layerRequires: R
}>

/**
 * A middleware that gives each handler a connection of the pool as a service. A request for which there is none is
 * answered with 503.
 *
 * @category middleware
 * @since 0.1.0
 */
export const connection = <Self, Lent, I>(
  pool: Context.Key<Self, ConnectionPool<Lent>>,
  service: Context.Key<I, NoInfer<Lent>>,
  options?: LeaseOptions
): Provides<I, never, Self> =>
  HttpRouter.middleware<{ provides: I }>()(
    Effect.map(pool, (pool) => withConnection(pool, service, options))
  ) as Provides<I, never, Self>

/**
 * A middleware that runs each handler in a transaction, and gives it the transaction's connection as a service.
 *
 * It is committed if the handler succeeds with a status below 400, and rolled back otherwise. A request for which there
 * is no connection is answered with 503.
 *
 * @category middleware
 * @since 0.1.0
 */
export const transaction = <Lent, TE, TR, I>(
  run: Transaction<Lent, TE, TR>,
  service: Context.Key<I, Lent>
): Provides<I, Exclude<TE, PoolError>, TR> =>
  HttpRouter.middleware<{ provides: I }>()(
    Effect.map(Effect.context<TR>(), (context) => {
      const inTransaction = withTransaction(run, service)
      return (handler: Handler<I>) =>
        // The request's own services come before those of the routes' making, its scope above all.
        // The compiler can't subtract from requirements that it does not know yet.
        // @effect-diagnostics-next-line unsafeEffectTypeAssertion:off
        Effect.updateContext(
          inTransaction(handler),
          (own: Context.Context<never>) => Context.merge(context, own)
        ) as Handler<never>
    })
  ) as unknown as Provides<I, Exclude<TE, PoolError>, TR>

/**
 * The traffic that a handler works for: the same for every request, or told by the request.
 *
 * @category models
 * @since 0.1.0
 */
export type TrafficOf =
  | Traffic.TrafficOptions
  | ((request: HttpServerRequest.HttpServerRequest) => Traffic.TrafficOptions)

/**
 * A middleware that says for the handlers of its routes who is served when they wait for connections: for a route as it is,
 * or by each request.
 *
 * ```ts
 * import { PerRequest } from "@effect-pools/manager"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const checkout = HttpRouter.add("POST", "/checkout", Effect.succeed(HttpServerResponse.empty()))
 * const reports = HttpRouter.add("GET", "/reports", Effect.succeed(HttpServerResponse.empty()))
 *
 * const routes = Layer.mergeAll(
 *   checkout.pipe(Layer.provide(PerRequest.traffic({ priority: "high", deadline: "800 millis" }).layer)),
 *   reports.pipe(Layer.provide(PerRequest.traffic(PerRequest.trafficHeaders({ fairKey: "x-tenant" })).layer))
 * )
 * ```
 *
 * Provide it after `connection` or `transaction`, so that it is around them and holds for their lease too.
 *
 * @category middleware
 * @since 0.1.0
 */
export const traffic = (say: TrafficOf): HttpRouter.Middleware<{
  provides: never
  handles: never
  error: never
  requires: never
  layerError: never
  layerRequires: never
}> => {
  // Apart from the type of the whole, which would narrow the handler's errors to none.
  const middleware = HttpRouter.middleware((handler) => withTraffic(say)(handler))
  return middleware
}

/**
 * Runs one handler for the traffic that is said: what `traffic` is made of, for a middleware of `HttpApi`.
 *
 * @category operations
 * @since 0.1.0
 */
export const withTraffic =
  (say: TrafficOf) =>
  <A, E, R>(handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | HttpServerRequest.HttpServerRequest> =>
    Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      (request) => Traffic.with(handler, typeof say === "function" ? say(request) : say)
    )

/**
 * Reads the traffic from headers of the request. A client could say of itself whatever it likes: name only headers that a
 * proxy or gateway of yours sets. What makes no sense is left out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const trafficHeaders =
  (names: TrafficHeaders) => ({ headers }: HttpServerRequest.HttpServerRequest): Traffic.TrafficOptions =>
    read(names, headers)

type Handler<R> = Effect.Effect<Response, unhandled, R>

/**
 * Runs one handler with a connection of a pool: what `connection` is made of, for a middleware of `HttpApi`.
 *
 * @category operations
 * @since 0.1.0
 */
export const withConnection = <Lent, I>(
  pool: ConnectionPool<Lent>,
  service: Context.Key<I, NoInfer<Lent>>,
  options?: LeaseOptions
) =>
<E, R>(handler: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, Exclude<R, I>> =>
  orUnavailable((started) =>
    pool.withConnection((lent) => {
      started()
      return Effect.provideService(handler, service, lent)
    }, options)
  )

/**
 * Runs one handler in a transaction: what `transaction` is made of, for a middleware of `HttpApi`.
 *
 * @category operations
 * @since 0.1.0
 */
export const withTransaction = <Lent, TE, TR, I>(
  run: Transaction<Lent, TE, TR>,
  service: Context.Key<I, Lent>
) =>
<E, R>(
  handler: Effect.Effect<Response, E, R>
): Effect.Effect<Response, E | Exclude<TE, PoolError>, Exclude<R, I> | TR> =>
  // The handler's failures and requirements pass through the transaction unseen.
  orUnavailable((started) =>
    run((lent) => {
      started()
      return Effect.filterOrFail(
        Effect.provideService(handler, service, lent),
        ({ status }) => status < 400,
        (response) => new RolledBack({ response })
      ) as unknown as Effect.Effect<Response, HandlerFailure>
    })
  ).pipe(
    Effect.catchIf((error): error is typeof error & RolledBack => error instanceof RolledBack, ({ response }) =>
      Effect.succeed(response))
  ) as unknown as Effect.Effect<Response, E | Exclude<TE, PoolError>, Exclude<R, I> | TR>

/** Carries an answer out of a transaction that must not be committed. */
class RolledBack extends Data.TaggedError("RolledBack")<{ readonly response: Response }> {}

/** Answers 503 if the pool gave no connection. A `PoolError` of the handler is the handler's own. */
const orUnavailable = <E, R>(
  run: (started: () => void) => Effect.Effect<Response, E | PoolError, R>
): Effect.Effect<Response, E, R> =>
  Effect.suspend(() => {
    let isStarted = false
    return Effect.catchIf(
      run(() => {
        isStarted = true
      }),
      (error): error is E & PoolError => error instanceof PoolError && !isStarted,
      (error) =>
        Effect.as(
          Effect.logWarning("a request got no connection", error.message),
          HttpServerResponse.empty({ status: 503, headers: { "retry-after": retryAfter(error) } })
        )
    ) as Effect.Effect<Response, E, R>
  })

/** In whole seconds, as the header wants it. */
const retryAfter = ({ reason }: PoolError): string =>
  String("retryAfter" in reason ? Math.max(1, Math.ceil(reason.retryAfter / 1000)) : 1)
