import type { PoolEvent } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { Db, eventually, withDb } from "./support.ts"

layer(EmbeddedPostgres.layer(), { excludeTestServices: true })("operations", (it) => {
  const failing = (statement: Effect.Effect<unknown, unknown, Db>) =>
    Effect.map(Effect.exit(statement), (exit) => assert.isTrue(Exit.isFailure(exit)))

  const ended = Effect.map(Db.stats, ({ counts }) => counts.operations)

  it.effect("a statement that fails by its caller's doing is no illness of the pool", () =>
    withDb(
      { minConnections: 0 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE once (id int PRIMARY KEY)`
        yield* Db.query`INSERT INTO once VALUES (1)`
        yield* Effect.replicateEffect(failing(Db.query`INSERT INTO once VALUES (1)`), 48)
        yield* failing(Db.query`SELECT nonsense`)
        yield* failing(Db.query`SELECT 1 / 0`)
        assert.deepStrictEqual(yield* ended, { success: 2, rejected: 50, failed: 0, interrupted: 0 })
        assert.deepInclude(yield* Db.health, { status: "healthy", errorRate: 0 })
        yield* Db.query`DROP TABLE once`
      })
    ))

  it.effect("one that the server fails for its own sake is: a time limit, a lock, a shutdown", () =>
    withDb(
      { minConnections: 0, statementTimeout: "50 millis", settings: { lock_timeout: "20ms" } },
      Effect.gen(function*() {
        yield* failing(Db.query`SELECT pg_sleep(5)`)
        yield* Db.withConnection((sql) =>
          Effect.andThen(sql`SELECT pg_advisory_lock(42)`, failing(Db.query`SELECT pg_advisory_lock(42)`))
        )
        yield* failing(Db.query`SELECT pg_terminate_backend(pg_backend_pid())`)
        assert.strictEqual((yield* ended).failed, 3)
        const health = yield* Db.health
        assert.strictEqual(health.status, "degraded")
        assert.include(health.warnings.map(({ about }) => about), "operations")
        assert.isAbove(health.errorRate, 0.2)
      })
    ))

  it.effect("each is told to those who ask, with its kind, its rows and the code of its error, and without its values", () =>
    withDb(
      { minConnections: 0, maxConnections: 1 },
      Effect.gen(function*() {
        const seen: Array<PoolEvent.Operated> = []
        yield* Effect.forkChild(
          Stream.runForEach(
            Db.eventsWith({ leases: false, operations: true }),
            (event) => Effect.sync(() => void (event._tag === "Operated" && seen.push(event)))
          ),
          { startImmediately: true }
        )
        yield* Db.query`SELECT generate_series(1, ${3}::int)`
        yield* failing(Db.query`SELECT 1 / 0 WHERE 'a secret' <> ''`)
        yield* failing(Effect.timeout(Db.query`SELECT pg_sleep(5)`, "200 millis"))
        yield* Stream.runDrain(Db.stream((sql) => sql`SELECT generate_series(1, 10)`.stream))
        yield* eventually("all are told", Effect.sync(() => seen.length === 4))
        assert.deepStrictEqual(seen.map(({ count, end, kind, status, text }) => [kind, end, status, count, text]), [
          ["select", "success", undefined, 3, "SELECT generate_series(1, $1::int)"],
          ["select", "rejected", "22012", undefined, "SELECT 1 / 0 WHERE '...' <> '...'"],
          ["select", "interrupted", undefined, undefined, "SELECT pg_sleep(5)"],
          ["select", "success", undefined, undefined, "SELECT generate_series(1, 10)"]
        ])
        const { avgQueryTime, operations } = yield* Db.stats
        assert.isAbove(avgQueryTime, 0)
        assert.strictEqual(operations.slowest[0]?.text, "SELECT pg_sleep(5)")
        assert.isAbove((yield* Db.health).avgQueryTime, 0)
      })
    ))
})
