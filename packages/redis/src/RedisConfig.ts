/**
 * The options of a Redis pool, and how they are read from the environment.
 *
 * @since 0.1.0
 */
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { PoolKind } from "@effect-pools/core/PoolKind"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"

/**
 * The kind of Redis pools: their name in metrics, and their defaults.
 *
 * @category kinds
 * @since 0.1.0
 */
export const kind: PoolKind = Object.freeze({
  name: "redis",
  isDatabase: true,
  defaults: Object.freeze({
    minConnections: 2,
    maxConnections: 15,
    idleTimeout: "5 minutes",
    maxLifetime: "45 minutes",
    healthCheck: "30 seconds"
  })
})

/**
 * Where a server is.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/**
 * A cluster: see `RedisOptions.cluster`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterOptions {
  /** Some of the nodes, at least one: they tell where the others are. */
  readonly nodes: ReadonlyArray<ServerAddress>
  /**
   * How often the cluster may send one command on to another node, at least 1. Default 16. Too small: commands fail
   * while slots move. Too large: in a broken cluster they go in circles.
   */
  readonly maxRedirections?: number | undefined
  /**
   * Where servers are in truth, by the address that the nodes name them by, for those behind NAT:
   * `{ "10.0.0.1:6379": { host: "redis.example.com", port: 7001 } }`. Default: all are where they say.
   */
  readonly addressMap?: Readonly<Record<string, ServerAddress>> | undefined
}

/**
 * A primary with its replicas, watched by sentinels: see `RedisOptions.sentinel`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SentinelOptions {
  /**
   * The sentinels, at least one; name all of them. They are asked together at each dial, and as long as the pool has a
   * connection it listens to each of them, so that a new primary is known at once.
   */
  readonly nodes: ReadonlyArray<ServerAddress>
  /** The name of the primary among the sentinels. */
  readonly name: string
  /** With `"replica"` the pool reads from the replicas. Default `"primary"`. */
  readonly role?: "primary" | "replica" | undefined
  /** The user that logs in to the sentinels, if they ask. */
  readonly username?: string | undefined
  /** The password of that user. */
  readonly password?: Redacted.Redacted | undefined
  /**
   * TLS to the sentinels themselves, as in `RedisOptions.tls`. `false` for plain ones. Default: that of the servers.
   */
  readonly tls?: boolean | ConnectionOptions | undefined
  /**
   * How often each sentinel is asked where the primary is, besides listening to it, at least 100 ms. Default 10 s. Too
   * short: the sentinels have work to do. Too long: a change that nobody was told of is noticed late.
   */
  readonly checkInterval?: Duration.Input | undefined
  /**
   * Where servers are in truth, by the address that the sentinels name them by, for those behind NAT:
   * `{ "10.0.0.1:6379": { host: "redis.example.com", port: 7001 } }`. Default: all are where they say.
   */
  readonly addressMap?: Readonly<Record<string, ServerAddress>> | undefined
}

