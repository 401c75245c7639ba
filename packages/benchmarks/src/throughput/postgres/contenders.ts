/** Clients that read a row by its key. All of them have the server prepare the statement once per connection. */
import { PostgresPool } from "@effect-pools/postgres"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Client } from "pg"
import PgPool from "pg-pool"
import postgres from "postgres"
import { bareClient, effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"
import { idOf, type Person } from "./data.ts"

/** As the clients give them. */
export type Answer = ReadonlyArray<Person> | { readonly rows: ReadonlyArray<Person> }

class Db extends PostgresPool.Service<Db>()("bench/Db") {}

const ours = (name: string, sharing: number): Contender<Answer> => ({
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
      (i) => Db.query<Person>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`
    )
})

const pgPool: Contender<Answer> = {
  name: "pg-pool",
  isOurs: false,
  connections: poolSize,
  async open(connectionString) {
    const pool = new PgPool({ connectionString, max: poolSize, Client })
    const query = (i: number) =>
      pool.query<Person>({
        name: "person",
        text: "SELECT id, name, email FROM person WHERE id = $1",
        values: [idOf(i)]
      })
    return bareClient<Answer>(query, () => pool.end())
  }
}

const postgresJs: Contender<Answer> = {
  name: "postgres.js",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const sql = postgres(url, { max: poolSize })
    // It runs when it is awaited, so the promise goes on as it is.
    const query = (i: number): Promise<Answer> =>
      sql<Array<Person>>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`
    return bareClient(query, () => sql.end())
  }
}

const pgClient = (name: string, multiplex: boolean): Contender<Answer> => ({
  name,
  isOurs: false,
  connections: poolSize,
  open: (url) =>
    effectClient(
      PgClient.layer({ url: Redacted.make(url), minConnections: poolSize, maxConnections: poolSize, multiplex }),
      (i) =>
        Effect.flatMap(
          PgClient.PgClient,
          (sql) => sql<Person>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`
        )
    )
})

export const postgresContenders: ReadonlyArray<Contender<Answer>> = [
  ours("effect-pools", 1),
  ours("effect-pools sharing", 32),
  pgPool,
  postgresJs,
  pgClient("PgClient", false),
  pgClient("PgClient multiplex", true)
]
