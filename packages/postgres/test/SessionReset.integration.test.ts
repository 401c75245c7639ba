import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PoolError } from "@effect-pools/core"
import type { PostgresConnector } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Queue, Random, Scope, Stream } from "effect"
import { active, Db, eventually, withDb } from "./support.ts"

type Sql = PostgresConnector.PostgresConnection

/** What a borrower leaves behind, and how the next one would notice. */
const leftovers: ReadonlyArray<{
  readonly what: string
  readonly leave: (sql: Sql) => Effect.Effect<unknown, unknown>
  readonly look: (sql: Sql) => Effect.Effect<unknown, unknown>
  /** Whether the connection is replaced instead of cleaned. */
  readonly isReplaced?: boolean
}> = [
  {
    what: "an open transaction",
    leave: (sql) => Effect.andThen(sql`BEGIN`, sql`CREATE TABLE leftover (id int)`),
    look: (sql) => sql`SELECT pg_current_xact_id_if_assigned()::text AS x, to_regclass('leftover')::text AS t`.values
  },
  {
    what: "a failed transaction",
    leave: (sql) => Effect.andThen(sql`BEGIN`, Effect.ignore(sql`SELECT 1 / 0`)),
    look: (sql) => sql`SELECT 1`.values
  },
  {
    what: "a setting",
    leave: (sql) => sql`SET statement_timeout = '7s'`,
    look: (sql) => sql`SHOW statement_timeout`.values
  },
  {
    what: "a setting by set_config",
    leave: (sql) => sql`SELECT set_config('app.tenant', 'acme', false)`,
    look: (sql) => sql`SELECT coalesce(nullif(current_setting('app.tenant', true), ''), 'none')`.values
  },
  {
    what: "a setting by an UPDATE",
    leave: (sql) => sql`UPDATE pg_settings SET setting = '1234' WHERE name = 'work_mem'`,
    look: (sql) => sql`SHOW work_mem`.values
  },
  {
    what: "a setting by a DO block",
    leave: (sql) => sql`DO $$ BEGIN PERFORM set_config('work_mem', '1234kB', false); END $$`,
    look: (sql) => sql`SHOW work_mem`.values
  },
  {
    what: "a setting that the server reports",
    leave: (sql) => sql`SELECT report_zone()`,
    look: (sql) => sql`SHOW timezone`.values
  },
  { what: "a role", leave: (sql) => sql`SET ROLE pg_monitor`, look: (sql) => sql`SELECT current_user`.values },
  {
    what: "a LISTEN",
    leave: (sql) => sql`LISTEN somewhere`,
    look: (sql) => sql`SELECT count(*)::int FROM pg_listening_channels()`.values
  },
  {
    what: "a cursor",
    leave: (sql) => sql`DECLARE c CURSOR WITH HOLD FOR SELECT 1`,
    look: (sql) => sql`SELECT count(*)::int FROM pg_cursors WHERE name = 'c'`.values
  },
  {
    what: "an advisory lock",
    leave: (sql) => sql`SELECT pg_advisory_lock(42)`,
    look: (sql) => sql`SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`.values
  },
  {
    what: "a temporary table",
    leave: (sql) => sql`CREATE TEMP TABLE pets (id int)`,
    look: (sql) => sql`SELECT to_regclass('pets')::text`.values
  },
  {
    what: "a temporary table behind a comment",
    leave: (sql) => sql`CREATE /* scratch */ TEMP TABLE pets (id int)`,
    look: (sql) => sql`SELECT to_regclass('pets')::text`.values
  },
  {
    what: "a temporary table by the search path",
    leave: (sql) =>
      sql.withTransaction(
        Effect.andThen(sql`SELECT set_config('search_path', ${"pg_temp"}, true)`, sql`CREATE TABLE pets (id int)`)
      ),
    look: (sql) => sql`SELECT to_regclass('pets')::text`.values
  },
  {
    what: "a tenant whose name looks like the end of a call",
    leave: (sql) => sql`SELECT set_config('app.tenant', 'acme, true)', false)`,
    look: (sql) => sql`SELECT coalesce(nullif(current_setting('app.tenant', true), ''), 'none')`.values
  },
  {
    what: "a setting by a function whose name is written in escapes",
    leave: (sql) => sql.unsafe(`SELECT U&"s\\0065t_config"('app.tenant', 'acme', false)`),
    look: (sql) => sql`SELECT coalesce(nullif(current_setting('app.tenant', true), ''), 'none')`.values
  },
  {
    what: "a temporary table by SELECT INTO",
    leave: (sql) => sql`SELECT 1 AS id INTO TEMPORARY pets`,
    look: (sql) => sql`SELECT to_regclass('pets')::text`.values
  },
  {
    what: "a prepared statement",
    leave: (sql) => sql`PREPARE mine AS SELECT 1`,
    look: (sql) => sql`SELECT count(*)::int FROM pg_prepared_statements WHERE name = 'mine'`.values,
    isReplaced: true
  },
  {
    what: "no prepared statements of the driver",
    leave: (sql) => sql`DEALLOCATE ALL`,
    look: (sql) => sql.withTransaction(sql`SELECT 1`.values),
    isReplaced: true
  }
]

