import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PgBouncerAdmin, type PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted, Result, Schedule, Stream } from "effect"
import * as Console from "../src/internal/pooler/console.ts"
import * as PgBouncer from "./fixtures/pgBouncer.ts"
import { Db, eventually, type Services, withDb } from "./support.ts"

const withBouncer = <A, E, R>(
  options: PostgresConfig.PostgresOptions,
  settings: PgBouncer.Settings,
  test: (
    admin: PgBouncerAdmin.PgBouncerAdmin,
    bouncer: PgBouncer.PgBouncer
  ) => Effect.Effect<A, E, R | Services>
) =>
  Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const bouncer = yield* PgBouncer.make(server, { pool_mode: "transaction", default_pool_size: 3, ...settings })
    const login = { host: "127.0.0.1", port: bouncer.port, username: server.user, password: server.password }
    const admin = yield* PgBouncerAdmin.make(login)
    const mode = settings["pool_mode"] === "session" ? "session" : "transaction"
    return yield* withDb({
      maxConnections: 10,
      acquireTimeout: "5 seconds",
      retry: Schedule.spaced("50 millis"),
      pooler: { mode },
      ...login,
      database: server.database,
      ...options
    }, test(admin, bouncer))
  }).pipe(Effect.scoped)

const servers = Layer.merge(EmbeddedPostgres.layer(), PgBouncer.installed)