/**
 * The options of a Redis pool. Durations are `Duration.Input`.
 *
 * The server is named by `url`, by `host` and `port`, by `path`, by `cluster` or by `sentinel`. An option that is unknown, that
 * contradicts another or that would have no effect is refused with `InvalidOption`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisOptions extends PoolConfig.PoolOptions {
  /**
   * `redis://user:password@host:port/db`, or `rediss://` for TLS; `valkey://` and `valkeys://` are the same. A socket
   * of this machine is `unix:///run/redis.sock?db=1`. Special characters in its parts must be percent-encoded. The
   * password may be left out and given by `password`.
   */
  readonly url?: Redacted.Redacted | undefined
  /** The server's name or address. Default `"localhost"`. */
  readonly host?: string | undefined
  /** The port that the server listens on. Default 6379. */
  readonly port?: number | undefined
  /** A Unix socket of this machine, in place of `host` and `port`: `/run/redis.sock`. */
  readonly path?: string | undefined
  /** The user that logs in. Default: the server's `default` user. */
  readonly username?: string | undefined
  /**
   * The password, or an effect that yields the one of the moment. The effect is run for each dial, so that a password
   * that rotates needs no restart.
   */
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** The number of the database, from 0. A cluster has only that. Default 0. */
  readonly db?: number | undefined
  /**
   * With `true` the connection is encrypted and the server's certificate verified. Options of `node:tls` say whom to
   * trust; what Node can't use of them is refused when the pool is made. Each server is told the name that it is dialed
   * by (SNI), unless they have a `servername`, which then is that of all servers. Default false.
   */
  readonly tls?: boolean | ConnectionOptions | undefined
  /** Which addresses of the host are used: 4, 6 or both (0). Default 0. */
  readonly family?: 0 | 4 | 6 | undefined
  /** The name that `CLIENT LIST` shows, without spaces. Default: the pool's name. */
  readonly clientName?: string | undefined
  /**
   * Idle time before TCP probes are sent, at least 1 second. A command that waits for ever (`BLPOP` with `"Infinity"`)
   * is sent anew after so long, so that it learns of a server that is gone behind a proxy that is not; each time it is
   * the last in the line of those who wait. `XREAD` with `"$"` is not, since it would miss what comes meanwhile: give
   * it a limit. Default 30 s. Too short: the server and the network have more to do. Too long: a connection that is
   * dead without a word is noticed late.
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * The servers of a cluster, in place of `url` or `host`. A connection of the pool then is one socket to each primary
   * that was needed so far.
   */
  readonly cluster?: ClusterOptions | undefined
  /**
   * The sentinels that know the server, in place of `url` or `host`. They are asked at each dial, and the server itself
   * is asked for its role, so that a dial never ends at a primary of yesterday.
   */
  readonly sentinel?: SentinelOptions | undefined
  /**
   * How long a command waits for its answer, at least 1 ms. After that it fails with `CommandTimeout`, and its
   * connection is closed, with whatever else was on it. A command that blocks may do so for its own timeout besides.
   * Default 10 s. Too short: slow commands (`KEYS`, scripts) cost connections. Too long: a server that hangs is noticed
   * late.
   */
  readonly commandTimeout?: Duration.Input | undefined
  /**
   * How many bytes of memory one answer may take, at least 65536. What counts is what the answer takes here, which for
   * a list of short values is far more than came: each has about 180 bytes besides its own. Beyond it the connection is
   * closed, and the command fails with `ConnectionLost`. Default 128 MiB. Too small: large lists can't be read at once,
   * but by `hscan` and its like. Too large: a server out of its mind can fill the memory with it.
   */
  readonly maxReplySize?: number | undefined
  /**
   * How many single commands may be on one connection at once, from 1 to 1024. What several callers send at the same
   * moment leaves together, so that many of them on few connections are faster than each on its own. Commands that
   * leave something behind or that block always have a connection to themselves. Default 128. Too small: more
   * connections and less speed; with 1 each command has one to itself. Too large: a connection that is lost fails as
   * many commands.
   */
  readonly sharing?: number | undefined
}

/**
 * Options for common situations, to be spread before one's own. They have fewer connections than `PoolConfig.presets`,
 * since many commands share one, and a `commandTimeout`. `PoolConfig.presetTexts` says what each is for.
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<Record<PoolConfig.PresetName, RedisOptions>> = PoolConfig.presetsWith<RedisOptions>({
  development: { minConnections: 1, maxConnections: 5, commandTimeout: "10 seconds" },
  production: { minConnections: 3, maxConnections: 20, commandTimeout: "10 seconds" },
  highThroughput: { minConnections: 5, maxConnections: 40, commandTimeout: "5 seconds" },
  lowLatency: { minConnections: 10, maxConnections: 20, commandTimeout: "1 second" },
  serverless: { maxConnections: 5, commandTimeout: "5 seconds" }
})

/**
 * Reads options from the environment: `REDIS_URL`, or `REDIS_HOST`, `REDIS_PORT`, `REDIS_USERNAME`, `REDIS_PASSWORD`,
 * `REDIS_DB` and `REDIS_TLS`; and what `PoolConfig.fromEnv` reads.
 *
 * Absent variables are left out. Variables that contradict each other are refused when the pool is made.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<RedisOptions> = PoolConfig.fromEnvWith<RedisOptions>({
  url: Config.Redacted("REDIS_URL"),
  host: Config.String("REDIS_HOST"),
  port: Config.Port("REDIS_PORT"),
  username: Config.String("REDIS_USERNAME"),
  password: Config.Redacted("REDIS_PASSWORD"),
  db: Config.Int("REDIS_DB"),
  tls: Config.Boolean("REDIS_TLS")
})
