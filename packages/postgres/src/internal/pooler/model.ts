/**
 * The option `pooler`: types alone.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"

/**
 * Where the console of a PgBouncer is, and as whom. Its database is `pgbouncer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgBouncerOptions {
  /** Default `localhost`. */
  readonly host?: string | undefined
  /** Default 6432. */
  readonly port?: number | undefined
  /** Default: the user of the operating system. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Default `false`; as `ssl` of a pool. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /**
   * How long a command may take, its login included. Default 10 s. `PAUSE` waits for the ends of transactions: too short,
   * and a database with long ones is never paused; too long, and its clients wait with it.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * How PgBouncer hands out its connections to the server: its `pool_mode`. Its `statement` mode, which has no transactions,
 * is none for a pool.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolerMode = "transaction" | "session"

/**
 * A PgBouncer between the pool and the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolerOptions {
  /** Its `pool_mode`. It can't be found out: without `admin` nobody notices a wrong one. */
  readonly mode: PoolerMode
  /**
   * Its console, as one of its `admin_users` or `stats_users`: its settings are read when the pool is made, and those
   * that contradict the pool's options are refused. By default nothing is asked. Host, port, user, password and TLS
   * that are not given are the pool's.
   */
  readonly admin?: Partial<PgBouncerOptions> | undefined
}
