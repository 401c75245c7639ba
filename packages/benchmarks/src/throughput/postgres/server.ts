/** A real PostgreSQL, with the tables that are read and written. */
import { EmbeddedPostgres } from "@effect-pools/testing"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Started } from "../started.ts"
import { crowd, memberOf, pairs, people, personOf } from "./data.ts"

export const start: Started = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.make()
  yield* Effect.provide(fill, PgClient.layer({ url: server.url }))
  const connections = Effect.map(server.backends(), (backends) => backends.length)
  return { url: Redacted.value(server.url), connections }
})

const rows = Arr.makeBy(people, (i) => ({ ...personOf(i) }))

// The tables that are written to are not logged: the clients are timed, not the disk.
const fill = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  yield* sql`CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL)`
  yield* sql`INSERT INTO person ${sql.insert(rows)}`
  yield* sql`CREATE TABLE crowd (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL)`
  yield* sql`INSERT INTO crowd ${sql.insert(Arr.makeBy(crowd, (id) => ({ ...memberOf(id) })))}`
  yield* sql`CREATE UNLOGGED TABLE note (id int NOT NULL, name text NOT NULL, email text NOT NULL)`
  yield* sql`CREATE UNLOGGED TABLE account (id int PRIMARY KEY, balance int NOT NULL) WITH (fillfactor = 50)`
  yield* sql`INSERT INTO account SELECT id, 0 FROM generate_series(0, ${2 * pairs - 1}::int) AS id`
  yield* sql`ANALYZE person, crowd, account`
})
