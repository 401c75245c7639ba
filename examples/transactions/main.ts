/**
 * Transactions: commit, rollback on failure, savepoints, and a retry when two of them got in each other's way.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PostgresPool } from "@effect-pools/postgres"
import { Console, Data, Effect, Schedule } from "effect"
import { withServer } from "../support/database.ts"

class Bank extends PostgresPool.Service<Bank>()("app/Bank") {
  static readonly live = withServer((url) => this.layer({ url }))
}

class NotEnough extends Data.TaggedError("NotEnough")<{ readonly balance: number }> {}

const balanceOf = (owner: string) =>
  Effect.map(
    Bank.query<{ readonly balance: number }>`SELECT balance FROM account WHERE owner = ${owner}`,
    ([row]) => row?.balance ?? 0
  )

/** Whatever runs inside is part of the transaction, also what knows nothing of it, such as `balanceOf`. */
const transfer = (from: string, to: string, amount: number) =>
  Bank.transaction(
    Effect.gen(function*() {
      yield* Bank.query`UPDATE account SET balance = balance + ${amount} WHERE owner = ${to}`
      yield* Bank.query`UPDATE account SET balance = balance - ${amount} WHERE owner = ${from}`
      const balance = yield* balanceOf(from)
      if (balance < 0) return yield* new NotEnough({ balance })
    }),
    {
      isolation: "serializable",
      // Two that conflict can't both win: the one that lost runs again as a whole.
      retry: Schedule.exponential("5 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 20 }))
    }
  )

const program = Effect.gen(function*() {
  yield* Bank.query`CREATE TABLE account (owner text PRIMARY KEY, balance int NOT NULL)`
  yield* Bank.query`INSERT INTO account VALUES ('Ada', 100), ('Grace', 0)`

  yield* transfer("Ada", "Grace", 30)
  const refused = yield* Effect.flip(transfer("Grace", "Ada", 1000))
  yield* Console.log(`refused: ${refused._tag}; Grace still has ${yield* balanceOf("Grace")}`)

  // A transaction inside another is a savepoint: its failure undoes only what it did.
  yield* Bank.transaction((sql) =>
    Effect.gen(function*() {
      yield* sql`UPDATE account SET balance = balance + 1 WHERE owner = 'Grace'`
      yield* Effect.ignore(Bank.transaction(Effect.andThen(sql`DELETE FROM account`, Effect.fail("changed my mind"))))
    })
  )

  yield* Effect.all(Array.from({ length: 20 }, () => transfer("Ada", "Grace", 1)), { concurrency: "unbounded" })
  yield* Console.log(`Ada has ${yield* balanceOf("Ada")}, Grace has ${yield* balanceOf("Grace")}`)
})

program.pipe(Effect.provide(Bank.live), NodeRuntime.runMain)
