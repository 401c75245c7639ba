import { NodeRuntime } from "@effect/platform-node"
import { PostgresPool } from "@effect-pools/postgres"
import { Config, Console, Effect } from "effect"

class Db extends PostgresPool.Service<Db>()("app/Db") {
  static readonly live = this.layerConfig({
    url: Config.Redacted("DATABASE_URL"),
    maxConnections: 4,
    idleTimeout: "30 seconds",
    acquireTimeout: "5 seconds"
  })
}

const transfer = (from: string, to: string, amount: number) =>
  Db.transaction((sql) =>
    Effect.andThen(
      sql`UPDATE account SET balance = balance - ${amount} WHERE name = ${from}`,
      sql`UPDATE account SET balance = balance + ${amount} WHERE name = ${to}`
    )
  )

const program = Effect.gen(function*() {
  yield* Db.query`CREATE TABLE IF NOT EXISTS account (name text PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0))`
  yield* Db
    .query`INSERT INTO account VALUES ('Ada', 50), ('Grace', 30) ON CONFLICT (name) DO UPDATE SET balance = EXCLUDED.balance`
  yield* transfer("Ada", "Grace", 20)
  yield* transfer("Ada", "Grace", 1_000).pipe(Effect.catchTag("SqlError", () => Console.log("refused")))
  const rows = yield* Db.query<{ name: string; balance: number }>`SELECT name, balance FROM account ORDER BY name`
  for (const { balance, name } of rows) yield* Console.log(`${name}: ${balance}`)
})

program.pipe(Effect.provide(Db.live), NodeRuntime.runMain)
