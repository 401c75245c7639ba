import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PgBouncerAdmin, type PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Schedule, Stream } from "effect"
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

  it.effect("many callers of tenants on few server connections, some of which are killed, see their own rows only", () =>
    withBouncer(
      // A slow machine takes long for so many, which is not what this test asks about.
      { maxConnections: 200, pendingLimit: 2000, acquireTimeout: "1 minute" },
      { default_pool_size: 20, max_client_conn: 300 },
      () =>
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          const failures: Array<string> = []
          let foreign = 0
          const caller = (n: number) =>
            Db.transaction((sql) =>
              Effect.gen(function*() {
                const tenant = `t${n % 10}`
                yield* sql`SELECT set_config('app.tenant', ${tenant}, true)`
                const [row] = yield* sql<
                  { tenant: string }
                >`SELECT current_setting('app.tenant') AS tenant, ${n}::int AS n`
                if (row?.tenant !== tenant) foreign++
              })
            ).pipe(
              Effect.catch((error) =>
                Effect.sync(() =>
                  void failures.push(String(error) + String((error as { readonly cause?: unknown }).cause))
                )
              )
            )
          const busy = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 1000 }, (_, n) => n), caller, { concurrency: 1000, discard: true })
          )
          yield* Effect.sleep(150)
          yield* server.terminateBackends()
          yield* Fiber.join(busy)
          assert.strictEqual(foreign, 0)
          assert.deepStrictEqual(
            failures.filter((failure) => /26000|does not exist|already exists/.test(failure)),
            []
          )
          assert.isAtMost(failures.length, 100, failures[0])
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
        yield* refusal({ pooler: { mode: "transaction", admin }, prepare: true }, {}),
        /option prepare: can't be true/
      )
      yield* withBouncer({ pooler: { mode: "transaction", admin } }, {}, () => Db.query`SELECT 1`)
    }))
})
