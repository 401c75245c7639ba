/**
 * The options of a PostgreSQL pool, and how they are read from the environment.
 *
 * @since 0.1.0
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { PoolKind } from "@effect-pools/core/PoolKind"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ConnectionOptions } from "node:tls"
import type { HeavyOptions } from "./internal/cost/model.ts"
import type { PrewarmOptions } from "./internal/prewarm.ts"
import type { PoolerOptions } from "./internal/pooler/model.ts"
import type { SessionOf } from "./internal/tenant/model.ts"
import * as PoolerEnv from "./internal/pooler/env.ts"

export type { HeavyOptions } from "./internal/cost/model.ts"
export type { PoolerMode, PoolerOptions } from "./internal/pooler/model.ts"
export type { PrewarmOptions } from "./internal/prewarm.ts"
export type { SessionOf, SessionState } from "./internal/tenant/model.ts"

/**
 * The kind of PostgreSQL pools: their name in metrics, and their defaults.
 *
 * @category kinds
 * @since 0.1.0
 */
export const kind: PoolKind = Object.freeze({
  name: "db",
  isDatabase: true,
  defaults: Object.freeze({
    minConnections: 2,
    maxConnections: 20,
    idleTimeout: "5 minutes",
    maxLifetime: "1 hour",
    healthCheck: "30 seconds"
  })
})

/**
 * Which servers a pool accepts: see `PostgresOptions.role`.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionRole = "any" | "primary" | "standby"

/**
 * A way in which the server may ask who one is: see `PostgresOptions.requireAuth`.
 *
 * @category models
 * @since 0.1.0
 */
export type AuthMethod = "none" | "password" | "md5" | "scram-sha-256"

