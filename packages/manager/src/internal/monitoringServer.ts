/**
 * A server of its own for the monitoring routes, with limits on everything that a client can make it wait for or keep.
 * The only file that knows `@effect/platform-node`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { type HttpServerError, isHttpServerError, type RouteNotFound, ServeError } from "effect/http/HttpServerError"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { createServer, type Server } from "node:http"
import type { ConnectionManager } from "../ConnectionManager.ts"
import type { CheckedServer } from "./monitoringOptions.ts"
import { failure } from "./reply.ts"

type Routes = Layer.Layer<never, PoolError, ConnectionManager | HttpRouter.HttpRouter>

/** Serves routes until the layer is released, and gives their address. */
export const serve = (
  options: CheckedServer,
  routes: Routes
): Layer.Layer<HttpServer.HttpServer, PoolError | ServeError, ConnectionManager> => {
  const listening = NodeHttpServer.make(() => nodeServer(options), {
    host: options.host,
    port: options.port,
    gracefulShutdownTimeout: "2 seconds"
  })
  const server = Layer.effect(
    HttpServer.HttpServer,
    Effect.mapError(listening, ({ cause }) => new ListenError(options, cause))
  )
  return HttpRouter.serve(Layer.merge(routes, elsewhere), {
    disableLogger: true,
    disableListenLog: true,
    // The name of a pool may have 200 characters, each of up to 12 when encoded.
    routerConfig: { maxParamLength: 4096 }
  }).pipe(
    // A scrape every few seconds is not worth a trace.
    Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true)),
    Layer.provideMerge(server)
  )
}

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

const nodeServer = ({ headersTimeout, maxSockets, requestTimeout, routes }: CheckedServer): Server => {
  const server = createServer({
    headersTimeout,
    requestTimeout: Math.max(requestTimeout, headersTimeout),
    keepAliveTimeout: 5000,
    maxHeaderSize: 16 * 1024,
    // How often the two timeouts are looked at: 30 s by default.
    connectionsCheckingInterval: Math.min(1000, headersTimeout)
  })
  server.maxConnections = maxSockets
  // Cuts a client that does not read its answer. A stream is never silent for so long.
  server.timeout = Math.max(60_000, routes.heartbeat * 3)
  return server
}
