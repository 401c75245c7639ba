/**
 * The members of a PostgreSQL pool: types alone.
 */
import type { Notification } from "@effect/sql-pg/PgConnection"
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { Row } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type * as Stream from "effect/Stream"
import type { PostgresConnection } from "./connectionModel.ts"
import type { StatementCost } from "./cost/costs.ts"
import type { Notice } from "./notices.ts"
import type { PreparedCounts } from "./statements.ts"

/**
 * The isolation levels of a transaction.
 *
 * @category models
 * @since 0.1.0
 */
export type Isolation = "read committed" | "repeatable read" | "serializable"

/**
 * How a transaction begins, and when it is tried again.
 *
 * They are for the outermost transaction. One inside it is a savepoint: it accepts the same or weaker demands, and
 * refuses stronger ones with the defect `PoolMisuse`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransactionOptions extends Pick<LeaseOptions, "label"> {
  /** Default: the server's own setting, which is `"read committed"` unless somebody changed it. */
  readonly isolation?: Isolation | undefined
  /** The server refuses writes. */
  readonly readOnly?: boolean | undefined
  /** Waits for a moment at which the transaction can't conflict. Only for one that is serializable and `readOnly`. */
  readonly deferrable?: boolean | undefined
  /**
   * Runs the whole effect again, in a new transaction, when it lost against another one: a serialization failure
   * (40001) or a deadlock (40P01). Everything else in the effect runs again too. By default nothing is tried again.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * Options of one statement: see `PostgresMembers.query`.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueryOptions extends Pick<LeaseOptions, "label" | "priority"> {
  /**
   * How long each try may take, its wait for a connection included. Then the statement is stopped on the server and the
   * caller has a `SqlError` with the reason `StatementTimeoutError`. Default: as long as `acquireTimeout` and the session's
   * `statementTimeout` allow. Too short: a busy server is given up while it answers. Too long: callers hang.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * How often it is tried again, at most 100, after an error that says `isRetryable`: it was not carried out. After `timeout`
   * only what changes nothing is tried again. The waits grow from 100 ms, and count against `traffic.retryBudget` and the
   * caller's deadline. Default 0. In a transaction nothing is: the whole transaction has failed (`TransactionOptions.retry`).
   * Too many: callers wait in vain.
   */
  readonly retries?: number | undefined
}

/**
 * The members of a PostgreSQL pool beyond lending. `Env` is what a member asks for: nothing on a pool, the class on a class.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresMembers<out Env = never> {
  /**
   * Runs one statement: as a template, ``db.query`SELECT 1` ``, or with the helpers of the client,
   * ``db.query((sql) => sql`INSERT INTO users ${sql.insert(user)}`)``.
   *
   * The second argument of the latter says more: ``db.query((sql) => sql`...`, { timeout: "2 seconds", retries: 2 })``.
   *
   * Inside a transaction of the pool it is part of it. Statements that belong together go into `withConnection` or
   * `transaction`, since two calls may run on two connections.
   */
  readonly query: {
    <A extends object = Row>(
      strings: TemplateStringsArray,
      ...args: ReadonlyArray<unknown>
    ): Effect.Effect<ReadonlyArray<A>, SqlError | PoolError, Env>
    <A, E, R>(f: (sql: Statement.Constructor) => Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolError, R | Env>
    <A, E, R>(
      f: (sql: Statement.Constructor) => Effect.Effect<A, E, R>,
      options: QueryOptions
    ): Effect.Effect<A, E | SqlError | PoolError, R | Env>
  }
  /**
   * Streams from a connection that is held until the stream ends:
   * ``db.stream((sql) => sql`SELECT * FROM events`.stream)``. While it runs, another statement on the same
   * connection waits for its end. One that is left before its end is stopped on the server, which inside a transaction
   * makes the whole transaction fail: let the statement have a `LIMIT` there.
   */
  readonly stream: <A, E, R>(
    f: (sql: PostgresConnection) => Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | PoolError, R | Env>
  /**
   * Runs an effect in a transaction: committed if it succeeds, rolled back if it fails or is interrupted. Inside
   * another transaction of the pool it is a savepoint.
   *
   * Whatever the effect does through the pool is part of the transaction: the `sql` it is given, `query`,
   * `withConnection`, and statements of `SqlClient`.
   */
  readonly transaction: {
    <A, E, R>(
      f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
      options?: TransactionOptions
    ): Effect.Effect<A, E | SqlError | PoolError, R | Env>
    <A, E, R>(
      effect: Effect.Effect<A, E, R>,
      options?: TransactionOptions
    ): Effect.Effect<A, E | SqlError | PoolError, R | Env>
  }
  /**
   * The notifications of a channel from the moment the stream runs.
   *
   * All listeners of the pool share one connection, held as long as there is any. If it is lost the stream fails: what
   * was sent meanwhile is lost too, so look at the tables before listening again. The stream ends when the pool drains.
   * Messages that a slow reader has not taken yet are kept in memory, without a limit.
   */
  readonly listen: (channel: string) => Stream.Stream<Notification, SqlError | PoolError, Env>
  /**
   * The cost of a statement, as a template or as `query` takes a function: by its last runs if the pool has the option `heavy` and
   * it ran 20 times, else by the planner, who is asked without running it. Of a pool that is a mock it is unknown.
   */
  readonly cost: {
    (strings: TemplateStringsArray, ...args: ReadonlyArray<unknown>): Effect.Effect<StatementCost, PoolError, Env>
    (f: (sql: Statement.Constructor) => Statement.Statement<any>): Effect.Effect<StatementCost, PoolError, Env>
  }
  /**
   * Messages of the server beside its answers, on whichever connection of the pool: `RAISE NOTICE`, warnings. A reader that is a
   * thousand behind loses the oldest.
   */
  readonly notices: Stream.Stream<Notice, never, Env>
  /** How well prepared statements are used, since the pool was made. Of a pool that is a mock all are 0. */
  readonly prepared: Effect.Effect<PreparedCounts, never, Env>
  /** Sends a notification; inside a transaction, when it commits. */
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError | PoolError, Env>
}

/**
 * A pool of connections to PostgreSQL: the members of every pool, and those of `PostgresMembers`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresPool extends ConnectionPool<PostgresConnection>, PostgresMembers {}
