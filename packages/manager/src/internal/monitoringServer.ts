/**
 * A server of its own for the monitoring routes, with limits on everything that a client can make it wait for or keep.
 * The only file that knows `@effect/platform-node`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
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
  const server = NodeHttpServer.layerServer(() => nodeServer(options), {
    host: options.host,
    port: options.port,
    gracefulShutdownTimeout: "2 seconds"
  })
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

// Not for HEAD, which the router answers as it would GET.
const elsewhere = HttpRouter.addAll(
  (["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const).map((method) =>
    HttpRouter.route(method, "*", Effect.succeed(failure("not-found", "there is nothing here")))
  )
)

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
