/**
 * Managed pools of Redis connections, as service classes.
 *
 * ```ts
 * import { RedisPool } from "@effect-pools/redis"
 * import { Config, Effect } from "effect"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("REDIS_URL") })
 * }
 *
 * const program = Effect.gen(function*() {
 *   yield* Cache.set("user:1", "Ada", { ttl: "10 minutes" })
 *   return yield* Cache.get("user:1")
 * }).pipe(Effect.provide(Cache.live))
 * ```
 *
 * @since 0.1.0
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Redis } from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import * as Statics from "./internal/statics.ts"
import * as Subscribe from "./internal/subscribe.ts"
import type { TopicKind } from "./internal/topic.ts"
import type { Methods } from "./RedisCommands.ts"
import type { RedisOptions } from "./RedisConfig.ts"
import type { RedisConnection, Runner } from "./RedisConnector.ts"
import type { RedisError } from "./RedisError.ts"
import type { Script, ScriptInput } from "./RedisScript.ts"
import * as RedisPersistence from "./RedisPersistence.ts"
import type { Element, SubscribeOptions } from "./RedisSubscription.ts"

/**
 * What a pool of connections to Redis is.
 *
 * @category models
 * @since 0.1.0
 */
export type RedisPool = ConnectionPool.ConnectionPool<RedisConnection>

/**
 * A service class for a Redis pool: the pool's members, every command, and the layers.
 *
 * A static command takes a connection for itself. Those that leave nothing behind share one with others and leave in one
 * write with what they send at the same moment; those that block or change the connection have one to themselves.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisPoolClass<in out Self, in out Id extends string>
  extends
    ConnectionPool.PoolClass<Self, Id, RedisConnection>,
    Methods<RedisError | PoolError, Self>,
    Runner<PoolError, Self>
{
  /**
   * What is published on channels, for as long as the stream is read. A lost connection is replaced, and the gap it leaves
   * is an element of the stream: see `RedisSubscription`.
   *
   * All subscriptions of a pool share one connection, which counts within `maxConnections`, as long as there is any.
   */
  readonly subscribe: (
    channels: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Self>
  /** The same for all channels that match glob-style patterns. */
  readonly psubscribe: (
    patterns: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Self>
  /** The same for sharded channels, which a cluster serves from one node each (`SPUBLISH`). From Redis 7 on. */
  readonly ssubscribe: (
    channels: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Self>
  /** The pool, and over it `Redis` of `effect/persistence`. */
  readonly layer: (options: RedisOptions) => Layer.Layer<Self | Redis, PoolError>
  /** `layer` with options read from the configuration. */
  readonly layerConfig: (
    options: Config.Wrap<RedisOptions>
  ) => Layer.Layer<Self | Redis, PoolError | Config.ConfigError>
  /** The pool alone. */
  readonly layerPoolOnly: (options: RedisOptions) => Layer.Layer<Self, PoolError>
  /** `layerPoolOnly` with options read from the configuration. */
  readonly layerPoolOnlyConfig: (
    options: Config.Wrap<RedisOptions>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /** What `layer` provides, without a server: a script answers the commands. See `RedisScript`. */
  readonly layerTest: (script: Script | ScriptInput) => Layer.Layer<Self | Redis>
}

/**
 * Makes a pool that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: RedisOptions): Effect.Effect<RedisPool, PoolError, Scope.Scope> =>
  Runtime.make(options.name ?? "redis", options)

/**
 * The commands over a pool that `make` has made, as the statics of a class are.
 *
 * @category commands
 * @since 0.1.0
 */
export const commands = (pool: RedisPool): Methods<RedisError | PoolError> & Runner<PoolError> =>
  Statics.make<never>((f) => Effect.suspend(() => f(pool)))

/**
 * Makes a service class: `class Cache extends RedisPool.Service<Cache>()("app/Cache") {}`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): RedisPoolClass<Self, Id> => {
  const service = ConnectionPool.serviceClass<Self, RedisConnection>()(id)
  const poolOnly = (options: RedisOptions) => Layer.effect(service, Runtime.make(id, options))
  const poolOnlyConfig = (options: Config.Wrap<RedisOptions>) =>
    Layer.effect(service, Effect.flatMap(Config.unwrap(options), (options) => Runtime.make(id, options)))
  const withRedis = <E>(pool: Layer.Layer<Self, E>) => RedisPersistence.layer(service).pipe(Layer.provideMerge(pool))
  const subscription = (kind: TopicKind) => (names: string | ReadonlyArray<string>, options?: SubscribeOptions) =>
    Stream.unwrap(Effect.map(service, (pool) => Subscribe.stream(pool, kind, names, options)))
  const statics = {
    ...Statics.make<Self>((f) => service.use(f)),
    subscribe: subscription("channel"),
    psubscribe: subscription("pattern"),
    ssubscribe: subscription("shard"),
    layer: (options: RedisOptions) => withRedis(poolOnly(options)),
    layerConfig: (options: Config.Wrap<RedisOptions>) => withRedis(poolOnlyConfig(options)),
    layerTest: (script: Script | ScriptInput) => withRedis(Layer.effect(service, Scripted.make(id, script))),
    layerPoolOnly: poolOnly,
    layerPoolOnlyConfig: poolOnlyConfig
  }
  return Object.assign(service, statics) as unknown as RedisPoolClass<Self, Id>
}

/**
 * What is published on channels, from a pool that `make` has made: see `RedisPoolClass.subscribe`.
 *
 * @category subscriptions
 * @since 0.1.0
 */
export const subscribe = (
  pool: RedisPool,
  channels: string | ReadonlyArray<string>,
  options?: SubscribeOptions
): Stream.Stream<Element, PoolError | RedisError> => Subscribe.stream(pool, "channel", channels, options)

/**
 * The same for all channels that match glob-style patterns.
 *
 * @category subscriptions
 * @since 0.1.0
 */
export const psubscribe = (
  pool: RedisPool,
  patterns: string | ReadonlyArray<string>,
  options?: SubscribeOptions
): Stream.Stream<Element, PoolError | RedisError> => Subscribe.stream(pool, "pattern", patterns, options)

/**
 * The same for sharded channels.
 *
 * @category subscriptions
 * @since 0.1.0
 */
export const ssubscribe = (
  pool: RedisPool,
  channels: string | ReadonlyArray<string>,
  options?: SubscribeOptions
): Stream.Stream<Element, PoolError | RedisError> => Subscribe.stream(pool, "shard", channels, options)
