/**
 * Managed pools of PostgreSQL connections, as service classes.
 *
 * ```ts
 * import { PostgresPool } from "@effect-pools/postgres"
 * import { Config, Effect } from "effect"
 *
 * class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("DATABASE_URL"), maxConnections: 20 })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const db = yield* PrimaryDb
 *   return yield* db.query`SELECT * FROM users WHERE id = ${1}`
 * }).pipe(Effect.provide(PrimaryDb.live))
 * ```
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { PoolServiceClass } from "@effect-pools/core/ConnectionPool"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { operations } from "./internal/members.ts"
import type { PostgresMembers, PostgresPool } from "./internal/model.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import type { PostgresOptions } from "./PostgresConfig.ts"
import type { PostgresConnection } from "./PostgresConnector.ts"
import type { Script, ScriptInput } from "./PostgresScript.ts"

export type { StatementCost } from "./internal/cost/costs.ts"
export type { Isolation, PostgresMembers, PostgresPool, QueryOptions, TransactionOptions } from "./internal/model.ts"
export type { Notice } from "./internal/notices.ts"
export type { PreparedCounts } from "./internal/statements.ts"

/**
 * A service class for a PostgreSQL pool: the members of every pool, those of PostgreSQL, and the layers.
 *
 * The pool is yielded from the class, and has the same members: `const db = yield* PrimaryDb`. With it come `SqlClient`
 * and `PgClient`, so that programs, migrations, models and resolvers written for those run on it unchanged.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresPoolClass<in out Self, in out Id extends string>
  extends
    PoolServiceClass<Self, Id, PostgresConnection, PostgresPool>,
    PostgresMembers<Self>,
    PoolService.Layers<
      Self,
      PostgresConnection,
      PostgresOptions,
      Script | ScriptInput,
      SqlClient.SqlClient | PgClient.PgClient
    >
{}

const backend: PoolService.Backend<
  PostgresPool,
  PostgresConnection,
  PostgresOptions,
  Script | ScriptInput,
  SqlClient.SqlClient | PgClient.PgClient,
  Reactivity.Reactivity
> = {
  operations,
  make: Runtime.make,
  makeTest: Scripted.make,
  services: Reactivity.layer,
  provide: (pool) => {
    const { client } = Runtime.runtimes.of(pool)!
    return Context.make(SqlClient.SqlClient, client).pipe(Context.add(PgClient.PgClient, client))
  }
}

/**
 * Makes a pool that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: PostgresOptions): Effect.Effect<PostgresPool, PoolError, Scope.Scope> =>
  PoolService.makePool(backend, "postgres", options)

/**
 * Makes a service class: `class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {}`.
 *
 * The id is the pool's name unless the options give one. Two classes with the same id are the same service.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): PostgresPoolClass<Self, Id> =>
  PoolService.make<PostgresPoolClass<Self, Id>>(id, backend)