layer(servers, { excludeTestServices: true, timeout: "2 minutes" })("a pool that knows of its PgBouncer", (it) => {
  it.effect("in transaction mode refuses what would stay in a session, with the form that works, before it is sent", () =>
    withBouncer({ maxConnections: 2 }, { default_pool_size: 1 }, () =>
      Effect.gen(function*() {
        const ruleOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
          Effect.map(Effect.exit(effect), (exit) =>
            Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it was sent")
        for (
          const [statement, rule] of [
            ["SET app.tenant = 'a'", /SET would stay .* use SET LOCAL/],
            ["/* why */ set role app", /SET would stay/],
            ["; SET role app", /SET would stay/],
            ["SELECT set_config('app.tenant', 'a', false)", /set_config would stay .*set_config\(name, value, true\)/],
            ["RESET ALL", /RESET would stay/],
            ["DISCARD ALL", /DISCARD would stay/],
            ["LISTEN news", /LISTEN would stay .* leads to the server itself/],
            ["SELECT pg_advisory_lock(1)", /pg_advisory_lock would stay .* pg_advisory_xact_lock/],
            ["CREATE TEMP TABLE t (n int)", /A temporary table would stay/],
            ["PREPARE p AS SELECT 1", /PREPARE would stay/],
            ["DEALLOCATE ALL", /DEALLOCATE would stay/],
            ["DECLARE c CURSOR WITH HOLD FOR SELECT 1", /WITH HOLD would stay/]
          ] as const
        ) {
          assert.match(
            yield* ruleOf(Db.query((sql) =>
              sql.unsafe(statement)
            )),
            rule,
            statement
          )
          assert.match(yield* ruleOf(Db.transaction((sql) => sql.unsafe(statement))), rule, statement)
        }
        assert.match(yield* ruleOf(Stream.runDrain(Db.listen("news"))), /LISTEN would stay/)
        const local = Db.transaction((sql) =>
          Effect.gen(function*() {
            yield* sql`SET LOCAL app.tenant = 'a'`
            yield* sql`SELECT set_config('lock_timeout', '7s', true), pg_advisory_xact_lock(1)`
            yield* sql`SET CONSTRAINTS ALL DEFERRED`
            return yield* sql`SELECT current_setting('app.tenant') AS tenant, current_setting('lock_timeout') AS timeout`
          })
        )
        assert.deepStrictEqual(yield* local, [{ tenant: "a", timeout: "7s" }])
        const seen = yield* Db
          .query`SELECT current_setting('app.tenant', true) AS tenant, current_setting('lock_timeout') AS t`
        assert.include([null, ""], seen[0]?.["tenant"] as string | null)
        assert.strictEqual(seen[0]?.["t"], "0")
        const rows = Stream.runCollect(Db.stream((sql) => sql`SELECT generate_series(1, 1000) AS n`.stream))
        assert.strictEqual((yield* rows).length, 1000)
      })))

  it.effect("in transaction mode nothing is reset that a function left, since it would hit a stranger", () =>
    withBouncer({ maxConnections: 1 }, { default_pool_size: 1 }, () =>
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        // Another client of the same server connection keeps a setting: a reset of ours would take it away.
        yield* Db.query`DO $$ BEGIN PERFORM set_config('lock_timeout', '9s', false); END $$`
        yield* Db.query`SELECT 1`
        assert.deepStrictEqual(yield* Db.query`SELECT current_setting('lock_timeout') AS t`, [{ t: "9s" }])
        yield* server.terminateBackends()
      })))

  it.effect("in transaction mode settings that PgBouncer keeps for each client are those of the pool", () =>
    withBouncer(
      { maxConnections: 2, settings: { timezone: "Asia/Tokyo" } },
      { default_pool_size: 1 },
      (_, { port }) =>
        Effect.gen(function*() {
          const { database, password, user: username } = yield* EmbeddedPostgres.EmbeddedPostgres
          const to = { host: "127.0.0.1", port, database, username, password, pooler: { mode: "transaction" } } as const
          const zone = Effect.map(Db.query<{ TimeZone: string }>`SHOW timezone`, ([row]) => row?.TimeZone)
          for (let n = 0; n < 3; n++) {
            assert.strictEqual(yield* zone, "Asia/Tokyo")
            assert.strictEqual(yield* withDb({ ...to, settings: { timezone: "Europe/Oslo" } }, zone), "Europe/Oslo")
          }
        })
    ))

  it.effect("the console tells numbers and settings, and RESUME follows a pause however its work ends", () =>
    withBouncer({}, {}, (admin, bouncer) =>
      Effect.gen(function*() {
        yield* Db.query`SELECT 1`
        assert.strictEqual((yield* admin.config)["pool_mode"], "transaction")
        assert.include((yield* admin.pools).map((pool) => pool["database"]), "app")
        assert.isAbove((yield* admin.stats).length, 0)
        yield* admin.reconnect("app")
        const works = Effect.timeout(Db.query`SELECT 1`, "3 seconds")
        const isPaused = Effect.map(
          admin.databases,
          (all) => all.find(({ name }) => name === "app")?.["paused"] === "1"
        )
        assert.isTrue(yield* admin.paused("app")(isPaused))
        assert.isFalse(yield* isPaused)
        yield* works
        yield* Effect.exit(admin.paused("app")(Effect.die("a bug")))
        yield* works
        const inside = yield* Deferred.make<void>()
        const held = yield* Effect.forkChild(
          admin.paused("app")(Effect.andThen(Deferred.succeed(inside, undefined), Effect.never))
        )
        yield* Deferred.await(inside)
        const theirs = yield* Effect.flip(admin.paused("app")(Effect.void))
        assert.match(theirs.message, /already/)
        assert.isTrue(yield* isPaused)
        yield* Fiber.interrupt(held)
        yield* works
        // The wait for an open transaction is interrupted before the pause has begun.
        const open = yield* Effect.forkChild(Db.transaction((sql) => Effect.andThen(sql`SELECT 1`, Effect.never)))
        yield* eventually(
          "a transaction is open",
          Effect.map(admin.pools, (pools) => pools.some((pool) => pool["sv_active"] === "1"))
        )
        assert.strictEqual((yield* Effect.timeoutOption(admin.paused("app")(Effect.void), "300 millis"))._tag, "None")
        yield* Fiber.interrupt(open)
        yield* works
        yield* bouncer.kill
        const down = yield* Effect.flip(admin.config)
        assert.match(down.message, /no console at 127.0.0.1/)
      })))

  it.effect("with its console, contradictions are refused by name when the pool is made", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const refusal = (options: PostgresConfig.PostgresOptions, settings: PgBouncer.Settings) =>
        Effect.map(
          Effect.flip(
            withBouncer({ username: server.user, password: server.password, ...options }, settings, () => Effect.void)
          ),
          String
        )
      const admin = {}
      // Before 1.21 it knows no such setting, and never keeps any.
      const keepsNone: PgBouncer.Settings = (yield* PgBouncer.keepsPrepared) ? { max_prepared_statements: 0 } : {}
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin } }, { pool_mode: "session" }),
        /option pooler.mode: is "transaction", and PgBouncer has pool_mode = session/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "session", admin } }, { pool_mode: "session" }),
        /option maxConnections: is 10, and PgBouncer lends 3 at once/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin } }, { max_client_conn: 5 }),
        /option maxConnections: is 10, and PgBouncer accepts 5/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin }, prepare: true }, keepsNone),
        /option prepare: can't be true/
      )
      const session = { pooler: { mode: "session", admin } } as const
      const one = { pool_mode: "session", default_pool_size: 10 }
      assert.match(
        yield* refusal({ ...session, statementTimeout: "5 seconds" }, one),
        /option statementTimeout: can't hold: PgBouncer refuses statement_timeout .*ALTER ROLE/
      )
      assert.match(
        yield* refusal({ ...session, settings: { lock_timeout: "5s" } }, {
          ...one,
          ignore_startup_parameters: "extra_float_digits, lock_timeout"
        }),
        /option settings: can't hold: PgBouncer drops lock_timeout/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin } }, { pool_mode: "statement" }),
        /option pooler.mode: is "transaction", and PgBouncer has pool_mode = statement/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin } }, { admin_users: "nobody_else" }),
        /option pooler.admin: must be one of PgBouncer's admin_users or stats_users: .*not allowed/
      )
      assert.match(
        yield* refusal({ pooler: { mode: "transaction", admin: { password: Redacted.make("wrong") } } }, {}),
        /option pooler.admin: must be one of .*/
      )
      yield* withBouncer(
        { pooler: { mode: "session", admin }, settings: { timezone: "UTC" }, applicationName: "mine" },
        one,
        () => Db.query`SELECT 1`
      )
      yield* withBouncer({ pooler: { mode: "transaction", admin } }, {}, () => Db.query`SELECT 1`)
    }))

  it.effect("one who may only look is refused what changes, and what is told leaves nothing paused", () =>
    withBouncer({}, { admin_users: "somebody_else", stats_users: "app" }, (admin) =>
      Effect.gen(function*() {
        yield* Db.query`SELECT 1`
        assert.isAbove((yield* admin.stats).length, 0)
        for (const work of [admin.paused("app")(Effect.die("it was paused")), admin.reconnect("app")]) {
          const error = yield* Effect.flip(work)
          assert.deepInclude(error, { _tag: "PgBouncerError", isAnswer: true })
          assert.match(error.message, /admin access needed/)
        }
        const unknown = yield* Effect.flip(admin.paused("no 'such\" base")(Effect.void))
        assert.strictEqual(unknown._tag, "PgBouncerError")
        yield* Db.query`SELECT 1`
      })))

  it.effect("a pause that is interrupted at whichever step, or loses its PgBouncer, is resumed", () =>
    withBouncer({}, {}, (admin, bouncer) =>
      Effect.gen(function*() {
        yield* Db.query`SELECT 1`
        const isPaused = Effect.map(
          admin.databases,
          (all) => all.find(({ name }) => name === "app")?.["paused"] === "1"
        )
        const [whole] = yield* Effect.timed(admin.paused("app")(Effect.sleep(5)))
        const steps = Number(process.env["PAUSE_STEPS"] ?? 15)
        for (let step = 0; step < steps; step++) {
          yield* Effect.timeoutOption(admin.paused("app")(Effect.sleep(5)), (Duration.toMillis(whole) * step) / steps)
          assert.isFalse(yield* isPaused, `interrupted at step ${step} of ${steps}`)
        }
        yield* Effect.timeout(Db.query`SELECT 1`, "5 seconds")
        // It is gone while it is paused, and RESUME finds another, which is not.
        yield* admin.paused("app")(Effect.andThen(bouncer.kill, bouncer.start))
        const killed = yield* Effect.forkChild(admin.paused("app")(bouncer.kill), { startImmediately: true })
        yield* eventually("it is down", Effect.map(Effect.result(admin.databases), Result.isFailure))
        yield* bouncer.start
        yield* Fiber.join(killed)
        assert.isFalse(yield* isPaused)
        yield* eventually("it works", Effect.map(Effect.result(Db.query`SELECT 1`), Result.isSuccess), "10 seconds")
      })))

  it.effect("goes on through RELOAD, RECONNECT and WAIT_CLOSE, and says what it met after KILL and DISABLE", () =>
    withBouncer(
      { maxConnections: 2, connectTimeout: "1 second", acquireTimeout: "2 seconds" },
      {},
      (admin, { port }) =>
        Effect.gen(function*() {
          const { password, user: username } = yield* EmbeddedPostgres.EmbeddedPostgres
          const login = { host: "127.0.0.1", port, username, password }
          const settings = { ...login, ssl: false, requireAuth: undefined, driver: {} }
          const command = (text: string) => Console.run(settings, text)
          const works = Effect.timeout(Db.query`SELECT 1`, "5 seconds")
          yield* works
          yield* command("RELOAD")
          yield* works
          const busy = yield* Effect.forkChild(Db.query`SELECT pg_sleep(0.3)`, { startImmediately: true })
          yield* admin.reconnect("app")
          yield* command("WAIT_CLOSE app")
          yield* Fiber.join(busy)
          yield* works
          const cut = yield* Effect.forkChild(Effect.flip(Db.query`SELECT pg_sleep(30)`), { startImmediately: true })
          yield* eventually("it runs", Effect.map(admin.pools, (all) => all.some((pool) => pool["sv_active"] === "1")))
          yield* command("KILL app")
          const error = yield* Fiber.join(cut)
          assert.isTrue(error._tag === "SqlError" && error.isRetryable, String(error))
          const refused = yield* Effect.flip(Db.query`SELECT 1`)
          assert.strictEqual(refused._tag, "PoolError", String(refused))
          yield* command("RESUME app")
          yield* eventually("it works", Effect.map(Effect.result(works), Result.isSuccess), "15 seconds")
          yield* command("DISABLE app")
          // The connections that are open go on; a new pool is told.
          yield* works
          const { database } = yield* EmbeddedPostgres.EmbeddedPostgres
          const options = { ...login, database, acquireTimeout: "1 second", pooler: { mode: "transaction" } } as const
          const disabled = yield* Effect.flip(withDb(options, Db.query`SELECT 1`))
          assert.match(disabled.message, /does not allow connections|disabled/)
          yield* command("ENABLE app")
          yield* eventually("it works", Effect.map(Effect.result(works), Result.isSuccess), "15 seconds")
        })
    ))

  it.effect("prepares nothing unless it is told to, and counts what it prepares where PgBouncer keeps it", () =>
    Effect.gen(function*() {
      const one = (n: number) => Db.query((sql) => sql.unsafe(`SELECT ${n} AS n, pg_sleep(0.01)`))
      const three = Effect.forEach([1, 2, 3], one)
      const often = Effect.andThen(three, Effect.all(Array.from({ length: 8 }, () => three), { concurrency: 4 }))
      const inTransactions = Effect.all(Array.from({ length: 8 }, () => Db.transaction(three)), { concurrency: 4 })
      const prepared = Effect.andThen(Effect.andThen(often, inTransactions), Db.prepared)
      assert.deepInclude(yield* withBouncer({}, {}, () => prepared), { hits: 0, misses: 0, evictions: 0 })
      if (!(yield* PgBouncer.keepsPrepared)) return
      const counts = yield* withBouncer(
        { prepare: true, maxConnections: 4, pooler: { mode: "transaction", admin: {} } },
        { max_prepared_statements: 100, default_pool_size: 3 },
        () => prepared
      )
      // Three texts, BEGIN and COMMIT come for the first time once, and each of four connections prepares each once at most.
      assert.isAtMost(counts.firsts, 5)
      assert.isAtMost(counts.misses, 20)
      assert.isAtLeast(counts.hits, 2 * counts.misses)
    }))

  it.effect("warms new connections, and what fails there fails no dial", () =>
    Effect.gen(function*() {
      const warmed = (run: ReadonlyArray<string>, timeout: Duration.Input = "2 seconds") =>
        withBouncer({ minConnections: 2, maxConnections: 2, prewarm: { run, timeout } }, {}, () =>
          Effect.gen(function*() {
            yield* Db.warmUp(2)
            yield* Db.query`SELECT 1`
            return (yield* Db.stats).counts.opened
          }))
      yield* withBouncer({}, {}, () =>
        Db.query`CREATE TABLE IF NOT EXISTS warmth (n int)`)
      assert.strictEqual(yield* warmed(["INSERT INTO warmth VALUES (1)", "SELECT count(*) FROM warmth"]), 2)
      assert.strictEqual(yield* warmed(["SELECT no_such_thing"]), 2)
      assert.strictEqual(yield* warmed(["SELECT pg_sleep(60)"], "100 millis"), 2)
      const rows = yield* withBouncer({}, {}, () =>
        Db.query`SELECT n FROM warmth`)
      assert.strictEqual(rows.length, 2)
    }))
})
