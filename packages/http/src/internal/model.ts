/**
 * The members of an HTTP pool, and the answers of a test: types alone.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { HttpConnection } from "./connectionModel.ts"

/**
 * Answers requests in a test: see `layerTest`. The request has an absolute URL and the headers of the pool.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler = (request: HttpClientRequest.HttpClientRequest) => Answer | Effect.Effect<Answer, HttpClientError>

/**
 * The answer to a request in a test: a response of Effect, or one of the web platform.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = HttpClientResponse | globalThis.Response

/**
 * Sends a request to a URL, which may be relative to the origin of the pool.
 *
 * @category models
 * @since 0.1.0
 */
export type Send<Env = never> = (
  url: string | URL,
  options?: HttpClientRequest.Options.NoUrl
) => Effect.Effect<HttpClientResponse, HttpClientError | PoolError, Env>

/**
 * The members of an HTTP pool beyond lending. `Env` is what a member asks for: nothing on a pool, the class on a class.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpMembers<out Env = never> {
  /** Sends a request. Its connection is back in the pool when the body of the response has been read or given up. */
  readonly request: (
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse, HttpClientError | PoolError, Env>
  readonly get: Send<Env>
  readonly post: Send<Env>
  readonly put: Send<Env>
  readonly patch: Send<Env>
  readonly del: Send<Env>
  readonly head: Send<Env>
}

/**
 * A pool of HTTP connections: the members of every pool, and those of `HttpMembers`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpPool extends ConnectionPool<HttpConnection>, HttpMembers {}
