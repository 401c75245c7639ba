import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { PoolError } from "@effect-pools/core"
import type { PostgresConnector } from "@effect-pools/postgres"
import { Cause, Deferred, Effect, Exit, Fiber, type Scope, Stream } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { active, Db, eventually, timed, withDb } from "./support.ts"

const one = { minConnections: 1, maxConnections: 1, sharing: 8 } as const

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("sharing", (it) => {
  it.effect("single statements share a connection without waiting for each other's callers", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const answers = yield* Effect.all(
          Array.from({ length: 40 }, (_, i) =>
            i % 2 === 0 ? Db.query`SELECT ${i}::int AS i` : sql<{ i: number }>`SELECT ${i}::int AS i`),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.flat().map((row) =>
            row["i"]
          ),
          Array.from({ length: 40 }, (_, i) => i)
        )
        const { counts } = yield* Db.stats
        assert.strictEqual(counts.opened, 1)
        assert.isAtLeast(counts.acquiredAtOnce, 8)
      })
    ))

  it.effect("is that of a decorated pool too, whose own members lend each connection", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const pool = yield* Db
        const lent: Array<boolean> = []
        const decorated: typeof pool = {
          ...pool,
          withConnection: (f, options) => {
            lent.push(options?.isShared === true)
            return pool.withConnection(f, options)
          }
        }
        const answers = yield* Effect.all(
          Array.from({ length: 20 }, (_, i) => Db.query`SELECT ${i}::int AS i, pg_sleep(0.02) IS NULL AS slept`),
          { concurrency: "unbounded" }
        ).pipe(Effect.provideService(Db, decorated))
        assert.deepStrictEqual(answers.flat().map((row) => row["i"]), Array.from({ length: 20 }, (_, i) => i))
        assert.deepStrictEqual(lent, Array.from({ length: 20 }, () => true))
        assert.isAtLeast((yield* Db.stats).counts.acquiredAtOnce, 8)
        yield* Effect.provideService(Db.query`SET work_mem = '5MB'`, Db, decorated)
        assert.isFalse(lent.at(-1))
      })
    ))

  it.effect("without it each has a connection to itself", () =>
    withDb(
      { ...one, sharing: 1 },
      Effect.gen(function*() {
        yield* Effect.all(Array.from({ length: 4 }, () => Db.query`SELECT pg_sleep(0.05)`), {
          concurrency: "unbounded"
        })
        assert.strictEqual((yield* Db.stats).counts.acquiredAtOnce, 1)
      })
    ))

  it.effect("a slow statement holds up nobody as long as another connection is idle", () =>
    withDb(
      { minConnections: 2, maxConnections: 2, sharing: 8 },
      Effect.gen(function*() {
        const slow = yield* Effect.forkChild(Db.query`SELECT pg_sleep(30)`)
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        const [took, rows] = yield* timed(
          Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) => Db.query`SELECT ${i}::int AS i`)
        )
        assert.deepStrictEqual(rows.flat(), Array.from({ length: 20 }, (_, i) => ({ i })))
        assert.isBelow(took, 10_000)
        yield* Fiber.interrupt(slow)
      })
    ))

  for (
    const [what, bad] of [
      ["a value that can't be read", "SELECT floats(1, 2) AS v"],
      ["an array of two dimensions", "SELECT ARRAY[[1,2]] AS v"],
      ["a row above maxMessageSize", "SELECT repeat('x', 200000) AS v"],
      ["a syntax error", "SELECT frm"]
    ] as const
  ) {
    it.effect(`${what} of one fails no statement of another`, () =>
      withDb(
        { maxConnections: 2, sharing: 32, maxMessageSize: 100_000 },
        Effect.gen(function*() {
          yield* Db.query`DROP TABLE IF EXISTS orders`
          yield* Db.query`DROP TYPE IF EXISTS floats`
          yield* Db.query`CREATE TYPE floats AS RANGE (subtype = float8)`
          yield* Db.query`CREATE TABLE orders (id int)`
          const other = Effect.ignore(Db.query((sql) => sql.unsafe(bad)))
          yield* Effect.forEach(
            Array.from({ length: 600 }, (_, i) => i),
            (i) => i % 60 === 59 ? other : Db.query`INSERT INTO orders VALUES (${i})`,
            { concurrency: 60, discard: true }
          )
          assert.deepStrictEqual(yield* Db.query`SELECT count(*)::int AS n FROM orders`, [{ n: 590 }])
        })
      ))
  }

  it.effect("an error of one is not that of the others", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const results = yield* Effect.all(
          [0, 1, 2, 0, 3].map((n) => Effect.result(Db.query`SELECT 6 / ${n}::int AS q`)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Failure", "Success", "Success", "Failure", "Success"])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a transaction, a held connection and a stream are nobody else's", () =>
    withDb(
      { ...one, maxConnections: 2 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE shared (id int)`
        const isInside = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const exclusive = yield* Effect.forkChild(Effect.all([
          Db.transaction((sql) =>
            sql`INSERT INTO shared VALUES (1)`.pipe(
              Effect.andThen(Deferred.succeed(isInside, undefined)),
              Effect.andThen(Deferred.await(mayEnd)),
              Effect.andThen(Effect.fail("rolled back"))
            )
          ).pipe(Effect.flip)
        ]))
        yield* Deferred.await(isInside)
        yield* Effect.all(Array.from({ length: 16 }, (_, i) => Db.query`INSERT INTO shared VALUES (${i + 10})`), {
          concurrency: "unbounded"
        })
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(exclusive)
        assert.deepStrictEqual(yield* Db.query`SELECT count(*)::int AS n FROM shared`, [{ n: 16 }])
        const numbers = Db.stream((sql) => sql`SELECT generate_series(1, 1000) AS n`.stream)
        const [rows] = yield* Effect.all([
          Stream.runCollect(numbers),
          ...Array.from({ length: 16 }, () => Db.query`SELECT 1`)
        ], { concurrency: "unbounded" })
        assert.strictEqual(rows.length, 1000)
      })
    ))

  it.effect("a statement that leaves something behind has a connection to itself", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const all = Effect.all([
          Db.query`SELECT pg_sleep(0.02)`,
          Db.query`SET work_mem = '1234kB'`,
          Db.query`BEGIN`,
          Db.query((sql) => sql`SHOW work_mem`.values),
          Db.query`SELECT set_config('work_mem', '4321kB', false)`,
          Db.query`SELECT pg_sleep(0.02)`,
          Db.query((sql) => sql`SELECT current_setting('work_mem')`.values)
        ], { concurrency: "unbounded" })
        const [before] = yield* Db.query((sql) => sql`SHOW work_mem`.values)
        const [, , , shown, , , current] = yield* all
        assert.deepStrictEqual([shown[0], current[0]], [before, before])
      })
    ))

  it.effect("a shared lease refuses what would be in the way of the others as misuse", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const uses: ReadonlyArray<
          (sql: PostgresConnector.PostgresConnection) => Effect.Effect<unknown, unknown, Scope.Scope>
        > = [
          (sql) => sql`BEGIN`,
          (sql) => sql.withTransaction(sql`SELECT 1`),
          (sql) => sql`CREATE TABLE never (id int)`,
          (sql) => Stream.runDrain(sql`SELECT 1`.stream),
          (sql) => sql.listen("a")
        ]
        for (const use of uses) {
          const exit = yield* Effect.exit(Db.withShared((sql) => Effect.scoped(use(sql))))
          assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof PoolError.PoolMisuse)
        }
        assert.deepStrictEqual(yield* Db.withShared((sql) => sql`SELECT 1 AS a`), [{ a: 1 }])
        assert.deepStrictEqual(
          yield* Db.transaction(Db.withShared((sql) => Effect.andThen(sql`CREATE TABLE own (id int)`, sql`TABLE own`))),
          []
        )
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("an interrupted statement that is alone is stopped on the server", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Db.query`SELECT pg_sleep(30)`)
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        const [took] = yield* timed(Fiber.interrupt(fiber))
        assert.isBelow(took, 1000)
        assert.strictEqual(yield* active, 0)
        assert.deepStrictEqual(yield* Db.withConnection((sql) => sql`SELECT 1 AS a`), [{ a: 1 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("an interrupted statement in company is stopped when the last of them has left", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const slow = yield* Effect.forkChild(Db.query`SELECT pg_sleep(30)`)
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        const behind = yield* Effect.forkChild(Db.query`SELECT 1`)
        yield* eventually("both share", Effect.map(Db.stats, ({ counts }) => counts.acquiredAtOnce >= 2))
        yield* Fiber.interrupt(slow)
        assert.strictEqual(yield* active, 1)
        yield* Fiber.interrupt(behind)
        assert.strictEqual(yield* active, 0)
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("interruptions at any moment mix up no answers", () =>
    withDb(
      { minConnections: 2, maxConnections: 2, sharing: 8 },
      Effect.gen(function*() {
        const work = (i: number) =>
          Effect.gen(function*() {
            const patience = i * 7 % 11
            if (i % 5 === 0) {
              const [row] = yield* Db.transaction((sql) => sql`SELECT ${i}::int AS i, pg_sleep(0.001)`)
              return assert.strictEqual(row?.["i"], i)
            }
            const slow = i % 3 === 0 ? 0.008 : 0
            const rows = yield* Effect.timeoutOption(
              Db.query`SELECT ${i}::int AS i, pg_sleep(${slow}::float8) IS NULL`,
              patience
            )
            if (rows._tag === "Some") assert.strictEqual(rows.value[0]?.["i"], i)
          })
        yield* Effect.forEach(Array.from({ length: 600 }, (_, i) => i), work, { concurrency: 12, discard: true })
        assert.strictEqual((yield* Db.stats).used, 0)
        yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
      })
    ), 60_000)

  it.effect("a lost connection fails all that shared it, and the next statement works", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const fibers = yield* Effect.forEach(
          Array.from({ length: 5 }),
          () => Effect.forkChild(Effect.exit(Db.query`SELECT pg_sleep(30)`))
        )
        yield* eventually("they share", Effect.map(Db.stats, ({ counts }) => counts.acquiredAtOnce >= 5))
        yield* eventually("one sleeps", Effect.map(active, (n) => n === 1))
        yield* server.terminateBackends()
        const exits: ReadonlyArray<Exit.Exit<unknown, SqlError.SqlError | unknown>> = yield* Effect.forEach(
          fibers,
          Fiber.join
        )
        assert.isTrue(exits.every(Exit.isFailure))
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
      })
    ))
})
