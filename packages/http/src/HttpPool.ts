/**
 * Managed pools of HTTP connections, as service classes.
 *
 * ```ts
 * import { HttpPool } from "@effect-pools/http"
 * import { Effect } from "effect"
 *
 * class VoiceApi extends HttpPool.Service<VoiceApi>()("app/VoiceApi") {
 *   static readonly live = this.layer({ origin: "https://api.voice-service.com", maxConnections: 8 })
 * }
 *
 * const voices = Effect.flatMap(VoiceApi.get("/v1/voices"), (response) => response.json).pipe(
 *   Effect.provide(VoiceApi.live)
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { HttpOptions } from "./HttpConfig.ts"
import type { HttpConnection } from "./HttpConnector.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"

/**
 * Answers requests in a test: see `layerTest`. The request has an absolute URL and the headers of the pool.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler = (request: HttpClientRequest.HttpClientRequest) => Answer | Effect.Effect<Answer, HttpClientError>

/**
 * What a request is answered with in a test: a response of Effect, or one of the web platform.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = HttpClientResponse | globalThis.Response

/**
 * A service class for an HTTP pool: the pool's members, and those below.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpPoolClass<in out Self, in out Id extends string>
  extends ConnectionPool.PoolClass<Self, Id, HttpConnection>
{
  /**
   * The pool, and over it `HttpClient`. A program with two pools takes `layerPoolOnly` for the second: of two layers that
   * provide `HttpClient` one would silently hide the other.
   */
  readonly layer: (options: HttpOptions) => Layer.Layer<Self | HttpClient.HttpClient, PoolError>
  /** `layer` with options read from the configuration. */
  readonly layerConfig: (
    options: Config.Wrap<HttpOptions>
  ) => Layer.Layer<Self | HttpClient.HttpClient, PoolError | Config.ConfigError>
  /** The pool alone. */
  readonly layerPoolOnly: (options: HttpOptions) => Layer.Layer<Self, PoolError>
  /** `layerPoolOnly` with options read from the configuration. */
  readonly layerPoolOnlyConfig: (
    options: Config.Wrap<HttpOptions>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /**
   * What `layer` provides, without a network: a function answers the requests. The pool is a real one: leases, limits and
   * misuse are as they are with a server.
   */
  readonly layerTest: (handler: Handler) => Layer.Layer<Self | HttpClient.HttpClient>
  /** Sends a request. Its connection is back in the pool when the body of the response has been read or given up. */
  readonly request: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse, HttpClientError | PoolError, Self>
  readonly get: Send<Self>
  readonly post: Send<Self>
  readonly put: Send<Self>
  readonly patch: Send<Self>
  readonly del: Send<Self>
  readonly head: Send<Self>
}

/**
 * Sends a request to a URL, which may be relative to the origin of the pool.
 *
 * @category models
 * @since 0.1.0
 */
export type Send<Self> = (
  url: string | URL,
  options?: HttpClientRequest.Options.NoUrl
) => Effect.Effect<HttpClientResponse, HttpClientError | PoolError, Self>

/**
 * Makes a service class: `class VoiceApi extends HttpPool.Service<VoiceApi>()("app/VoiceApi") {}`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): HttpPoolClass<Self, Id> => {
  const tag = ConnectionPool.serviceClass<Self, HttpConnection>()(id)
  const make = (options: HttpOptions) => Runtime.make(id, options)
  const fromConfig = (options: Config.Wrap<HttpOptions>) => Effect.flatMap(Config.unwrap(options), make)
  const request: HttpPoolClass<Self, Id>["request"] = (request) => tag.use((pool) => Runtime.executeOf(pool)(request))
  const send = (method: HttpMethod): Send<Self> => {
    const make = HttpClientRequest.make(method)
    // Most requests are no more than a URL, which needs only one step from here.
    const blank = make("")
    return (url, options) => request(options === undefined ? HttpClientRequest.setUrl(blank, url) : make(url, options))
  }
  const statics: Omit<HttpPoolClass<Self, Id>, keyof typeof tag> = {
    layer: (options) => layerOf(tag, make(options)),
    layerConfig: (options) => layerOf(tag, fromConfig(options)),
    layerPoolOnly: (options) => layerPoolOnlyOf(tag, make(options)),
    layerPoolOnlyConfig: (options) => layerPoolOnlyOf(tag, fromConfig(options)),
    layerTest: (handler) => layerOf(tag, Scripted.make(id, handler)),
    request,
    get: send("GET"),
    post: send("POST"),
    put: send("PUT"),
    patch: send("PATCH"),
    del: send("DELETE"),
    head: send("HEAD")
  }
  return Object.assign(tag, statics)
}

type Make<E> = Effect.Effect<Runtime.Runtime, E, Scope.Scope>

const layerOf = <Self, E>(
  tag: Context.Key<Self, Runtime.Pool>,
  make: Make<E>
): Layer.Layer<Self | HttpClient.HttpClient, E> =>
  Layer.effectContext(
    Effect.map(make, ({ client, pool }) => Context.make(tag, pool).pipe(Context.add(HttpClient.HttpClient, client)))
  )

const layerPoolOnlyOf = <Self, E>(tag: Context.Key<Self, Runtime.Pool>, make: Make<E>): Layer.Layer<Self, E> =>
  Layer.effect(tag, Effect.map(make, ({ pool }) => pool))
