/**
 * Managed pools of Redis connections, as service classes.
 *
 * ```ts
 * import { RedisPool } from "@effect-pools/redis"
 * import { Config, Effect } from "effect"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("REDIS_URL"), maxConnections: 5 })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const cache = yield* Cache
 *   yield* cache.set("user:1", "Ada", { ttl: "10 minutes" })
 *   return yield* cache.get("user:1")
 * }).pipe(Effect.provide(Cache.live))
 * ```
 *
 * @since 0.1.0
 */
import type { PoolServiceClass } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { Redis } from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import { operations } from "./internal/members.ts"
import type { RedisMembers, RedisPool } from "./internal/model.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import type { RedisOptions } from "./RedisConfig.ts"
import type { RedisConnection } from "./RedisConnector.ts"
import * as RedisPersistence from "./RedisPersistence.ts"
import type { Script, ScriptInput } from "./RedisScript.ts"

export type { RedisMembers, RedisPool } from "./internal/model.ts"

/**
 * A service class for a Redis pool: the members of every pool, those of Redis, and the layers.
 *
 * The pool is yielded from the class, and has the same members: `const cache = yield* Cache`. With it comes `Redis` of
 * `effect/persistence`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisPoolClass<in out Self, in out Id extends string>
  extends
    PoolServiceClass<Self, Id, RedisConnection, RedisPool>,
    RedisMembers<Self>,
    PoolService.Layers<Self, RedisConnection, RedisOptions, Script | ScriptInput, Redis>
{}

const backend: PoolService.Backend<RedisPool, RedisConnection, RedisOptions, Script | ScriptInput, Redis> = {
  operations,
  make: Runtime.make,
  makeTest: Scripted.make,
  provide: (pool) => Context.make(Redis, RedisPersistence.make(pool))
}

/**
 * Makes a pool that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: RedisOptions): Effect.Effect<RedisPool, PoolError, Scope.Scope> =>
  PoolService.makePool(backend, "redis", options)

/**
 * Makes a service class: `class Cache extends RedisPool.Service<Cache>()("app/Cache") {}`.
 *
 * The id is the pool's name unless the options give one. Two classes with the same id are the same service.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): RedisPoolClass<Self, Id> =>
  PoolService.make<RedisPoolClass<Self, Id>>(id, backend)
