/** Four statements in a transaction, each sent when the one before is answered, since what it does may depend on that. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Constructor } from "effect/sql/Statement"
import { Client } from "pg"
import type { Workload } from "../workload.ts"
import { contendersFor } from "./contenders.ts"
import { fromOf, toOf } from "./data.ts"

interface Account {
  readonly balance: number
}

const lock = "SELECT balance FROM account WHERE id = $1 FOR UPDATE"
const take = "UPDATE account SET balance = $2 WHERE id = $1"
const give = "UPDATE account SET balance = balance + 1 WHERE id = $1"
const look = "SELECT balance FROM account WHERE id = $1"

/** The amount by which the first account has changed. */
const moved = (before: ReadonlyArray<Account>, after: ReadonlyArray<Account>): number =>
  (before[0]?.balance ?? Number.NaN) - (after[0]?.balance ?? Number.NaN)

const inEffect = (sql: Constructor, i: number): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const before = yield* sql<Account>`SELECT balance FROM account WHERE id = ${fromOf(i)} FOR UPDATE`
    yield* sql`UPDATE account SET balance = ${before[0]!.balance - 1} WHERE id = ${fromOf(i)}`
    yield* sql`UPDATE account SET balance = balance + 1 WHERE id = ${toOf(i)}`
    const after = yield* sql<Account>`SELECT balance FROM account WHERE id = ${fromOf(i)}`
    return moved(before, after)
  })

/** Whatever was taken from one account must be in another. */
const inspect = async (connectionString: string): Promise<string | undefined> => {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows: [found] } = await client.query(
    "SELECT sum(balance)::int AS rest, sum(abs(balance))::int AS moved FROM account"
  )
  await client.query("UPDATE account SET balance = 0")
  await client.end()
  return found?.rest === 0 && found.moved > 0 ? undefined : `left other balances: ${JSON.stringify(found)}`
}

export const transaction: Workload<number> = {
  name: "postgres-transaction",
  server: "postgres",
  worth: 8,
  operations: { 1: 500, 10: 1250, 64: 1920 },
  isRight: (_, amount) => amount === 1,
  weigh: (amount) => amount,
  weight: () => 1,
  inspect,
  contenders: contendersFor<number>({
    ours: (db, i) => db.transaction((sql) => inEffect(sql, i)),
    async pg(pool, i) {
      const client = await pool.connect()
      try {
        await client.query("BEGIN")
        const before = await client.query<Account>({ name: "lock", text: lock, values: [fromOf(i)] })
        await client.query({ name: "take", text: take, values: [fromOf(i), before.rows[0]!.balance - 1] })
        await client.query({ name: "give", text: give, values: [toOf(i)] })
        const after = await client.query<Account>({ name: "look", text: look, values: [fromOf(i)] })
        await client.query("COMMIT")
        return moved(before.rows, after.rows)
      } catch (error) {
        await client.query("ROLLBACK")
        throw error
      } finally {
        client.release()
      }
    },
    postgresJs: (sql, i) =>
      sql.begin(async (sql) => {
        const before = await sql<Array<Account>>`SELECT balance FROM account WHERE id = ${fromOf(i)} FOR UPDATE`
        await sql`UPDATE account SET balance = ${before[0]!.balance - 1} WHERE id = ${fromOf(i)}`
        await sql`UPDATE account SET balance = balance + 1 WHERE id = ${toOf(i)}`
        const after = await sql<Array<Account>>`SELECT balance FROM account WHERE id = ${fromOf(i)}`
        return moved(before, after)
      }) as Promise<number>, // its type unwraps promises in the result
    pgClient: (sql, i) => sql.withTransaction(inEffect(sql, i))
  })
}
