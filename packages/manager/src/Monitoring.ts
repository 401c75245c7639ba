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
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { ConnectionManager } from "./ConnectionManager.ts"
import type { Feed } from "./internal/feed.ts"
import { type CheckedRoutes, checkRoutes, checkServer } from "./internal/monitoringOptions.ts"
import { addRoutes } from "./internal/monitoringRoutes.ts"
import { serve } from "./internal/monitoringServer.ts"

/**
 * The options of the routes.
 *
 * @category models
 * @since 0.1.0
 */
export interface RoutesOptions {
  /** The path that all routes are below, such as `/monitoring`. Default `/`. */
  readonly prefix?: `/${string}` | undefined
  /**
   * Lets whoever knows it act on the pools: warm up, drain, pause, resume, retire. At least 16 printable characters.
   * Without it the routes that change something do not exist.
   */
  readonly token?: Redacted.Redacted | undefined
  /**
   * Whether reading needs the token too. Default `"open"`; for a server of its own that is not on loopback, `"token"`
   * where one is given. `/live`, `/ready` and the files of the dashboard never need it.
   */
  readonly reading?: "open" | "token" | undefined
  /**
   * Names under which the server may be asked for, besides `localhost` and any IP address. Default none. A page from
   * elsewhere could use one that is not yours to read the answers: list what you use, and nothing else.
   */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** Whether the dashboard is served. Default true. */
  readonly dashboard?: boolean | undefined
  /**
   * How often a stream without news sends a sign of life. Default 15 s. Too short: traffic for nothing. Too long:
   * proxies take the stream for dead.
   */
  readonly heartbeat?: Duration.Input | undefined
  /** How many streams may be open at once, from 1. Default 50. Each costs memory up to twice its buffer. */
  readonly streams?: number | undefined
  /**
   * How many bytes a stream's client may lag behind before it is disconnected, at least 1024. Default 1 MiB. Too small:
   * a short pause of a client cuts it.
   */
  readonly streamBuffer?: number | undefined
}

/**
 * The options of a server of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends RoutesOptions {
  /** The address to listen at. Default `127.0.0.1`. Any that is not loopback needs a token, or `isExposed`. */
  readonly host?: string | undefined
  /** Default 9191; 0 takes any that is free, see `Address`. */
  readonly port?: number | undefined
  /** Lets everybody who reaches a host that is not loopback read without a token. Default false. */
  readonly isExposed?: boolean | undefined
  /** How long a client may take to send the headers of a request. Default 10 s. */
  readonly headersTimeout?: Duration.Input | undefined
  /** How long a client may take to send a whole request; never less than `headersTimeout`. Default 15 s. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How many sockets may be open at once. Default 1000. Further ones are closed at once. */
  readonly maxSockets?: number | undefined
}

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
  Layer.effectDiscard(Effect.flatMap(checkRoutes(options), install))

const install = Effect.fnUntraced(function*(options: CheckedRoutes) {
  return yield* addRoutes(yield* HttpRouter.HttpRouter, yield* ConnectionManager, options)
})

/**
 * A server of its own for the routes. Fails with `InvalidOption`, and with `ServeError` where the address is taken.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: ServerOptions = {}
): Layer.Layer<Address, PoolError | ServeError, ConnectionManager> =>
  Layer.unwrap(Effect.map(checkServer(options), (checked) => {
    const feed = Deferred.makeUnsafe<Feed>()
    const served = serve(
      checked,
      Layer.effectDiscard(Effect.flatMap(install(checked.routes), (made) => Deferred.succeed(feed, made)))
    )
    const address = Effect.gen(function*() {
      // Before the server is released: it waits for its clients, and those of a stream don't leave by themselves.
      yield* Effect.addFinalizer(() => Effect.map(Deferred.await(feed), (feed) => feed.end()))
      const url = `${HttpServer.formatAddress((yield* HttpServer.HttpServer).address)}${checked.routes.prefix}/`
      yield* Effect.logInfo(`monitoring at ${url}`)
      return { url }
    })
    return Layer.provide(Layer.effect(Address, address), served)
  }))

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
