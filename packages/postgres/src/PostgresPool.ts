/**
 * Managed pools of PostgreSQL connections, as service classes.
 *
 * ```ts
 * import { PostgresPool } from "@effect-pools/postgres"
 * import { Config, Effect } from "effect"
 *
 * class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("DATABASE_URL") })
 * }
 *
 * const user = PrimaryDb.withConnection((sql) => sql`SELECT * FROM users WHERE id = ${1}`).pipe(
 *   Effect.provide(PrimaryDb.live)
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { Notification } from "@effect/sql-pg/PgConnection"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Row } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import * as Transaction from "./internal/transaction.ts"
import type { PostgresOptions } from "./PostgresConfig.ts"
import type { PostgresConnection } from "./PostgresConnector.ts"
import type { Script, ScriptInput } from "./PostgresScript.ts"

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
export interface TransactionOptions extends Pick<ConnectionPool.LeaseOptions, "label"> {
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
 * A service class for a PostgreSQL pool: the pool's members, and those below.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresPoolClass<in out Self, in out Id extends string>
  extends ConnectionPool.PoolClass<Self, Id, PostgresConnection>
{
  /**
   * The pool, and over it `SqlClient` and `PgClient`, so that programs, migrations, models and resolvers written for
   * those run on it unchanged. A program with two pools takes `layerPoolOnly` for the second: of two layers that provide
   * `SqlClient` one would silently hide the other.
   */
  readonly layer: (
    options: PostgresOptions
  ) => Layer.Layer<Self | SqlClient.SqlClient | PgClient.PgClient, PoolError>
  /** `layer` with options read from the configuration. */
  readonly layerConfig: (
    options: Config.Wrap<PostgresOptions>
  ) => Layer.Layer<Self | SqlClient.SqlClient | PgClient.PgClient, PoolError | Config.ConfigError>
  /** The pool alone. */
  readonly layerPoolOnly: (options: PostgresOptions) => Layer.Layer<Self, PoolError>
  /** `layerPoolOnly` with options read from the configuration. */
  readonly layerPoolOnlyConfig: (
    options: Config.Wrap<PostgresOptions>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /**
   * What `layer` provides, without a server: a script answers the statements. See `PostgresScript`.
   */
  readonly layerTest: (
    script: Script | ScriptInput
  ) => Layer.Layer<Self | SqlClient.SqlClient | PgClient.PgClient>
  /**
   * Runs one statement: as a template, ``PrimaryDb.query`SELECT 1` ``, or with the helpers of the client,
   * ``PrimaryDb.query((sql) => sql`INSERT INTO users ${sql.insert(user)}`)``.
   *
   * Inside a transaction of the pool it is part of it. Statements that belong together go into `withConnection` or
   * `transaction`, since two calls may run on two connections.
   */
  readonly query: {
    <A extends object = Row>(
      strings: TemplateStringsArray,
      ...args: ReadonlyArray<unknown>
    ): Effect.Effect<ReadonlyArray<A>, SqlError | PoolError, Self>
    <A, E, R>(f: (sql: Statement.Constructor) => Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolError, R | Self>
  }
  /**
   * Streams from a connection that is held until the stream ends:
   * ``PrimaryDb.stream((sql) => sql`SELECT * FROM events`.stream)``. While it runs, another statement on the same
   * connection waits for its end. One that is left before its end is stopped on the server, which inside a transaction
   * makes the whole transaction fail: let the statement have a `LIMIT` there.
   */
  readonly stream: <A, E, R>(
    f: (sql: PostgresConnection) => Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | PoolError, R | Self>
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
    ): Effect.Effect<A, E | SqlError | PoolError, R | Self>
    <A, E, R>(
      effect: Effect.Effect<A, E, R>,
      options?: TransactionOptions
    ): Effect.Effect<A, E | SqlError | PoolError, R | Self>
  }
  /**
   * The notifications of a channel from the moment the stream runs.
   *
   * All listeners of the pool share one connection, held as long as there is any. If it is lost the stream fails: what
   * was sent meanwhile is lost too, so look at the tables before listening again. The stream ends when the pool drains.
   * What a slow reader has not taken yet is kept in memory, without a limit.
   */
  readonly listen: (channel: string) => Stream.Stream<Notification, SqlError | PoolError, Self>
  /** Sends a notification; inside a transaction, when it commits. */
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError | PoolError, Self>
}

