import { PoolError } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { isSqlError } from "effect/sql/SqlError"
import { Db, eventually, timed, withDb } from "./support.ts"

layer(EmbeddedPostgres.layer(), { excludeTestServices: true })("a query with options", (it) => {
  const one = { minConnections: 0, maxConnections: 1 }

  const running = Effect.map(
    Effect.flatMap(
      EmbeddedPostgres.EmbeddedPostgres,
      (server) => server.query("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%'", [])
    ),
    ({ length }) => length - 1
  )

  it.effect("ends at its timeout, also on the server, and the connection is of use again", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const [took, error] = yield* timed(
          Effect.flip(Db.query((sql) => sql`SELECT pg_sleep(20)`, { timeout: "100 millis" }))
        )
        assert.isBelow(took, 2000)
        assert.isTrue(isSqlError(error) && error.reason._tag === "StatementTimeoutError")
        assert.include(error.message, "100 ms (timeout)")
        yield* eventually("it is stopped", Effect.map(running, (count) => count <= 0))
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS n`, [{ n: 1 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("is tried again after a lost connection, as often as retries says, unless it was carried out", () =>
    withDb(
      { minConnections: 0 },
      Effect.gen(function*() {
        yield* Db.query`CREATE SEQUENCE tries`
        const fatal = Effect.exit(
          Db.query((sql) => sql`SELECT pg_terminate_backend(pg_backend_pid()), nextval('tries')`, { retries: 2 })
        )
        yield* fatal
        // Each try that reaches the server takes a number or dies before it.
        assert.isAtLeast((yield* Db.stats).counts.opened, 3)
        const opened = (yield* Db.stats).counts.opened
        const rejected = yield* Effect.exit(Db.query((sql) => sql`SELECT 1 / 0`, { retries: 5 }))
        assert.isTrue(Exit.isFailure(rejected))
        assert.isAtMost((yield* Db.stats).counts.opened, opened + 1)
        yield* Db.query`DROP SEQUENCE tries`
      })
    ))

  it.effect("after its timeout is tried again only if it changes nothing", () =>
    withDb(
      one,
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE slow (id int)`
        const options = { timeout: "50 millis", retries: 2 } as const
        const tries = (statement: Effect.Effect<unknown, unknown, Db>) =>
          Effect.gen(function*() {
            const before = (yield* Db.stats).counts.operations.interrupted
            yield* Effect.exit(statement)
            return (yield* Db.stats).counts.operations.interrupted - before
          })
        assert.strictEqual(yield* tries(Db.query((sql) => sql`SELECT pg_sleep(5)`, options)), 3)
        const writing = Db.query((sql) => sql`INSERT INTO slow SELECT 1 FROM pg_sleep(5)`, options)
        assert.strictEqual(yield* tries(writing), 1)
        yield* Db.query`DROP TABLE slow`
      })
    ))

  it.effect("in a transaction is not tried again, since that has failed", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Db.transaction(() => Db.query((sql) => sql`SELECT pg_sleep(5)`, { timeout: "50 millis", retries: 5 }))
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual((yield* Db.stats).counts.operations.interrupted, 1)
      })
    ))

  it.effect("is served by its priority, and known by its label", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const order: Array<string> = []
        const asked = (label: string, priority: "high" | "normal" | "low") =>
          Effect.forkChild(
            Effect.andThen(
              Db.query((sql) => sql`SELECT 1`, { label, priority }),
              Effect.sync(() => void order.push(label))
            ),
            { startImmediately: true }
          )
        const end = yield* Deferred.make<void>()
        const holder = yield* Effect.forkChild(Db.withConnection(() => Deferred.await(end)), { startImmediately: true })
        yield* eventually("it is held", Effect.map(Db.stats, ({ used }) => used === 1))
        const fibers = [yield* asked("report", "low"), yield* asked("page", "normal"), yield* asked("order", "high")]
        yield* eventually("all wait", Effect.map(Db.stats, ({ pending }) => pending === 3))
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.join(holder)
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(order, ["order", "page", "report"])
        const held = yield* Effect.forkChild(
          Db.query((sql) => sql`SELECT pg_sleep(0.2)`, { label: "the report" }),
          { startImmediately: true }
        )
        yield* eventually(
          "it is known by its label",
          Effect.map(Db.connections, (all) => all.some(({ label }) => label === "the report"))
        )
        yield* Fiber.join(held)
      })
    ))

  it.effect("whose options make no sense is a defect that names the rule", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const misused = (options: object) =>
          Effect.map(Effect.exit(Db.query((sql) => sql`SELECT 1`, options)), (exit) => {
            const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
            return defect instanceof PoolError.PoolMisuse ? defect.rule : undefined
          })
        assert.match((yield* misused({ retries: -1 })) ?? "", /option retries of query: must be/)
        assert.match((yield* misused({ timeout: 0 })) ?? "", /option timeout of query: must be/)
        assert.match((yield* misused({ priority: "urgent" })) ?? "", /option priority of query: must be/)
        assert.match((yield* misused({ retry: 3 })) ?? "", /option retry of query: is not an option/)
      })
    ))
})
