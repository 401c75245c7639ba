/**
 * The pools over HTTP: health and readiness for an orchestrator, metrics for Prometheus, numbers and events as JSON and
 * server-sent events, a dashboard, and, with a token, actions. What is sent is in `MonitoringApi`.
 *
 * ```ts
 * import { Monitoring } from "@effect-pools/manager"
 *
 * // On a server of its own, at http://127.0.0.1:9191/ ...
 * const own = Monitoring.layer()
 * // ... or as routes of yours, below /monitoring.
 * const routes = Monitoring.routes({ prefix: "/monitoring" })
 * ```
 *
 * @since 0.1.0
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import { ConnectionManager } from "./ConnectionManager.ts"
import { checkRoutes, checkServer } from "./internal/monitoringOptions.ts"
import { addRoutes } from "./internal/monitoringRoutes.ts"
import { listen } from "./internal/monitoringServer.ts"
import type { RoutesOptions, ServerOptions } from "./internal/monitoringModel.ts"

export type { RoutesOptions, ServerOptions } from "./internal/monitoringModel.ts"

/**
 * Where the server of its own listens.
 *
 * @category services
 * @since 0.1.0
 */
export class Address extends Context.Service<Address, {
  /** Such as `http://127.0.0.1:9191/`, with the prefix. */
  readonly url: string
}>()("@effect-pools/manager/Monitoring/Address") {}

/**
 * The routes for a server of yours. Fails with `InvalidOption`.
 *
 * A stream of events stays open: give your server a short `gracefulShutdownTimeout`.
 *
 * @category layers
 * @since 0.1.0
 */
export const routes = (
  options: RoutesOptions = {}
): Layer.Layer<never, PoolError, HttpRouter.HttpRouter | ConnectionManager> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const checked = yield* checkRoutes(options)
    yield* addRoutes(yield* HttpRouter.HttpRouter, yield* ConnectionManager, checked)
  }))

/**
 * A server of its own for the routes. Fails with `InvalidOption`, and with `ServeError` where the address is taken.
 *
 * It outlives its layer until the manager has drained the pools: `/ready` says 503 meanwhile, and `/events` tells how
 * the drain goes. Where the manager goes on without it, it is closed after the manager's `drainTimeout`, or by the next
 * server for the same manager.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: ServerOptions = {}
): Layer.Layer<Address, PoolError | ServeError, ConnectionManager> =>
  Layer.effect(Address, Effect.flatMap(checkServer(options), listen))

/**
 * `layer` with options read from `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<ServerOptions>
): Layer.Layer<Address, PoolError | ServeError | Config.ConfigError, ConnectionManager> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