/**
 * Makes a service class: `class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {}`.
 *
 * The id is the pool's name unless the options give one. Two classes with the same id are the same service.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): PostgresPoolClass<Self, Id> => {
  const tag = ConnectionPool.serviceClass<Self, PostgresConnection>()(id)
  const make = (options: PostgresOptions) => Runtime.make(id, options)
  const fromConfig = (options: Config.Wrap<PostgresOptions>) => Effect.flatMap(Config.unwrap(options), make)
  const statics: Omit<PostgresPoolClass<Self, Id>, keyof typeof tag> = {
    layer: (options) => layerOf(tag, make(options)),
    layerConfig: (options) => layerOf(tag, fromConfig(options)),
    layerPoolOnly: (options) => layerPoolOnlyOf(tag, make(options)),
    layerPoolOnlyConfig: (options) => layerPoolOnlyOf(tag, fromConfig(options)),
    layerTest: (script) => layerOf(tag, Scripted.make(id, script)),
    ...operations(tag)
  }
  return Object.assign(tag, statics)
}

type Make<E> = Effect.Effect<Runtime.Runtime, E, Scope.Scope | Reactivity.Reactivity>

const layerOf = <Self, E>(
  tag: Context.Key<Self, Runtime.Pool>,
  make: Make<E>
): Layer.Layer<Self | SqlClient.SqlClient | PgClient.PgClient, E> =>
  Layer.effectContext(
    Effect.map(make, ({ client, pool }) =>
      Context.make(tag, pool).pipe(Context.add(SqlClient.SqlClient, client), Context.add(PgClient.PgClient, client)))
  ).pipe(
    Layer.provide(Reactivity.layer)
  )

const layerPoolOnlyOf = <Self, E>(tag: Context.Key<Self, Runtime.Pool>, make: Make<E>): Layer.Layer<Self, E> =>
  Layer.effect(tag, Effect.map(make, ({ pool }) => pool)).pipe(Layer.provide(Reactivity.layer))

type Operations<Self> = Pick<PostgresPoolClass<Self, string>, "query" | "stream" | "transaction" | "listen" | "notify">

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

const operations = <Self>(tag: Context.Service<Self, Runtime.Pool>): Operations<Self> => {
  const use = <A, E, R>(f: (runtime: Runtime.Runtime) => Effect.Effect<A, E, R>) =>
    tag.use((pool) => Runtime.use(pool, f))
  return {
    query:
      ((first: TemplateStringsArray | ((sql: Statement.Constructor) => AnyEffect), ...args: Array<unknown>) =>
        use(({ sql }) => typeof first === "function" ? first(sql) : sql(first, ...args))) as Operations<Self>["query"],
    stream: <A, E, R>(f: (sql: PostgresConnection) => Stream.Stream<A, E, R>) =>
      // `Self` is no scope, but the compiler can't know that of a type parameter.
      Stream.unwrap(
        use(({ bare, kit }) => Effect.map(Runtime.held(kit, bare), (lease) => f(lease.lent)))
      ) as Stream.Stream<A, E | PoolError, R | Self>,
    transaction: <A, E, R>(
      body: Effect.Effect<A, E, R> | ((sql: PostgresConnection) => Effect.Effect<A, E, R>),
      options: TransactionOptions = {}
    ) => use(({ bare, kit }) => Transaction.run(kit, bare, Effect.isEffect(body) ? () => body : body, options)),
    listen: (channel) => Stream.unwrap(use(({ listen }) => Effect.succeed(listen(channel)))),
    notify: (channel, payload) => use(({ sql }) => Effect.asVoid(sql`SELECT pg_notify(${channel}, ${payload})`))
  }
}
