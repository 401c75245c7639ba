import { Traffic } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PgBouncerAdmin, type PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Random, Schedule, Stream } from "effect"
import { SqlClient } from "effect/sql"
import * as PgBouncer from "./fixtures/pgBouncer.ts"
import * as Notes from "./fixtures/notes.ts"
import { Db, type Services, withDb } from "./support.ts"

class Bouncer extends Context.Service<Bouncer, {
  readonly admin: PgBouncerAdmin.PgBouncerAdmin
  readonly bouncer: PgBouncer.PgBouncer
}>()("test/Bouncer") {}

const withBouncer = <A, E, R>(
  options: PostgresConfig.PostgresOptions,
  settings: PgBouncer.Settings,
  test: Effect.Effect<A, E, R | Services | Bouncer>
) =>
  Effect.gen(function*() {
    yield* Notes.make
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const bouncer = yield* PgBouncer.make(server, { pool_mode: "transaction", default_pool_size: 2, ...settings })
    const { database, password, user: username } = server
    const login = { host: "127.0.0.1", port: bouncer.port, username, password }
    const admin = yield* PgBouncerAdmin.make(login)
    return yield* withDb({
      maxConnections: 2,
      acquireTimeout: "10 seconds",
      retry: Schedule.spaced("50 millis"),
      pooler: { mode: "transaction" },
      ...login,
      database,
      session: Notes.session,
      ...options
    }, Effect.provideService(test, Bouncer, { admin, bouncer }))
  }).pipe(Effect.scoped)

const { keyOf, seen } = Notes
const as = (n: number) => Traffic.with({ affinity: keyOf(n) })
const own = (n: number) => [{ tenant: keyOf(n), role: "tenant" }]

const ruleOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it was sent")

const servers = Layer.merge(EmbeddedPostgres.layer(), PgBouncer.installed)

