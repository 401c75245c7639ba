/** A hundred rows in one statement: as arrays, of which each client sends one parameter a column. */
import * as Effect from "effect/Effect"
import { Client } from "pg"
import type { Workload } from "../workload.ts"
import { contendersFor } from "./contenders.ts"
import { batch } from "./data.ts"

const ids = batch.map(({ id }) => id)
const names = batch.map(({ name }) => name)
const emails = batch.map(({ email }) => email)

const text = "INSERT INTO note SELECT * FROM unnest($1::int[], $2::text[], $3::text[])"

/** The result of a statement as the driver of Effect gives it. */
const countOf = (result: unknown): number => (result as { readonly rowCount: number }).rowCount

/** Compares what was written, and takes it away for the next. */
const inspect = async (connectionString: string): Promise<string | undefined> => {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows: [found] } = await client.query(
    "SELECT count(*)::int % 100 AS rest, count(DISTINCT (id, name, email))::int AS kinds, " +
      "bool_and(name = 'person ' || id AND email = id || '@example.com') AS whole FROM note"
  )
  await client.query("TRUNCATE note")
  await client.end()
  const isRight = found?.rest === 0 && found.kinds === batch.length && found.whole === true
  return isRight ? undefined : `wrote other rows: ${JSON.stringify(found)}`
}

export const insert: Workload<number> = {
  name: "postgres-insert-100",
  server: "postgres",
  worth: 15,
  operations: { 1: 500, 10: 1000, 64: 1280 },
  isRight: (_, count) => count === batch.length,
  weigh: (count) => count,
  weight: () => batch.length,
  inspect,
  contenders: contendersFor<number>({
    ours: (db) =>
      Effect.map(
        db.query((sql) =>
          sql`INSERT INTO note SELECT * FROM unnest(${ids}::int[], ${names}::text[], ${emails}::text[])`.raw
        ),
        countOf
      ),
    pg: async (pool) =>
      (await pool.query({ name: "insert", text, values: [ids, names, emails] })).rowCount ?? Number.NaN,
    postgresJs: async (sql) =>
      (await sql`INSERT INTO note SELECT * FROM unnest(${ids}::int[], ${names}::text[], ${emails}::text[])`).count,
    pgClient: (sql) =>
      Effect.map(
        sql`INSERT INTO note SELECT * FROM unnest(${ids}::int[], ${names}::text[], ${emails}::text[])`.raw,
        countOf
      )
  })
}
