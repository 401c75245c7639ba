/** What the program does with its connections: a small bank, whose money must all be there in the end. */
import { Effect, Random, Stream } from "effect"
import { PrimaryDb } from "./PrimaryDb.ts"

export const accounts = 1000
const deposit = 100

export const open = PrimaryDb.withConnection((sql) =>
  Effect.gen(function*() {
    yield* sql`CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)`
    yield* sql`CREATE TABLE visit (id bigserial PRIMARY KEY, account int NOT NULL, at timestamptz DEFAULT now())`
    yield* sql`INSERT INTO account SELECT id, ${deposit} FROM generate_series(1, ${accounts}::int) id`
  }), { label: "open the bank" })

const anyAccount = Random.nextIntBetween(1, accounts)

const look = Effect.flatMap(
  anyAccount,
  (id) => PrimaryDb.withConnection((sql) => sql`SELECT balance FROM account WHERE id = ${id}`, { label: "look" })
)

const visit = Effect.flatMap(
  anyAccount,
  (id) => PrimaryDb.withConnection((sql) => sql`INSERT INTO visit (account) VALUES (${id})`, { label: "visit" })
)

const transfer = Effect.gen(function*() {
  const [from, to] = [yield* anyAccount, yield* anyAccount].toSorted((a, b) => a - b)
  // Both accounts are locked in the order of their ids, so two transfers can't wait for each other.
  yield* PrimaryDb.transaction((sql) =>
    Effect.gen(function*() {
      yield* sql`UPDATE account SET balance = balance - 1 WHERE id = ${from}`
      yield* sql`UPDATE account SET balance = balance + 1 WHERE id = ${to}`
    }), { label: "transfer" })
})

const list = Stream.runDrain(
  PrimaryDb.stream((sql) => sql`SELECT id, balance FROM account ORDER BY balance DESC`.stream)
)

/** One thing that a customer does. */
export const errand = Effect.flatMap(
  Random.nextIntBetween(0, 99),
  (dice) => dice < 60 ? Effect.asVoid(look) : dice < 85 ? Effect.asVoid(visit) : dice < 98 ? transfer : list
)

/** Fails with a defect if a transfer was done by half. */
export const audit = PrimaryDb.query<{ readonly total: bigint }>`SELECT sum(balance) AS total FROM account`.pipe(
  Effect.flatMap(([row]) =>
    Number(row?.total) === accounts * deposit
      ? Effect.void
      : Effect.die(new Error(`money is missing: ${row?.total} of ${accounts * deposit}`))
  )
)