const setUp = (server: EmbeddedPostgres.Instance) =>
  Effect.andThen(
    server.query(`GRANT pg_monitor TO "${server.user}"`),
    Db.query`CREATE OR REPLACE FUNCTION report_zone() RETURNS text LANGUAGE sql AS
      $$ SELECT set_config('TimeZone', 'Asia/Tokyo', false) $$`
  )

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("session reset", (it) => {
  for (const prepare of [true, false]) {
    for (const { isReplaced = false, leave, look, what } of leftovers) {
      it.effect(`the next borrower does not meet ${what}${prepare ? "" : ", without prepared statements"}`, () =>
        withDb(
          { minConnections: 1, maxConnections: 1, prepare },
          Effect.gen(function*() {
            const server = yield* EmbeddedPostgres.EmbeddedPostgres
            yield* setUp(server)
            const processId = (sql: Sql) => Effect.succeed(sql.processId)
            yield* Db.withConnection(look)
            const before = yield* Db.withConnection((sql) => Effect.all([look(sql), processId(sql)]))
            yield* Db.withConnection(leave)
            const after = yield* Db.withConnection((sql) => Effect.all([look(sql), processId(sql)]))
            assert.deepStrictEqual(after[0], before[0])
            assert.strictEqual(after[1] === before[1], !(isReplaced && prepare), "the same connection")
          })
        ))
    }
  }

  it.effect("a lease that left nothing behind costs no round trip", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* Db.query`CREATE TABLE quiet (id int)`
        yield* Db.transaction((sql) =>
          sql`SET LOCAL work_mem = '1MB'`.pipe(
            Effect.andThen(sql`SELECT set_config('app.tenant', 'acme', true)`),
            Effect.andThen(sql`SELECT pg_advisory_xact_lock(1)`),
            Effect.andThen(sql`INSERT INTO quiet VALUES (1)`),
            Effect.andThen(sql`UPDATE quiet SET id = 2`)
          )
        )
        yield* Db.withConnection((sql) => sql`SELECT count(*) FROM quiet AS template`)
        const [last] = yield* server.query(
          "SELECT query FROM pg_stat_activity WHERE usename = $1",
          [server.user]
        )
        assert.include(String(last?.["query"]), "AS template")
      })
    ))

  it.effect("with sessionReset \"always\" also what can't be seen is cleaned", () =>
    withDb(
      { minConnections: 1, maxConnections: 1, sessionReset: "always" },
      Effect.gen(function*() {
        yield* Db.query`CREATE OR REPLACE FUNCTION hidden() RETURNS text LANGUAGE sql AS
          $$ SELECT set_config('work_mem', '4321kB', false) $$`
        const look = Db.query((sql) => sql`SHOW work_mem`.values)
        const before = yield* look
        yield* Db.query`SELECT hidden()`
        assert.deepStrictEqual(yield* look, before)
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a use after the lease is a defect and does not reach the next borrower", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const kept = yield* Db.withConnection((sql) => Effect.succeed(sql))
        yield* Db.withConnection(() =>
          Effect.gen(function*() {
            const uses: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
              kept`SELECT 1`,
              kept`SELECT 1`.values,
              kept`SELECT 1`.raw,
              Stream.runDrain(kept`SELECT 1`.stream),
              kept.withTransaction(Effect.void),
              kept.unsafe("SELECT 1"),
              kept.listen("a"),
              kept.notify("a", "b"),
              kept.withoutTransforms()`SELECT 1`
            ]
            for (const use of uses) {
              const exit = yield* Effect.exit(Effect.scoped(use))
              assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof PoolError.PoolMisuse)
            }
          })
        )
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a statement that outlives its lease costs it the connection, not the next borrower its answer", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const left = yield* Db.withConnection((sql) =>
          Effect.gen(function*() {
            const first = yield* Effect.forkIn(Effect.exit(sql`SELECT pg_sleep(30)`), scope, { startImmediately: true })
            yield* Effect.forkIn(Effect.exit(sql`SELECT 'mine'`), scope, { startImmediately: true })
            return first
          })
        )
        assert.deepStrictEqual(yield* Db.query`SELECT 'yours' AS a`, [{ a: "yours" }])
        assert.isTrue(Exit.isFailure(yield* Fiber.join(left)))
        assert.strictEqual((yield* Db.stats).counts.failedToReset, 1)
        yield* eventually("the server has stopped it", Effect.map(active, (n) => n === 0))
        yield* Scope.close(scope, Exit.void)
      })
    ))

  it.effect("a listener left open costs the lease its connection, and fails", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const queue = yield* Db.withConnection((sql) => Scope.provide(sql.listen("a"), scope))
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Queue.take(queue))))
        assert.strictEqual((yield* Db.stats).counts.opened, 2)
        yield* Scope.close(scope, Exit.void)
      })
    ))

  it.effect("an interrupted statement is stopped on the server, and its connection is lent again", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Db.query`SELECT pg_sleep(30)`)
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* active, 0)
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("an interruption at any moment leaves no cancellation behind for the next borrower", () =>
    withDb(
      { minConnections: 2, maxConnections: 2 },
      Effect.gen(function*() {
        for (let round = 0; round < 120; round++) {
          const sleep = (yield* Random.nextIntBetween(0, 40)) / 1000
          const patience = yield* Random.nextIntBetween(0, 40)
          yield* Effect.timeoutOption(Db.query`SELECT pg_sleep(${sleep}::float8)`, patience)
          // A late cancellation would hit one of these, which run on the same two connections at once.
          const next = yield* Effect.all(
            Array.from({ length: 4 }, (_, i) => Db.query`SELECT ${i}::int AS i, pg_sleep(0.002) IS NULL AS slept`),
            { concurrency: 4 }
          )
          assert.deepStrictEqual(next.flat().map((row) => row["i"]), [0, 1, 2, 3])
        }
        assert.strictEqual(yield* active, 0)
        assert.strictEqual((yield* Db.stats).used, 0)
      })
    ), 60_000)

  it.effect("an interruption while a transaction runs rolls it back before the connection is lent again", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE cut (id int)`
        for (let round = 0; round < 20; round++) {
          const isInside = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkChild(Db.transaction((sql) =>
            sql`INSERT INTO cut VALUES (${round})`.pipe(
              Effect.andThen(Deferred.succeed(isInside, undefined)),
              Effect.andThen(sql`SELECT pg_sleep(${round / 500}::float8)`),
              Effect.andThen(Effect.never)
            )
          ))
          yield* Deferred.await(isInside)
          yield* Effect.sleep(round)
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(yield* Db.query`SELECT id FROM cut`, [])
        }
      })
    ))
})