/**
 * When a session is cleaned between leases: see `PostgresOptions.sessionReset`.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionReset = "whenNeeded" | "always"

/**
 * The options of a PostgreSQL pool. Durations are `Duration.Input`.
 *
 * The server is named by `url`, or by `host` and its companions, not by both. An option that is unknown, that
 * contradicts another or that would have no effect is refused with `InvalidOption`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresOptions extends PoolConfig.PoolOptions {
  /**
   * `postgres://user:password@host:port/database`, with the parameters `sslmode` (`disable`, `require`, `verify-ca`,
   * `verify-full`), `sslrootcert`, `sslcert`, `sslkey`, `sslpassword`, `application_name`, `connect_timeout`,
   * `options`, `target_session_attrs`, `require_auth`, `keepalives_idle`, `host`, `port`, `user`, `password` and
   * `dbname`, and those of libpq that ask for nothing else than what is done. What libpq has more is refused by its
   * name. A certificate is verified whichever `sslmode` asks for TLS. Special characters in its parts must be
   * percent-encoded. The password may be left out and given by `password`.
   */
  readonly url?: Redacted.Redacted | undefined
  /** The server's name or address. A path names the directory of a Unix socket. Default `"localhost"`. */
  readonly host?: string | undefined
  /** The port that the server listens on. Default 5432. */
  readonly port?: number | undefined
  /** The database. Default: the name of the user. */
  readonly database?: string | undefined
  /**
   * The user that logs in. Default: the user of the operating system, as `USER` or `USERNAME` tells; without either it
   * must be given.
   */
  readonly username?: string | undefined
  /**
   * The password, or an effect that yields the one of the moment. The effect is run for each dial, so that a password
   * that rotates needs no restart.
   */
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /**
   * With `true` the connection is encrypted and the server's certificate verified, or refused: there is no fall-back to
   * plain text. Options of `node:tls` say whom to trust. Default false.
   */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /**
   * The ways of proving who one is that are accepted of the server, as `require_auth` of libpq: `"scram-sha-256"`,
   * `"md5"`, `"password"` (the password itself) and `"none"`. A server that asks for another is refused before anything
   * is sent. Default: all of them, but the password itself only if the connection is encrypted, is local, or this
   * option names `"password"`. Too small: no dial succeeds. Too large: a server that somebody put in the place of yours
   * may ask for the password.
   */
  readonly requireAuth?: ReadonlyArray<AuthMethod> | undefined
  /** The name that `pg_stat_activity` shows. Default: the pool's name. */
  readonly applicationName?: string | undefined
  /**
   * The server ends a statement that takes longer. Default: the server's own setting. Too short: reports and migrations
   * fail. Too long: a runaway statement holds its connection as long, and for ever if there is no limit.
   */
  readonly statementTimeout?: Duration.Input | undefined
  /**
   * The server ends a session that leaves a transaction open without a statement for so long. Default: the server's own
   * setting. Too long: a forgotten transaction holds its locks as long, and for ever if there is no limit.
   */
  readonly idleInTransactionTimeout?: Duration.Input | undefined
  /** The schemas in which names are looked up, in order. Default: the server's own setting. */
  readonly searchPath?: ReadonlyArray<string> | undefined
  /** More run-time settings of each session, such as `{ timezone: "UTC", lock_timeout: "5s" }`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /**
   * `"primary"` refuses a server that is a standby or accepts no writes (`default_transaction_read_only`), and gives up
   * a connection whose server has become one; `"standby"` refuses a primary. Both cost each dial one round trip.
   * Default `"any"`.
   */
  readonly role?: SessionRole | undefined
  /**
   * `"whenNeeded"`: after a lease that left something behind (settings, an open transaction, `LISTEN`, locks, temporary
   * tables) the session is cleaned, after any other nothing is done. `"always"`: it is cleaned after every lease.
   * Needed only if functions in the database change session state, which can't be seen from outside. Default
   * `"whenNeeded"`.
   */
  readonly sessionReset?: SessionReset | undefined
  /**
   * How many single statements may be on one connection at once, when no connection is idle: `query` and statements of
   * `SqlClient` outside of a transaction are then sent without waiting for each other's answers. At most 128. Default
   * 1, which lends a connection to each. Too small: many short statements take more connections and more time. Too
   * large: one waits for the slow ones sent before it on the same connection, and a statement that is interrupted is
   * stopped on the server only once nobody else uses its connection.
   */
  readonly sharing?: number | undefined
  /**
   * How a session is for the callers of a key, which is the `affinity` that `Traffic.with` says around them, such as a
   * tenant: its role and settings. Before a connection is lent, a new one or one that others had, it is made so, in one
   * or two round trips and without any if it is so already; for callers without a key it is as it was opened. One that
   * can't be made so is replaced, and the caller fails with `ConnectFailed`. With `traffic: { affinity: true }` callers
   * prefer connections that are theirs. Default: sessions are all the same. Not beside `sharing`. Behind a PgBouncer in
   * transaction mode nothing is done to a connection before it is lent: each transaction of a key begins with its state
   * (`set_config(..., true)`), and each statement outside of one is put into a transaction, which takes four round
   * trips instead of one. A statement that the server refuses in transactions (`VACUUM`) is then `PoolMisuse`, and a
   * state that can't be set fails the statement with a `SqlError`.
   */
  readonly session?: SessionOf | undefined
  /**
   * Says that a PgBouncer is in between, and how it lends server connections. In the mode `"transaction"` no reset is
   * sent, statements are not prepared unless `prepare` says so, and what would stay in a session is refused: start-up
   * settings when the pool is made, statements (`SET`, `LISTEN`, `pg_advisory_lock`, temporary tables, ...) as
   * `PoolMisuse` before they are sent, each with the form that works. Not given where there is one: what a lease leaves
   * behind is met by others, and resets hit whichever server connection comes. Given where there is none: statements
   * are refused for nothing. Default: nothing is in between.
   */
  readonly pooler?: PoolerOptions | undefined
  /**
   * Idle time before TCP probes are sent, at least 1 second. Default 30 s. Too short: the network has more to do. Too
   * long: a connection that is dead without a word is noticed late, and firewalls forget it.
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * Keeps heavy single statements (`query`, and those of `SqlClient` outside of transactions) in a lane, so that short
   * ones never wait for all connections to come back from them: `{}` takes the defaults. What is heavy is told by the
   * last runs of a statement, before that by the planner, which costs a text one round trip when it comes first.
   * Default: no statement is kept apart.
   */
  readonly heavy?: HeavyOptions | undefined
  /**
   * Statements without parameters that are run on a new connection before it is lent, so that its first caller does not
   * wait for the server to read catalogues and tables. One that fails, or takes longer than `timeout` (2 s), is told in
   * the log and fails no dial. Default: none.
   */
  readonly prewarm?: PrewarmOptions | undefined
  /**
   * Whether statements are prepared once per connection and then reused by name. Default `true`: a text is prepared
   * when it comes for the second time, on whichever connection of the pool, since one that comes once costs more when
   * prepared.
   */
  readonly prepare?: boolean | undefined
  /**
   * How many prepared statements each connection keeps. Default 100. Too small: statements are prepared again and
   * again. Too large: the server keeps their plans in the memory of each session.
   */
  readonly preparedStatementCacheSize?: number | undefined
  /**
   * The largest message accepted from the server, in bytes. Default 16 MiB. Too small: a row with a large value costs
   * its connection. Too large: a server out of its mind can fill the memory with it.
   */
  readonly maxMessageSize?: number | undefined
  /** Codecs for types beyond those built in. */
  readonly types?: PgTypes.Registry | undefined
  /** Attributes of each statement's span. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
  /** Renames the columns of results, such as `String.snakeToCamel`. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Renames identifiers in statements, such as `String.camelToSnake`. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Whether the names in JSON values are renamed as well. Without effect unless names are renamed. Default true. */
  readonly transformJson?: boolean | undefined
}

