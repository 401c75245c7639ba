/**
 * A server of its own for the monitoring routes, with limits on everything that a client can make it wait for or keep.
 * The only file that knows `@effect/platform-node`.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { type HttpServerError, isHttpServerError, type RouteNotFound, ServeError } from "effect/http/HttpServerError"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Result from "effect/Result"
import { createServer, type Server } from "node:http"
import { createServer as createSecureServer } from "node:https"
import { ConnectionManager } from "../ConnectionManager.ts"
import type { Manager } from "../Manager.ts"
import type { Feed } from "./feed.ts"
import type { CheckedServer } from "./monitoringOptions.ts"
import { addRoutes } from "./monitoringRoutes.ts"
import { failure } from "./reply.ts"

/** Servers that wait for their manager to end, each with the way to close it now. */
const lingering = new WeakMap<Manager, Effect.Effect<void>>()

/** A server until the scope closes, and after that until the manager has drained its pools. Gives its address. */
export const listen = Effect.fnUntraced(function*(options: CheckedServer): Effect.fn.Return<
  { readonly url: string },
  PoolError | ServeError,
  ConnectionManager | Scope.Scope
> {
  const manager = yield* ConnectionManager
  yield* lingering.get(manager) ?? Effect.void
  let isEnding = false
  const open = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const { context, feed } = yield* Effect.onError(
      serve(options, manager, () => isEnding, scope),
      () => Scope.close(scope, Exit.void)
    )
    // The streams first: the server waits for its clients, and those of a stream don't leave by themselves.
    const close = Effect.andThen(Effect.sync(() => feed.end()), Scope.close(scope, Exit.void))
    return { address: Context.get(context, HttpServer.HttpServer).address, close }
  })
  const { address } = yield* Effect.acquireRelease(open, ({ close }) =>
    Effect.gen(function*() {
      isEnding = true
      lingering.set(manager, yield* manager.afterDrain(close))
    }))
  const scheme = options.tls === undefined ? "http" : "https"
  const url = `${HttpServer.formatAddress(address).replace(/^http/, scheme)}${options.routes.prefix}/`
  yield* Effect.logInfo(`monitoring at ${url}`)
  return { url }
})

/** Serves the routes until the scope closes. */
const serve = Effect.fnUntraced(function*(
  options: CheckedServer,
  manager: Manager,
  isEnding: () => boolean,
  scope: Scope.Scope
) {
  let feed: Feed | undefined
  const routes = Layer.effectDiscard(Effect.gen(function*() {
    feed = yield* addRoutes(yield* HttpRouter.HttpRouter, manager, options.routes, {
      isEnding,
      ownsAllPaths: true
    })
  }))
  const served = HttpRouter.serve(Layer.merge(routes, elsewhere), {
    disableLogger: true,
    disableListenLog: true,
    // The name of a pool may have 200 characters, each of up to 12 when encoded.
    routerConfig: { maxParamLength: 4096 }
  }).pipe(
    // A scrape every few seconds is not worth a trace.
    Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true)),
    Layer.provideMerge(Layer.effect(HttpServer.HttpServer, listening(options)))
  )
  const context = yield* Layer.buildWithScope(served, scope)
  return { context, feed: feed! }
})

/** How long answers under way get when the server closes; then every socket is cut, whatever its client holds up. */
const gracefulShutdownTimeout = "500 millis"

const listening = Effect.fnUntraced(function*(options: CheckedServer) {
  // Loaded when a server is wanted: a manager without one, or with routes on a server of the program's, does without it.
  const NodeHttpServer = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))
  const server = nodeServer(options)
  const made = yield* Effect.mapError(
    NodeHttpServer.make(() => server, { host: options.host, port: options.port, gracefulShutdownTimeout }),
    ({ cause }) => new ListenError(options, cause)
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  return made
})

/** Says where the server can't listen, which the error that it is does not. */
class ListenError extends ServeError {
  constructor({ host, port }: CheckedServer, cause: unknown) {
    super({ cause })
    const why = cause instanceof Error ? cause.message : "it is not said why"
    this.message = `Monitoring can't listen at ${host} on port ${port}: ${why}. Its options host and port say where; ` +
      "port 0 takes any that is free"
  }
}

const elsewhere = HttpRouter.middleware(
  (handler) =>
    Effect.catch(
      handler,
      (error) =>
        isRouteNotFound(error) ? Effect.succeed(nothingAt(error.reason.request.originalUrl)) : Effect.fail(error)
    ),
  { global: true }
)

const isRouteNotFound = (error: unknown): error is HttpServerError & { readonly reason: RouteNotFound } =>
  isHttpServerError(error) && error.reason._tag === "RouteNotFound"

const nothingAt = (url: string): HttpServerResponse =>
  isDecodable(url)
    ? failure("not-found", "there is nothing here")
    : failure("bad-request", "the path is not percent-encoded UTF-8")

const isDecodable = (url: string): boolean => Result.isSuccess(Result.try(() => decodeURI(url.replace(/[?#].*/s, ""))))

const nodeServer = ({ headersTimeout, maxSockets, requestTimeout, routes, tls }: CheckedServer): Server => {
  const options = {
    headersTimeout,
    requestTimeout: Math.max(requestTimeout, headersTimeout),
    keepAliveTimeout: 5000,
    maxHeaderSize: 16 * 1024,
    // How often the two timeouts are looked at: 30 s by default.
    connectionsCheckingInterval: Math.min(1000, headersTimeout)
  }
  const server = tls === undefined ? createServer(options) : createSecureServer({ ...options, ...tls })
  server.maxConnections = maxSockets
  // Cuts a client that does not read its answer. A stream is never silent for so long.
  server.timeout = Math.max(60_000, routes.heartbeat * 3)
  return server
}
