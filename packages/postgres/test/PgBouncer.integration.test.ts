import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Result, Schedule } from "effect"
import * as PgBouncer from "./fixtures/pgBouncer.ts"
import { active, Db, eventually, type Services, withDb } from "./support.ts"

/** How many connections PgBouncer may have to the server. */
const serverConnections = 3

const quick: PostgresConfig.PostgresOptions = {
  maxConnections: 10,
  acquireTimeout: "5 seconds",
  connectTimeout: "1 second",
  prepare: false,
  retry: Schedule.spaced("50 millis"),
  breaker: { openDuration: "200 millis" }
}

const withBouncer = <A, E, R>(
  options: PostgresConfig.PostgresOptions,
  test: (bouncer: PgBouncer.PgBouncer) => Effect.Effect<A, E, R | Services>,
  settings: PgBouncer.Settings = {}
) =>
  Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const bouncer = yield* PgBouncer.make(server, {
      pool_mode: "transaction",
      default_pool_size: serverConnections,
      ...settings
    })
    const { database, password, user: username } = server
    const to = { host: "127.0.0.1", port: bouncer.port, database, username, password }
    return yield* withDb({ ...quick, ...to, ...options }, test(bouncer))
  }).pipe(Effect.scoped)

const echo = (value: number) =>
  Effect.map(Db.query<{ value: number }>`SELECT ${value}::int AS value`, ([row]) => row?.value)

const echoed = Effect.map(
  Effect.all(Array.from({ length: 500 }, (_, n) => echo(n)), { concurrency: 50 }),
  (values) => assert.deepStrictEqual(values, values.map((_, n) => n))
)

const works = Effect.map(echo(1), (value) => value === 1)

const servers = Layer.merge(EmbeddedPostgres.layer(), PgBouncer.installed)

layer(servers, { excludeTestServices: true, timeout: "2 minutes" })("behind PgBouncer", (it) => {
  it.effect("that lends a server connection for a transaction, statements of many connections get their own results", () =>
    withBouncer({}, () =>
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* echoed
        assert.strictEqual((yield* Db.stats).counts.opened, 10)
        assert.strictEqual((yield* server.backends()).length, serverConnections)
      })))

  it.effect("statements that share connections get their own results", () => withBouncer({ sharing: 16 }, () => echoed))

  it.effect("a prepared statement that another server connection holds is prepared anew", () =>
    withBouncer({ prepare: true }, () => echoed))

  it.effect("a transaction stays on one server connection, and ends on it", () =>
    withBouncer({}, () =>
      Effect.gen(function*() {
        const pids = Db.transaction((sql) =>
          Effect.replicateEffect(
            Effect.map(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`, ([row]) => row?.pid),
            10
          )
        )
        const all = yield* Effect.all(Array.from({ length: 50 }, () => pids), { concurrency: 10 })
        for (const seen of all) assert.strictEqual(new Set(seen).size, 1)
        yield* Db.query`CREATE TABLE IF NOT EXISTS bounced (n int)`
        yield* Effect.flip(
          Db.transaction((sql) => Effect.andThen(sql`INSERT INTO bounced VALUES (1)`, Effect.fail("no")))
        )
        assert.deepStrictEqual(yield* Db.query`SELECT n FROM bounced`, [])
      })))

  it.effect("an interrupted statement is stopped on the server, and no other", () =>
    withBouncer({}, () =>
      Effect.gen(function*() {
        const others = yield* Effect.forkChild(
          Effect.all([Db.query`SELECT pg_sleep(1)`, Db.query`SELECT pg_sleep(1)`], { concurrency: 2 })
        )
        const sleeping = yield* Effect.forkChild(Db.query`SELECT pg_sleep(60)`)
        yield* eventually("all run", Effect.map(active, (count) => count === 3))
        yield* Fiber.interrupt(sleeping)
        yield* eventually("it is stopped", Effect.map(active, (count) => count <= 2))
        yield* Fiber.join(others)
        yield* eventually("none runs", Effect.map(active, (count) => count === 0))
      })))

  it.effect("that is killed and comes back is used again", () =>
    withBouncer({}, (bouncer) =>
      Effect.gen(function*() {
        assert.isTrue(yield* works)
        yield* bouncer.kill
        yield* eventually("callers are told", Effect.map(Effect.result(works), Result.isFailure))
        yield* bouncer.start
        yield* eventually("it works", Effect.orElseSucceed(works, () => false), "10 seconds")
      })))

  it.effect("a server that crashes and comes back is used again, by those who waited for it too", () =>
    withBouncer({}, () =>
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* echoed
        yield* server.kill9
        const waiting = yield* Effect.forkChild(Effect.retry(works, { times: 20 }), { startImmediately: true })
        yield* server.start
        assert.isTrue(yield* Fiber.join(waiting))
        yield* echoed
      })))

  it.effect("a start-up parameter that it does not know ends the dial at once, and is named", () =>
    withBouncer({ statementTimeout: "5 seconds", retry: Schedule.spaced("1 minute") }, () => works).pipe(
      Effect.flip,
      Effect.map((error) => assert.include(String(error), "unsupported startup parameter: statement_timeout"))
    ))

  it.effect("in session mode a lease has its server connection for itself, and leaves no settings behind", () =>
    withBouncer({ maxConnections: serverConnections }, () =>
      Effect.gen(function*() {
        const timeout = Db.withConnection((sql) => sql<{ lock_timeout: string }>`SHOW lock_timeout`)
        yield* Db.withConnection((sql) =>
          Effect.gen(function*() {
            yield* sql`SET lock_timeout = '7s'`
            assert.deepStrictEqual(yield* sql`SHOW lock_timeout`, [{ lock_timeout: "7s" }])
          })
        )
        const all = yield* Effect.all(Array.from({ length: 20 }, () => timeout), { concurrency: serverConnections })
        for (const rows of all) assert.deepStrictEqual(rows, [{ lock_timeout: "0" }])
      }), { pool_mode: "session" }))

  it.effect("that accepts fewer clients than the pool may have brings the limit to as many, and fails no caller", () =>
    withBouncer({ acquireTimeout: "10 seconds" }, () =>
      Effect.gen(function*() {
        const naps = Array.from({ length: 40 }, (_, i) => Db.query`SELECT ${i}::int AS i, pg_sleep(0.05) IS NULL`)
        const rows = yield* Effect.all(naps, { concurrency: "unbounded" })
        assert.strictEqual(rows.length, 40)
        const stats = yield* Db.stats
        assert.deepInclude(stats.counts, { timedOut: 0, refused: 0, failed: 0 })
        assert.deepInclude(stats, { limit: 4, limitedBy: "server" })
        assert.include((yield* Db.health).diagnosis?.text ?? "", "no more connections allowed (max_client_conn)")
      }), { max_client_conn: 4 }))
})
