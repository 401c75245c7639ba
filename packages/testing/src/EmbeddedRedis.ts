/**
 * Real Redis servers for one test or suite, which can be crashed, frozen and restarted: one alone, a cluster, or a
 * master with replicas and sentinels.
 *
 * The program is a `redis-server` or `valkey-server` on the PATH. Where there is none, it is installed with `apt-get` if
 * this process is root on Debian or its like; elsewhere `EmbeddedRedisError` says what to install. No service of the
 * machine is used or started. When the scope closes, or when this process ends in whatever way, the servers and their
 * directory are removed.
 *
 * They start in real time: use them with `it.live`, not under `TestClock`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Cluster, join } from "./internal/redisCluster.ts"
import { EmbeddedRedisError } from "./internal/redisError.ts"
import * as Home from "./internal/redisHome.ts"
import * as Instances from "./internal/redisInstance.ts"
import * as Recipes from "./internal/redisRecipe.ts"
import * as Sentinels from "./internal/redisSentinel.ts"

export type { Cluster, ClusterNode } from "./internal/redisCluster.ts"
export type { Client, Instance } from "./internal/redisInstance.ts"
export type { Reply } from "./internal/redisReply.ts"
export type { Sentinel } from "./internal/redisSentinel.ts"
export {
  /**
   * @category errors
   * @since 0.1.0
   */
  EmbeddedRedisError
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The password of clients. Default: none is asked for. */
  readonly password?: string | undefined
  /** Whether it also listens for TLS on a port of its own, with the certificate of `TestCertificate`. Default false. */
  readonly tls?: boolean | undefined
  /** Settings as in redis.conf, such as `{ maxclients: 20 }`. Nothing is saved to disk unless they say so. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** How long the start of everything may take. Default 1 minute. */
  readonly startTimeout?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ClusterOptions extends Omit<Options, "tls"> {
  /** Masters, at least 3 unless no failover is wanted. Default 3. */
  readonly masters?: number | undefined
  /** Replicas of each master. Default 0. */
  readonly replicas?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface SentinelOptions extends Omit<Options, "tls"> {
  /** Replicas of the master. Default 1. */
  readonly replicas?: number | undefined
  /** Sentinels, of which a majority must agree. Default 3. */
  readonly sentinels?: number | undefined
  /** The password of clients at a sentinel. Default: none is asked for. */
  readonly sentinelPassword?: string | undefined
}

/**
 * A running server as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class EmbeddedRedis extends Context.Service<EmbeddedRedis, Instances.Instance>()(
  "@effect-pools/testing/EmbeddedRedis"
) {}

/**
 * Starts a server that lives until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<Instances.Instance, EmbeddedRedisError, Scope.Scope> =>
  within(
    options,
    Effect.flatMap(Home.make, (home) => Instances.make(home, Recipes.server(options))).pipe(Effect.map(instanceOf))
  )

/**
 * Starts a cluster that lives until the scope closes. It is in order, as all of its nodes say, when this returns.
 *
 * A node that does not answer is given up after a second. Without a replica its slots are gone, and the others are
 * served further unless `settings` say otherwise (`cluster-require-full-coverage`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const cluster = (options: ClusterOptions = {}): Effect.Effect<Cluster, EmbeddedRedisError, Scope.Scope> =>
  within(options, startCluster(options))

/**
 * Starts a master with replicas, and sentinels that watch over them, until the scope closes.
 *
 * A master that does not answer for half a second is replaced.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sentinel = (
  options: SentinelOptions = {}
): Effect.Effect<Sentinels.Sentinel, EmbeddedRedisError, Scope.Scope> => within(options, startSentinel(options))

/**
 * A server for the tests of one layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<EmbeddedRedis, EmbeddedRedisError> =>
  Layer.effect(EmbeddedRedis, make(options))

const within = <A>(
  { startTimeout = "1 minute" }: Options,
  start: Effect.Effect<A, EmbeddedRedisError, Scope.Scope>
): Effect.Effect<A, EmbeddedRedisError, Scope.Scope> =>
  Effect.timeoutOrElse(start, {
    duration: startTimeout,
    orElse: () => Effect.fail(new EmbeddedRedisError({ step: "start", detail: `not done within ${startTimeout}` }))
  })

const startCluster = Effect.fnUntraced(function*(
  options: ClusterOptions
): Effect.fn.Return<Cluster, EmbeddedRedisError, Scope.Scope> {
  const home = yield* Home.make
  if (home.binary.major < 7) {
    return yield* new EmbeddedRedisError({ step: "cluster", detail: "takes Redis 7 or later, or Valkey" })
  }
  const masters = options.masters ?? 3
  const nodes = yield* startAll(home, masters * (1 + (options.replicas ?? 0)), Recipes.clusterNode(options))
  return yield* join(nodes, masters)
})

const startSentinel = Effect.fnUntraced(function*(
  options: SentinelOptions
): Effect.fn.Return<Sentinels.Sentinel, EmbeddedRedisError, Scope.Scope> {
  const { password, replicas = 1, sentinelPassword, sentinels = 3, settings } = options
  const home = yield* Home.make
  const { instance: master } = yield* Instances.make(home, Recipes.server({ password, settings }))
  const replicaof = `${master.host} ${master.port}`
  const followers = yield* startAll(home, replicas, Recipes.server({ password, settings: { ...settings, replicaof } }))
  yield* Effect.forEach(followers, ({ instance }) => Sentinels.attached(instance, master))
  const watched = { name: Sentinels.masterName, port: master.port, password, quorum: Math.floor(sentinels / 2) + 1 }
  const watchers = yield* startAll(home, sentinels, Recipes.sentinel(watched, sentinelPassword))
  return yield* Sentinels.watch([master, ...followers.map(instanceOf)], watchers.map(instanceOf))
})

const instanceOf = ({ instance }: Instances.Started): Instances.Instance => instance

const startAll = (
  home: Home.Home,
  count: number,
  recipe: Instances.Recipe
): Effect.Effect<ReadonlyArray<Instances.Started>, EmbeddedRedisError, Scope.Scope> =>
  Effect.replicateEffect(Instances.make(home, recipe), count, { concurrency: "unbounded" })
