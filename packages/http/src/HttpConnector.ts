/**
 * How the pool opens, checks and gives up a connection to an HTTP server.
 *
 * A connection is one socket to the origin: HTTP/1.1 with keep-alive, or a session of HTTP/2 that carries many requests
 * at once, whichever the server speaks. Most programs use `HttpPool` and never meet it.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HttpOptions } from "./HttpConfig.ts"
import type { Connection } from "./internal/connection.ts"
import { make as makeConnector } from "./internal/connector.ts"
import * as Environment from "./internal/environment.ts"
import * as Options from "./internal/options.ts"
import { Watch } from "./internal/watch.ts"
import type { HttpConnection } from "./internal/connectionModel.ts"

export type { HttpConnection } from "./internal/connectionModel.ts"

/**
 * An open connection, as the pool holds it.
 *
 * @category models
 * @since 0.1.0
 */
export type HttpSession = Connection

/**
 * Makes a connector for one origin, for a pool that one builds oneself with `ConnectionPool.make`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: HttpOptions
): Effect.fn.Return<Connector<HttpSession, HttpConnection>, InvalidOption, Scope.Scope> {
  const name = options.name ?? "http"
  if (options.upstreams !== undefined) {
    return yield* new InvalidOption({ option: "upstreams", rule: "has an effect in an HttpPool only" })
  }
  const { members } = yield* Effect.fromResult(Options.check(yield* Environment.withProxy(options), name))
  const { settings } = members[0]!
  if (settings.maxRetryAfter > 0) {
    return yield* new InvalidOption({ option: "maxRetryAfter", rule: "has an effect in an HttpPool only" })
  }
  return yield* makeConnector(name, settings, yield* Watch.make(settings), undefined)
})