layer(servers, { excludeTestServices: true, timeout: "2 minutes" })(
  "tenants behind a PgBouncer in transaction mode",
  (it) => {
    it.effect("see the rows of their key alone, in statements, transactions, streams and withConnection", () =>
      withBouncer(
        {},
        { default_pool_size: 1 },
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          for (const n of [1, 2, 1]) {
            assert.deepStrictEqual(yield* as(n)(seen), own(n))
            assert.deepStrictEqual(yield* as(n)(Db.transaction(() => Effect.andThen(Db.query`SELECT 1`, seen))), own(n))
            assert.deepStrictEqual(
              yield* as(n)(
                Db.transaction((sql) => Effect.andThen(Effect.flip(sql.withTransaction(sql`SELECT 1 / 0`)), seen), {
                  isolation: "serializable",
                  readOnly: true
                })
              ),
              own(n)
            )
            const stream = Db.stream((sql) => Notes.select(sql).stream)
            assert.deepStrictEqual(yield* as(n)(Stream.runCollect(stream)), own(n))
            assert.deepStrictEqual(
              yield* as(n)(Stream.runHead(stream)).pipe(Effect.map((head) => Option.toArray(head))),
              own(n)
            )
            const sql = yield* SqlClient.SqlClient
            assert.deepStrictEqual(yield* as(n)(Notes.select(sql)), own(n))
            assert.deepStrictEqual(yield* as(n)(sql.withTransaction(Notes.select(sql))), own(n))
            const mixed = Db.withConnection((sql) =>
              Effect.gen(function*() {
                const alone = yield* Effect.all([Notes.select(sql), Notes.select(sql)], { concurrency: 2 })
                const inside = yield* sql.withTransaction(Notes.select(sql))
                yield* sql`BEGIN`
                const raw = yield* Notes.select(sql)
                yield* sql`COMMIT AND CHAIN`
                const chained = yield* Notes.select(sql)
                yield* sql`COMMIT`
                return [...alone, inside, raw, chained, yield* Notes.select(sql)]
              })
            )
            for (const rows of yield* as(n)(mixed)) assert.deepStrictEqual(rows, own(n))
            const beside = Effect.scoped(Effect.flatMap(Db.acquire, (sql) => Notes.select(sql)))
            assert.deepStrictEqual(yield* as(n)(beside), own(n))
          }
          assert.deepStrictEqual(
            yield* Db
              .query`SELECT current_user::text AS role, coalesce(current_setting('app.tenant', true), '') AS tenant`,
            [{ role: server.user, tenant: "" }]
          )
        })
      ))

    it.effect("write what is theirs, once, and what fails is undone", () =>
      withBouncer(
        {},
        {},
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          const count = (n: number) =>
            Effect.map(as(n)(Db.query`SELECT text FROM note WHERE text LIKE 'new%'`), (rows) => rows.length)
          const add = (n: number, text: string) => Db.query`INSERT INTO note VALUES (${keyOf(n)}, ${text})`
          yield* as(1)(add(1, "new"))
          const foreign = yield* Effect.flip(as(1)(add(2, "new")))
          assert.match(
            String((foreign as { readonly reason?: { readonly cause?: unknown } }).reason?.cause),
            /row-level security/
          )
          const failing = Db.transaction(Effect.andThen(add(1, "new in vain"), Effect.fail("no")))
          assert.strictEqual(yield* Effect.flip(as(1)(failing)), "no")
          assert.deepStrictEqual([yield* count(1), yield* count(2)], [1, 0])
          yield* server.query("SELECT 1")
        })
      ))

    it.effect("are told at once of what can't work, and never run as the pool's own user", () =>
      withBouncer(
        { session: (key) => key === "bad" ? { role: "nobody at all" } : Notes.session(key) },
        {},
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          assert.match(
            yield* ruleOf(as(1)(Db.query`VACUUM note`)),
            /VACUUM cannot run inside a transaction block: with the option session .* Run it without a key/
          )
          yield* Db.query`VACUUM note`
          for (const text of ["COMMIT", "; COMMIT", "/* done */; ROLLBACK"]) {
            const ended = Db.transaction((sql) => Effect.andThen(sql.unsafe(text), Notes.select(sql)))
            assert.match(yield* ruleOf(as(1)(ended)), /has been ended by a statement in it/, text)
          }
          const streamed = Db.transaction((sql) =>
            Effect.andThen(sql`COMMIT`, Stream.runDrain(Notes.select(sql).stream))
          )
          assert.match(yield* ruleOf(as(1)(streamed)), /has been ended by a statement in it/)
          const bad = Traffic.with({ affinity: "bad" })
          for (
            const work of [
              seen,
              Db.transaction(seen),
              Stream.runDrain(Db.stream((sql) => Notes.select(sql).stream))
            ]
          ) {
            const error = yield* Effect.flip(bad(work))
            assert.match(error.message, /option session gives can't be set: role "nobody at all" does not exist/)
          }
          assert.deepStrictEqual(yield* as(1)(seen), own(1))
          const { opened, retired } = (yield* Db.stats).counts
          assert.deepStrictEqual([opened, retired.broken], [2, 0], JSON.stringify(retired))
          yield* server.query("SELECT 1")
        })
      ))

    it.effect("a read whose connection is lost may be done again, a write is in doubt", () =>
      withBouncer(
        { maxConnections: 1 },
        { default_pool_size: 1 },
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          const reading = yield* Effect.forkChild(Effect.flip(as(1)(Db.query`SELECT pg_sleep(30)`)), {
            startImmediately: true
          })
          yield* Effect.sleep("300 millis")
          yield* server.terminateBackends()
          const error = yield* Fiber.join(reading)
          assert.isTrue(error.isRetryable, String(error))
          assert.deepStrictEqual(yield* Effect.retry(as(1)(seen), { times: 5 }), own(1))
        })
      ))

    it.effect(
      "50 tenants, a third of their leases interrupted, and servers killed: no foreign row, no lost statement",
      () =>
        withBouncer(
          { maxConnections: 10, minConnections: 10, traffic: { affinity: true }, prepare: false },
          { default_pool_size: 5 },
          Effect.gen(function*() {
            const server = yield* EmbeddedPostgres.EmbeddedPostgres
            const kill = (n: number) => n % 150 === 100 ? server.terminateBackends() : Effect.void
            const tally = yield* Notes.traffic({ length: Notes.lengthOf(400), interrupted: 0.33, beside: kill })
            yield* Notes.told("50 tenants behind PgBouncer", tally)
            assert.strictEqual(tally.foreign, 0)
            assert.strictEqual(tally.wrong.length, 0, tally.wrong[0])
            assert.isAbove(tally.done, tally.leases / 3)
          })
        ),
      Notes.timeout
    )

    it.effect(
      "1000 callers of 10 tenants on 20 server connections, which are killed and paused: no foreign row, and none paused",
      () =>
        withBouncer(
          // A slow machine takes long for so many, which is not what this test asks about.
          { maxConnections: 100, pendingLimit: 2000, acquireTimeout: "1 minute" },
          { default_pool_size: 20, max_client_conn: 300 },
          Effect.gen(function*() {
            const server = yield* EmbeddedPostgres.EmbeddedPostgres
            const { admin } = yield* Bouncer
            const pause = Effect.gen(function*() {
              yield* Effect.timeoutOption(admin.paused("app")(Effect.sleep("20 millis")), (yield* Random.next) * 200)
            })
            const beside = (n: number) =>
              n % 500 === 250
                ? Effect.asVoid(Effect.forkScoped(pause))
                : n % 500 === 499
                ? Effect.asVoid(server.terminateBackends())
                : Effect.void
            const tally = yield* Effect.scoped(Notes.traffic({
              length: Notes.lengthOf(1000),
              interrupted: 0,
              concurrency: 1000,
              of: 10,
              beside
            }))
            yield* Notes.told("1000 callers of 10 tenants", tally)
            assert.strictEqual(tally.foreign, 0)
            assert.deepStrictEqual(tally.wrong, [])
            assert.isAbove(tally.done, tally.leases * 0.8)
            const app = (yield* admin.databases).find(({ name }) => name === "app")
            assert.strictEqual(app?.["paused"], "0")
            assert.deepStrictEqual(yield* Effect.timeout(as(1)(seen), "5 seconds"), own(1))
          })
        ),
      Notes.timeout
    )
  }
)
