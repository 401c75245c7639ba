/** Clients of PostgreSQL. All of them have the server prepare a statement once per connection. */
import type { PoolError } from "@effect-pools/core/PoolError"
import { PostgresPool } from "@effect-pools/postgres"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import { Client } from "pg"
import PgPool from "pg-pool"
import postgres, { type Sql } from "postgres"
import { bareClient, effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"

class Db extends PostgresPool.Service<Db>()("bench/Db") {}

/** The same operation for all of them, each in the way that its documentation advises. */
export interface Operation<A> {
  ours(db: typeof Db, i: number): Effect.Effect<A, SqlError | PoolError, Db>
  pg(pool: PgPool<Client>, i: number): Promise<A>
  postgresJs(sql: Sql, i: number): Promise<A>
  pgClient(sql: PgClient.PgClient, i: number): Effect.Effect<A, SqlError>
}

const ours = <A>(name: string, sharing: number, { ours }: Operation<A>): Contender<A> => ({
  name,
  isOurs: true,
  connections: poolSize,
  open: (url) =>
    effectClient(
      Db.layerPoolOnly({
        url: Redacted.make(url),
        minConnections: poolSize,
        maxConnections: poolSize,
        sharing
      }),
      (i) => ours(Db, i)
    )
})

const pgPool = <A>({ pg }: Operation<A>): Contender<A> => ({
  name: "pg-pool",
  isOurs: false,
  connections: poolSize,
  async open(connectionString) {
    const pool = new PgPool({ connectionString, max: poolSize, Client })
    return bareClient<A>((i) => pg(pool, i), () => pool.end())
  }
})

const postgresJs = <A>(operation: Operation<A>): Contender<A> => ({
  name: "postgres.js",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const sql = postgres(url, { max: poolSize })
    return bareClient<A>((i) => operation.postgresJs(sql, i), () => sql.end())
  }
})

const pgClient = <A>(name: string, multiplex: boolean, { pgClient }: Operation<A>): Contender<A> => ({
  name,
  isOurs: false,
  connections: poolSize,
  open: (url) =>
    effectClient(
      PgClient.layer({ url: Redacted.make(url), minConnections: poolSize, maxConnections: poolSize, multiplex }),
      (i) => Effect.flatMap(PgClient.PgClient, (sql) => pgClient(sql, i))
    )
})

export const contendersFor = <A>(operation: Operation<A>): ReadonlyArray<Contender<A>> => [
  ours("effect-pools", 1, operation),
  ours("effect-pools sharing", 32, operation),
  pgPool(operation),
  postgresJs(operation),
  pgClient("PgClient", false, operation),
  pgClient("PgClient multiplex", true, operation)
]