/**
 * The names of the presets: those of every pool, and `pooler`, for a pool behind a PgBouncer.
 *
 * @category presets
 * @since 0.1.0
 */
export type PresetName = PoolConfig.PresetName | "pooler"

/**
 * Options for common situations, to be spread before one's own: those of `PoolConfig.presets` with a `statementTimeout`, and
 * one of its own.
 *
 * - `pooler`: behind a PgBouncer in transaction mode. Many connections, since PgBouncer shares a few to the server among
 *   them (its `default_pool_size`); few of them kept; and no setting that a session would have to keep, so that limits of
 *   statements are the role's (`ALTER ROLE app SET statement_timeout = '1min'`). For session mode take another one, with
 *   `pooler: { mode: "session" }` and not more `maxConnections` than `default_pool_size`
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<Record<PresetName, PostgresOptions>> = Object.freeze({
  ...PoolConfig.presetsWith<PostgresOptions>({
    development: { statementTimeout: "30 seconds" },
    production: { statementTimeout: "1 minute" },
    highThroughput: { statementTimeout: "30 seconds" },
    lowLatency: { statementTimeout: "10 seconds" },
    serverless: { statementTimeout: "30 seconds" }
  }),
  pooler: Object.freeze({
    pooler: Object.freeze({ mode: "transaction" as const }),
    minConnections: 5,
    maxConnections: 80,
    idleTimeout: "1 minute",
    connectTimeout: "5 seconds",
    acquireTimeout: "30 seconds"
  })
})

/**
 * The presets' names and descriptions as data, for people who choose one.
 *
 * @category presets
 * @since 0.1.0
 */
export const presetTexts: Readonly<Record<PresetName, PoolConfig.PresetText>> = Object.freeze({
  ...PoolConfig.presetTexts,
  pooler: Object.freeze({
    name: "Behind PgBouncer",
    description: "Many connections to a PgBouncer in transaction mode, which shares few to the server"
  })
})

const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * Reads options from the environment: `DATABASE_URL`, or `DATABASE_HOST`, `DATABASE_PORT`, `DATABASE_USER`,
 * `DATABASE_PASSWORD`, `DATABASE_NAME` and `DATABASE_SSL`; `APP_NAME`, which is `applicationName`; `POOL_STATEMENT_TIMEOUT_MS`; and what `PoolConfig.fromEnv`
 * reads.
 *
 * Behind a PgBouncer `PGBOUNCER_HOST` and `PGBOUNCER_PORT` (6432) take the place of the server's, in `DATABASE_URL` too, and
 * `PGBOUNCER_POOL_MODE` is `pooler.mode`, `transaction` unless it is given. `presets.pooler` has the rest.
 *
 * Absent variables are left out. Variables that contradict each other are refused when the pool is made.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<PostgresOptions> = Config.all({
  own: PoolConfig.fromEnvWith<PostgresOptions>({
    url: Config.Redacted("DATABASE_URL"),
    host: Config.String("DATABASE_HOST"),
    port: Config.Port("DATABASE_PORT"),
    username: Config.String("DATABASE_USER"),
    password: Config.Redacted("DATABASE_PASSWORD"),
    database: Config.String("DATABASE_NAME"),
    ssl: Config.Boolean("DATABASE_SSL"),
    applicationName: Config.String("APP_NAME"),
    statementTimeout: Config.schema(Positive, "POOL_STATEMENT_TIMEOUT_MS")
  }),
  pooler: PoolerEnv.pooler
}).pipe(Config.map(({ own, pooler }) => PoolerEnv.behind(own, pooler)))
