import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { SqlError } from "effect/sql"
import { Db, withDb } from "./support.ts"

const one = { minConnections: 1, maxConnections: 1, settings: { timezone: "UTC" } } as const

const code = (error: SqlError.SqlError): unknown => (error.reason.cause as { code?: unknown }).code

/** Runs a statement in a session that is none of the pool's. */
const elsewhere = (text: string) =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    return yield* (yield* PgConnection.make({ url: server.url })).query(text)
  }))

/** Eight transactions at the same time, each on a connection of its own. */
const eight = <A, E, R>(work: Effect.Effect<A, E, R>, retry?: Schedule.Schedule<unknown>) =>
  Effect.forEach(
    Array.from({ length: 8 }),
    () => Effect.result(Db.transaction(Effect.andThen(Db.query`SELECT pg_sleep(0.05)`, work), { retry })),
    { concurrency: 8 }
  )

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("prepared statements", (it) => {
  for (const sessionReset of ["whenNeeded", "always"] as const) {
    it.effect(`read literals by the settings of their own borrower, with sessionReset ${sessionReset}`, () =>
      withDb(
        { ...one, sessionReset },
        Effect.gen(function*() {
          yield* Db.query`CREATE TABLE IF NOT EXISTS sales AS SELECT '2024-01-01 02:00Z'::timestamptz AS at`
          const sales = Db.query<{ n: number }>`SELECT count(*)::int AS n FROM sales WHERE at >= '2024-01-01'`
          const inNewYork = Db.transaction((sql) => Effect.andThen(sql`SET LOCAL TimeZone = 'America/New_York'`, sales))
          const byFunction = Db.transaction((sql) =>
            Effect.andThen(sql`SELECT set_config('TimeZone', 'America/New_York', true)`, sales)
          )
          const said = Effect.map(Effect.all([inNewYork, sales, byFunction, sales, inNewYork]), (all) =>
            all.map(([row]) => row?.n))
          assert.deepStrictEqual(yield* said, [0, 1, 0, 1, 0])
          assert.deepStrictEqual(yield* said, [0, 1, 0, 1, 0])
          const date = Db.query<{ d: string }>`SELECT '01/02/2024'::date AS d`
          const ofSession = yield* Db.withConnection((sql) =>
            Effect.andThen(sql`SET DateStyle = 'ISO, DMY'`, sql`SELECT '01/02/2024'::date AS d`)
          )
          assert.deepStrictEqual([ofSession, yield* date], [[{ d: "2024-02-01" }], [{ d: "2024-01-02" }]])
          assert.deepStrictEqual(
            yield* Db.withConnection((sql) =>
              Effect.andThen(sql`SET transform_null_equals = on`, sql`SELECT (NULL = NULL) AS v`)
            ),
            [{ v: true }]
          )
          assert.deepStrictEqual(yield* Db.query`SELECT (NULL = NULL) AS v`, [{ v: null }])
          assert.strictEqual((yield* Db.stats).counts.opened, 1)
        })
      ))
  }

  it.effect("begin a transaction without options", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const begins = Db.transaction((sql) =>
          sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_prepared_statements WHERE statement = 'BEGIN'`
        )
        yield* begins
        yield* begins
        assert.deepStrictEqual(yield* begins, [{ n: 1 }])
      })
    ))

  it.effect("are prepared when they come again, on whichever connection, and told in numbers", () =>
    withDb(
      { minConnections: 2, maxConnections: 2, preparedStatementCacheSize: 2 },
      Effect.gen(function*() {
        const prepared = Db.query((sql) =>
          sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_prepared_statements`.unprepared
        )
        const one = (n: number) => Db.query((sql) => sql.unsafe(`SELECT ${n}`))
        for (let n = 0; n < 20; n++) yield* one(n)
        assert.deepStrictEqual(yield* prepared, [{ n: 0 }])
        assert.deepStrictEqual(yield* Db.prepared, { hits: 0, misses: 0, evictions: 0, firsts: 20 })
        yield* Effect.andThen(one(1), one(1))
        assert.deepStrictEqual(yield* Db.prepared, { hits: 1, misses: 1, evictions: 0, firsts: 20 })
        // Another connection has not prepared it yet, but knows that it is worth it.
        yield* Effect.scoped(Effect.andThen(Db.acquire, one(1)))
        assert.deepInclude(yield* Db.prepared, { hits: 1, misses: 2 })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Db.acquire
          for (const n of [2, 3, 4]) yield* one(n)
        }))
        assert.deepInclude(yield* Db.prepared, { misses: 5, evictions: 2 })
      })
    ))

  it.effect("a new connection is warmed before its first lease, and one that can't be is lent all the same", () =>
    Effect.gen(function*() {
      const warmed = (run: ReadonlyArray<string>, timeout?: string) =>
        withDb(
          {
            minConnections: 1,
            maxConnections: 1,
            prewarm: { run, ...(timeout === undefined ? {} : { timeout: timeout as "1 second" }) }
          },
          Effect.gen(function*() {
            const [row] = yield* Db.query<{ v: string; t: string }>`
              SELECT coalesce(current_setting('app.warm', true), '') AS v, current_setting('lock_timeout') AS t`
            assert.strictEqual((yield* Db.stats).counts.opened, 1)
            return row
          })
        )
      yield* elsewhere("CREATE TABLE IF NOT EXISTS warmth (n int)")
      yield* elsewhere("TRUNCATE warmth")
      yield* warmed(["INSERT INTO warmth VALUES (1)", "SET lock_timeout = '3s'"]).pipe(
        // What it set is not for borrowers.
        Effect.map((row) => assert.strictEqual(row?.t, "0"))
      )
      assert.strictEqual((yield* elsewhere("SELECT n FROM warmth")).rowCount, 1)
      yield* warmed(["SELECT no_such_thing"])
      yield* warmed(["SELECT pg_sleep(60)"], "100 millis")
    }))

  it.effect("a literal that means the moment is read each time", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const now = Effect.map(
          Db.query<{ t: number }>`SELECT extract(epoch FROM 'now'::timestamptz)::float8 AS t`,
          ([row]) => row!.t
        )
        const first = yield* now
        yield* Effect.sleep("300 millis")
        assert.isAbove((yield* now) - first, 0.25)
      })
    ))

  it.effect("go on being prepared where a transaction sets what has no part in reading them", () =>
    withDb(
      one,
      Effect.gen(function*() {
        const tenant = Db.transaction((sql) =>
          sql`SELECT set_config('app.tenant', 'acme', true)`.pipe(
            Effect.andThen(sql`SET LOCAL statement_timeout = '5s'`),
            Effect.andThen(sql`SELECT 7 AS seven`)
          )
        )
        // Prepared when it comes again: the first of five is not.
        yield* Effect.repeat(tenant, { times: 4 })
        const rows = yield* Db.query`SELECT (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements
          WHERE statement = 'SELECT 7 AS seven'`
        assert.deepStrictEqual(rows, [{ uses: 4 }])
      })
    ))

  it.effect("one that is interrupted in its first execution is forgotten and prepared anew", () =>
    withDb(
      { ...one, preparedStatementCacheSize: 10 },
      Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 40 }, (_, i) => i), (i) =>
          Effect.exit(Effect.timeout(Db.query((sql) => sql.unsafe(`SELECT pg_sleep(5), ${i}`)), "5 millis")))
        const hot = Db.query((sql) =>
          sql`SELECT pg_sleep(${0.05}), 'hot'`
        )
        yield* Effect.exit(Effect.timeout(hot, "10 millis"))
        yield* Effect.repeat(hot, { times: 4 })
        const [counts] = yield* Db.query<{ all: number; hot: number }>`SELECT count(*)::int AS all,
          coalesce(sum(generic_plans + custom_plans) FILTER (WHERE statement LIKE '%hot''%' AND statement NOT LIKE '%FILTER%'), 0)::int AS hot
          FROM pg_prepared_statements`
        assert.isAtMost(counts!.all, 11)
        assert.isAtLeast(counts!.hot, 4)
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  for (const inside of [true, false]) {
    it.effect(`a table altered ${inside ? "through the pool" : "by somebody else"} fails ${inside ? "no transaction" : "none that has a retry"}`, () =>
      withDb(
        { minConnections: 8, maxConnections: 8 },
        Effect.gen(function*() {
          yield* Db.query`DROP TABLE IF EXISTS altered`
          yield* Db.query`CREATE TABLE altered (id int)`
          const all = Db.query`SELECT * FROM altered`
          const retry = inside ? undefined : Schedule.upTo(Schedule.spaced("1 millis"), { times: 3 })
          yield* eight(all, retry)
          const change = "ALTER TABLE altered ADD COLUMN name text"
          yield* inside ? Db.query((sql) => sql.unsafe(change)) : elsewhere(change)
          const results = yield* eight(all, retry)
          assert.deepStrictEqual(results.filter((r) => r._tag === "Failure"), [])
        })
      ))
  }

  it.effect("after one has met a change of the schema, no other connection of the pool does", () =>
    withDb(
      { minConnections: 8, maxConnections: 8 },
      Effect.gen(function*() {
        yield* Db.query`DROP TABLE IF EXISTS met`
        yield* Db.query`CREATE TABLE met (id int)`
        const all = Db.query`SELECT * FROM met`
        yield* eight(all)
        yield* elsewhere("ALTER TABLE met ADD COLUMN name text")
        const first = yield* Effect.flip(Db.transaction(all))
        assert.strictEqual(first._tag === "SqlError" ? code(first) : first, "0A000")
        assert.deepStrictEqual((yield* eight(all)).filter((r) => r._tag === "Failure"), [])
      })
    ))

  it.effect("a type that was replaced fails no single statement, and one transaction of a pool at most", () =>
    withDb(
      { minConnections: 4, maxConnections: 4 },
      Effect.gen(function*() {
        yield* elsewhere("DROP TABLE IF EXISTS moods")
        yield* elsewhere("DROP TYPE IF EXISTS mood")
        yield* elsewhere("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        yield* elsewhere("CREATE TABLE moods (m mood)")
        const insert = Db.query`INSERT INTO moods VALUES (${"ok"})`
        const replace = Effect.forEach([
          "ALTER TYPE mood RENAME TO mood_old",
          "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')",
          "ALTER TABLE moods ALTER COLUMN m TYPE mood USING m::text::mood",
          "DROP TYPE mood_old"
        ], (text) => elsewhere(text))
        const four = Effect.forEach(Array.from({ length: 4 }), () =>
          Effect.result(Db.query((sql) => Effect.andThen(insert, sql`SELECT pg_sleep(0.02)`))), { concurrency: 4 })
        yield* four
        yield* replace
        assert.deepStrictEqual(
          (yield* four).filter((r) =>
            r._tag === "Failure"
          ),
          []
        )
        yield* replace
        const one = Effect.result(Db.transaction(insert))
        const results = yield* Effect.forEach(Array.from({ length: 12 }), () => one)
        assert.isAtMost(results.filter((r) => r._tag === "Failure").length, 1)
      })
    ))
})
