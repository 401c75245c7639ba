/** A real PostgreSQL, with the table that is read. */
import { EmbeddedPostgres } from "@effect-pools/testing"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Started } from "../started.ts"
import { people, personOf } from "./data.ts"

export const start: Started = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.make()
  yield* Effect.provide(fill, PgClient.layer({ url: server.url }))
  const connections = Effect.map(server.backends(), (backends) => backends.length)
  return { url: Redacted.value(server.url), connections }
})

const rows = Arr.makeBy(people, (i) => ({ ...personOf(i) }))

const fill = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  yield* sql`CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL)`
  yield* sql`INSERT INTO person ${sql.insert(rows)}`
  yield* sql`ANALYZE person`
})
