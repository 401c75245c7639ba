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
 * const voices = Effect.gen(function*() {
 *   const api = yield* VoiceApi
 *   const response = yield* api.get("/v1/voices")
 *   return yield* response.json
 * }).pipe(Effect.provide(VoiceApi.live))
 * ```
 *
 * @since 0.1.0
 */
import type { PoolServiceClass } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as Scope from "effect/Scope"
import type { HttpOptions } from "./HttpConfig.ts"
import type { HttpConnection } from "./HttpConnector.ts"
import { operations } from "./internal/members.ts"
import type { Handler, HttpMembers, HttpPool } from "./internal/model.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"

export type { Answer, Handler, HttpMembers, HttpPool, Send } from "./internal/model.ts"

/**
 * A service class for an HTTP pool: the members of every pool, those of HTTP, and the layers.
 *
 * The pool is yielded from the class, and has the same members: `const api = yield* VoiceApi`. With it comes `HttpClient`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpPoolClass<in out Self, in out Id extends string>
  extends
    PoolServiceClass<Self, Id, HttpConnection, HttpPool>,
    HttpMembers<Self>,
    PoolService.Layers<Self, HttpConnection, HttpOptions, Handler, HttpClient.HttpClient>
{}

const backend: PoolService.Backend<HttpPool, HttpConnection, HttpOptions, Handler, HttpClient.HttpClient> = {
  operations,
  make: Runtime.make,
  makeTest: Scripted.make,
  provide: (pool) => Context.make(HttpClient.HttpClient, Runtime.runtimes.of(pool)!.client)
}

/**
 * Makes a pool that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: HttpOptions): Effect.Effect<HttpPool, PoolError, Scope.Scope> =>
  PoolService.makePool(backend, "http", options)

/**
 * Makes a service class: `class VoiceApi extends HttpPool.Service<VoiceApi>()("app/VoiceApi") {}`.
 *
 * The id is the pool's name unless the options give one. Two classes with the same id are the same service.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): HttpPoolClass<Self, Id> =>
  PoolService.make<HttpPoolClass<Self, Id>>(id, backend)
