/** A row by its key, and a thousand rows. */
import { isDeepStrictEqual } from "node:util"
import type { Workload } from "../workload.ts"
import { contendersFor } from "./contenders.ts"
import { crowd, idOf, memberOf, people, type Person, personOf } from "./data.ts"

type Rows = ReadonlyArray<Person>

const one = "SELECT id, name, email FROM person WHERE id = $1"

export const select: Workload<Rows> = {
  name: "postgres-select",
  server: "postgres",
  operations: { 1: 3000, 10: 7500, 64: 12_800 },
  isRight: (i, rows) => rows.length === 1 && isDeepStrictEqual({ ...rows[0] }, personOf(i)),
  weigh: (rows) => rows[0]?.id ?? Number.NaN,
  weight: (i) => i % people,
  contenders: contendersFor<Rows>({
    ours: (db, i) => db.query<Person>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`,
    pg: async (pool, i) => (await pool.query<Person>({ name: "person", text: one, values: [idOf(i)] })).rows,
    // It runs when it is awaited, so the promise goes on as it is.
    postgresJs: (sql, i): Promise<Rows> => sql<Array<Person>>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`,
    pgClient: (sql, i) => sql<Person>`SELECT id, name, email FROM person WHERE id = ${idOf(i)}`
  })
}

const all = Array.from({ length: crowd }, (_, id) => memberOf(id))

const many = "SELECT id, name, email FROM crowd WHERE id >= $1 ORDER BY id"

export const rows: Workload<Rows> = {
  name: "postgres-1000-rows",
  server: "postgres",
  worth: 40,
  operations: { 1: 250, 10: 500, 64: 640 },
  isRight: (_, rows) => isDeepStrictEqual(rows.map((row) => ({ ...row })), all),
  weigh: (rows) => rows.reduce((sum, { id }) => sum + id, 0),
  weight: () => crowd * (crowd - 1) / 2,
  contenders: contendersFor<Rows>({
    ours: (db) => db.query<Person>`SELECT id, name, email FROM crowd WHERE id >= ${0} ORDER BY id`,
    pg: async (pool) => (await pool.query<Person>({ name: "crowd", text: many, values: [0] })).rows,
    postgresJs: (sql): Promise<Rows> =>
      sql<Array<Person>>`SELECT id, name, email FROM crowd WHERE id >= ${0} ORDER BY id`,
    pgClient: (sql) => sql<Person>`SELECT id, name, email FROM crowd WHERE id >= ${0} ORDER BY id`
  })
}
