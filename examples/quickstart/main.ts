/**
 * The shortest useful program: a pool as a class, a statement, several statements on one connection, and what the pool
 * says of itself.
 *
 * With a database of your own the layer is `PrimaryDb.layerConfig({ url: Config.Redacted("DATABASE_URL") })`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PostgresPool } from "@effect-pools/postgres"
import { Console, Effect } from "effect"
import { withServer } from "../support/database.ts"

class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
  static readonly live = withServer((url) => this.layer({ url, maxConnections: 4 }))
}

const program = Effect.gen(function*() {
  yield* PrimaryDb.query`CREATE TABLE visit (name text)`

  // Everything in here happens on one connection, which is back in the pool when the effect has ended, however it ends.
  const visits = yield* PrimaryDb.withConnection((sql) =>
    Effect.gen(function*() {
      yield* sql`INSERT INTO visit ${sql.insert([{ name: "Ada" }, { name: "Grace" }])}`
      return yield* sql<{ readonly name: string }>`SELECT name FROM visit ORDER BY name`
    })
  )
  yield* Console.log("visits:", visits.map(({ name }) => name).join(", "))

  // Ten callers, four connections: six wait their turn.
  yield* Effect.all(Array.from({ length: 10 }, () => PrimaryDb.query`SELECT pg_sleep(0.05)`), {
    concurrency: "unbounded"
  })
  const { counts, idle, total } = yield* PrimaryDb.stats
  yield* Console.log(`connections: ${total}, idle: ${idle}, callers that waited: ${counts.acquiredAfterWaiting}`)
  yield* Console.log("health:", (yield* PrimaryDb.health).status)
})

program.pipe(Effect.provide(PrimaryDb.live), NodeRuntime.runMain)
