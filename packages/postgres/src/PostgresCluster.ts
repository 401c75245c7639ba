/**
 * A PostgreSQL primary and its streaming replicas as one service: writes go to the primary, wherever it is, and reads to
 * whoever has what they must see.
 *
 * ```ts
 * import { Consistency, PostgresCluster } from "@effect-pools/postgres"
 * import { Effect, Redacted } from "effect"
 *
 * class Db extends PostgresCluster.Service<Db>()("app/Db") {
 *   static readonly live = this.layer({
 *     primary: Redacted.make("postgres://app:secret@a/app"),
 *     replicas: [Redacted.make("postgres://app:secret@b/app"), Redacted.make("postgres://app:secret@c/app")]
 *   })
 * }
 *
 * const rename = (id: number, name: string) =>
 *   Effect.gen(function*() {
 *     yield* Db.query`UPDATE users SET name = ${name} WHERE id = ${id}`
 *     // From a replica that has the change, else from the primary.
 *     return yield* Db.read`SELECT * FROM users WHERE id = ${id}`
 *   }).pipe(Consistency.session)
 * ```
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { PoolServiceClass } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as HostList from "./internal/cluster/hostList.ts"
import * as Live from "./internal/cluster/live.ts"
import { operations } from "./internal/cluster/members.ts"
import type { ClusterMembers, ClusterOptions, PostgresCluster } from "./internal/cluster/model.ts"
import * as Scripted from "./internal/cluster/scripted.ts"
import type { PostgresMembers } from "./internal/model.ts"
import * as Runtime from "./internal/runtime.ts"
import type { ClusterScript } from "./ClusterScript.ts"
import * as PostgresConfig from "./PostgresConfig.ts"
import type { PostgresConnection } from "./PostgresConnector.ts"

export type {
  ClusterMembers,
  ClusterOptions,
  Consistency,
  NodeInfo,
  NodeInput,
  NodeOptions,
  PostgresCluster,
  ReadOptions
} from "./internal/cluster/model.ts"

/**
 * A service class for a cluster: the members of a `PostgresPool` of the primary, `read`, and the layers. `SqlClient` and
 * `PgClient` come with it and are the primary's.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresClusterClass<in out Self, in out Id extends string>
  extends
    PoolServiceClass<Self, Id, PostgresConnection, PostgresCluster>,
    PostgresMembers<Self>,
    ClusterMembers<Self>,
    PoolService.Layers<
      Self,
      PostgresConnection,
      ClusterOptions,
      ClusterScript,
      SqlClient.SqlClient | PgClient.PgClient
    >
{}

const backend: PoolService.Backend<
  PostgresCluster,
  PostgresConnection,
  ClusterOptions,
  ClusterScript,
  SqlClient.SqlClient | PgClient.PgClient,
  Reactivity.Reactivity
> = {
  operations,
  make: Live.make,
  makeTest: Scripted.make,
  services: Reactivity.layer,
  provide: (pool) => {
    const { client } = Runtime.runtimes.of(pool)!
    return Context.make(SqlClient.SqlClient, client).pipe(Context.add(PgClient.PgClient, client))
  }
}

/**
 * Makes a cluster that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: ClusterOptions): Effect.Effect<PostgresCluster, PoolError, Scope.Scope> =>
  PoolService.makePool(backend, "postgres cluster", options)

/**
 * Makes a service class: `class Db extends PostgresCluster.Service<Db>()("app/Db") {}`.
 *
 * The id is the cluster's name unless the options give one; the pool of each server is named after it and its address.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): PostgresClusterClass<Self, Id> =>
  PoolService.make<PostgresClusterClass<Self, Id>>(id, backend)

/**
 * Reads options from the environment: the primary as `PostgresConfig.fromEnv` reads it, where `DATABASE_URL` may name
 * several hosts, and `DATABASE_REPLICA_URLS`, the URLs of the replicas with commas or spaces between them.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<ClusterOptions> = Config.all({
  options: PostgresConfig.fromEnv,
  replicas: Config.Redacted("DATABASE_REPLICA_URLS").pipe(Config.option)
}).pipe(Config.map(({ options, replicas }) => fromParts(options, HostList.replicasOf(replicas))))

/** The primary has the options that name a server. */
const fromParts = (
  { database, host, password, port, ssl, url, username, ...shared }: PostgresConfig.PostgresOptions,
  replicas: ClusterOptions["replicas"]
): ClusterOptions => ({
  ...shared,
  primary: Object.fromEntries(
    Object.entries({ database, host, password, port, ssl, url, username }).filter(([, value]) => value !== undefined)
  ),
  replicas
})
