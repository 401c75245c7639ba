import { PgClient } from "@effect/sql-pg"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PostgresPool } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Schedule, Schema, Scope, Stream, String as Str } from "effect"
import { Migrator, SqlClient, SqlResolver, SqlSchema } from "effect/sql"
import { active, Db, eventually, withDb } from "./support.ts"

class Replica extends PostgresPool.Service<Replica>()("app/Replica") {}

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("PostgresPool", (it) => {
  it.effect("runs statements by template, by function and on a held connection", () =>
    withDb(
      {},
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Db.query<{ n: number }>`SELECT ${1}::int AS n`, [{ n: 1 }])
        assert.deepStrictEqual(yield* Db.query((sql) => sql`SELECT * FROM ${sql("pg_am")} WHERE amname = ${"x"}`), [])
        const [row, processId] = yield* Db.withConnection((sql) =>
          Effect.map(sql`SELECT pg_backend_pid() AS pid`, ([row]) => [row!["pid"], sql.processId])
        )
        assert.strictEqual(row, processId)
        yield* Effect.scoped(Effect.gen(function*() {
          const sql = yield* Db.acquire
          assert.deepStrictEqual(yield* sql`SELECT 1 AS a`.values, [[1]])
          assert.deepStrictEqual(yield* sql`SELECT 2 AS a`.unprepared, [{ a: 2 }])
          assert.deepStrictEqual(yield* sql.unsafe("SELECT $1::int AS a", [3]), [{ a: 3 }])
          assert.deepStrictEqual(yield* sql`SELECT ${sql.json({ a: 1 })}::jsonb AS doc`, [{ doc: { a: 1 } }])
          assert.deepStrictEqual(yield* sql.safe`SELECT 4 AS a`, [{ a: 4 }])
          assert.strictEqual(((yield* sql`SELECT 5`.raw) as { command: string }).command, "SELECT")
          const connection = yield* sql.reserve
          assert.deepStrictEqual(yield* connection.executeValuesUnprepared("SELECT 6", []), [[6]])
        }))
      })
    ))

  it.effect("renames columns and identifiers, except where asked not to", () =>
    withDb(
      { transformResultNames: Str.snakeToCamel, transformQueryNames: Str.camelToSnake },
      Db.withConnection((sql) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* sql`SELECT 1 AS ${sql("userId")}`, [{ userId: 1 }])
          assert.deepStrictEqual(yield* sql`SELECT 1 AS user_id`.stream.pipe(Stream.runCollect), [{ userId: 1 }])
          const plain = sql.withoutTransforms()
          assert.deepStrictEqual(yield* plain`SELECT 1 AS user_id`, [{ user_id: 1 }])
          assert.deepStrictEqual(yield* plain`SELECT 1 AS ${plain("userId")}`, [{ userId: 1 }])
          assert.strictEqual(plain.withoutTransforms(), plain)
        })
      )
    ))

  it.effect("the options for a session reach the server", () =>
    withDb(
      {
        statementTimeout: "2 seconds",
        idleInTransactionTimeout: "3 seconds",
        searchPath: ["app", "public"],
        settings: { TimeZone: "Asia/Kathmandu" },
        applicationName: "the-app"
      },
      Db.withConnection((sql) =>
        Effect.gen(function*() {
          const show = (name: string) => Effect.map(sql.unsafe(`SHOW ${name}`).values, (rows) => rows[0]?.[0])
          assert.strictEqual(yield* show("statement_timeout"), "2s")
          assert.strictEqual(yield* show("idle_in_transaction_session_timeout"), "3s")
          assert.strictEqual(yield* show("search_path"), "\"app\", \"public\"")
          assert.strictEqual(yield* show("timezone"), "Asia/Kathmandu")
          assert.strictEqual(yield* show("application_name"), "the-app")
          const error = yield* Effect.flip(
            sql`SET statement_timeout = 50`.pipe(Effect.andThen(sql`SELECT pg_sleep(5)`))
          )
          assert.strictEqual(error.reason._tag, "StatementTimeoutError")
          yield* sql`RESET ALL`
          assert.strictEqual(yield* show("statement_timeout"), "2s")
        })
      )
    ))

  it.effect("the server ends a transaction that idles, and the next lease works", () =>
    withDb(
      { idleInTransactionTimeout: "100 millis", maxConnections: 1 },
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Db.transaction((sql) =>
            Effect.andThen(sql`SELECT 1`, Effect.andThen(Effect.sleep("400 millis"), sql`SELECT 2`))
          )
        )
        assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Fail"))
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        assert.strictEqual((yield* Db.stats).counts.retired.broken, 1)
      })
    ))

  it.effect("a stream holds its connection while it runs, and gives it back when it is left early", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        const numbers = Db.stream((sql) => sql<{ n: number }>`SELECT generate_series(1, 1000000) AS n`.stream)
        const first = yield* numbers.pipe(
          Stream.tap(() => Effect.map(Db.stats, ({ used }) => assert.strictEqual(used, 1))),
          Stream.take(3),
          Stream.runCollect
        )
        assert.deepStrictEqual(first.map(({ n }) => n), [1, 2, 3])
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        const sql = yield* SqlClient.SqlClient
        const facade = sql<{ n: number }>`SELECT generate_series(1, 1000000) AS n`.stream
        const isRunning = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(facade, () => Effect.andThen(Deferred.succeed(isRunning, undefined), Effect.sleep(5)))
        )
        yield* Deferred.await(isRunning)
        assert.strictEqual((yield* Db.stats).used, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* Db.stats).used, 0)
        assert.strictEqual(yield* active, 0)
        assert.strictEqual((yield* Db.query<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity`).length, 1)
      })
    ))

  it.effect("listeners share one connection, which is given back when the last of them ends", () =>
    withDb(
      { maxConnections: 2 },
      Effect.gen(function*() {
        const pg = yield* PgClient.PgClient
        const listen = (channel: string) =>
          Effect.forkChild(Stream.runHead(Stream.map(Db.listen(channel), ({ payload }) => payload)))
        const fibers = [yield* listen("a"), yield* listen("b"), yield* listen("b"), yield* listen("quote\"d")]
        yield* eventually("one connection is lent", Effect.map(Db.stats, ({ used }) => used === 1))
        yield* Effect.sleep("100 millis")
        yield* Db.notify("a", "to a")
        yield* pg.notify("b", "to b")
        yield* Db.transaction((sql) => sql.notify("quote\"d", "to c"))
        const heard = yield* Effect.forEach(fibers, (fiber) =>
          Effect.map(Fiber.join(fiber), (value) => value._tag === "Some" && value.value))
        assert.deepStrictEqual(heard, ["to a", "to b", "to b", "to c"])
        yield* eventually(
          "it is back",
          Effect.map(Db.stats, ({ idle, used }) =>
            used === 0 && idle === 2)
        )
        const queue = yield* Effect.scoped(Effect.gen(function*() {
          const queue = yield* pg.listen("d")
          yield* Db.notify("d", "to d")
          return (yield* Queue.take(queue)).payload
        }))
        assert.strictEqual(queue, "to d")
      })
    ))

  it.effect("a listener fails when its connection is lost, and the next one listens on a new one", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const lost = yield* Effect.forkChild(Effect.flip(Stream.runDrain(Db.listen("a"))))
        yield* eventually("it listens", Effect.map(Db.stats, ({ used }) => used === 1))
        yield* Effect.sleep("100 millis")
        yield* server.terminateBackends({ applicationName: "app/Db" })
        assert.strictEqual((yield* Fiber.join(lost))._tag, "SqlError")
        const heard = yield* Effect.forkChild(Stream.runHead(Db.listen("a")))
        yield* Effect.sleep("200 millis")
        yield* Db.notify("a", "again")
        assert.strictEqual((yield* Fiber.join(heard))._tag, "Some")
      })
    ))

  it.effect("a new listener does not keep the dead connection of those before it", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const listens = (used: number) =>
          eventually(`${used} are lent`, Effect.map(Db.stats, (now) => now.used === used))
        const slow = yield* Scope.make()
        const next = yield* Scope.provide(Stream.toPull(Db.listen("a")), slow)
        const first = yield* Effect.forkChild(next)
        yield* listens(1)
        yield* eventually("it hears", Effect.map(Db.notify("a", "first"), () => first.pollUnsafe() !== undefined))
        yield* server.terminateBackends({ applicationName: "app/Db" })
        // It asks for nothing more just now, so it does not know yet that its connection is lost.
        let second = 0
        const again = Effect.retry(Stream.runForEach(Db.listen("a"), () => Effect.sync(() => void second++)), {
          schedule: Schedule.spaced("10 millis")
        })
        const heard = yield* Effect.forkChild(again)
        yield* eventually(
          "the new one hears",
          Effect.map(Effect.ignore(Db.notify("a", "second")), () => second > 0)
        )
        yield* Scope.close(slow, Exit.void)
        yield* listens(1)
        yield* Fiber.interrupt(heard)
        yield* listens(0)
      })
    ))

  it.effect("listening ends with the pool's layer, and fails with PoolClosed from then on", () =>
    Effect.gen(function*() {
      const { url } = yield* EmbeddedPostgres.EmbeddedPostgres
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Db.layerPoolOnly({ url, minConnections: 1 }), scope)
      const listen = Effect.provideContext(Stream.runDrain(Db.listen("a")), context)
      const listener = yield* Effect.forkChild(listen)
      yield* eventually("it listens", Effect.map(Effect.provideContext(Db.stats, context), ({ used }) => used === 1))
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(listener)
      const error = yield* Effect.flip(listen)
      assert.isTrue(error._tag === "PoolError" && error.reason._tag === "PoolClosed")
    }))

  it.effect("a listener ends when the pool drains, so that the drain does not wait for it", () =>
    withDb(
      { drainTimeout: "10 seconds" },
      Effect.gen(function*() {
        const listener = yield* Effect.forkChild(Stream.runDrain(Db.listen("a")))
        yield* eventually("it listens", Effect.map(Db.stats, ({ used }) => used === 1))
        const report = yield* Db.drain
        assert.isBelow(report.took, 2000)
        assert.deepStrictEqual(report.abandoned, [])
        yield* Fiber.join(listener)
      })
    ))

  it.effect("programs written for SqlClient run on the pool: migrations, schemas and resolvers", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const migrations = yield* Migrator.make({})({
          loader: Migrator.fromRecord({
            "1_people": Effect.flatMap(
              SqlClient.SqlClient,
              (sql) => sql`CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE NOT NULL)`
            )
          })
        })
        assert.deepStrictEqual(migrations, [[1, "people"]])
        const sql = yield* SqlClient.SqlClient
        const Person = Schema.Struct({ id: Schema.Int, name: Schema.String })
        const insert = SqlSchema.findOne({
          Request: Schema.String,
          Result: Person,
          execute: (name) => sql`INSERT INTO people ${sql.insert({ name })} RETURNING *`
        })
        yield* insert("Ada")
        const byId = SqlResolver.findById({
          Id: Schema.Int,
          Result: Person,
          ResultId: ({ id }) => id,
          execute: (ids) => sql`SELECT * FROM people WHERE ${sql.in("id", ids)}`
        })
        const found = yield* SqlResolver.request(1, byId)
        assert.strictEqual(found.name, "Ada")
        const twice = yield* Effect.flip(insert("Ada"))
        assert.strictEqual(twice._tag === "SqlError" && twice.reason._tag, "UniqueViolation")
        assert.strictEqual(sql.driver, "pg")
        assert.strictEqual((yield* Db.stats).used, 0)
      })
    ))

  it.effect("a closed pool has left the server, by the server's own count", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      for (let round = 0; round < 5; round++) {
        yield* withDb({ applicationName: "leaving" }, Db.warmUp(20))
        assert.deepStrictEqual(yield* server.backends({ applicationName: "leaving" }), [])
      }
    }))

  it.effect("a second pool stands beside the first without taking its SqlClient", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const other = yield* server.createDatabase("second")
      const both = Layer.merge(Db.layer({ url: server.url }), Replica.layerPoolOnly({ url: other }))
      yield* Effect.gen(function*() {
        const name = (sql: SqlClient.SqlClient) =>
          Effect.map(sql`SELECT current_database()`.values, (rows) => rows[0]?.[0])
        assert.strictEqual(yield* Db.withConnection(name), server.database)
        assert.strictEqual(yield* Replica.withConnection(name), "second")
        assert.strictEqual(yield* name(yield* SqlClient.SqlClient), server.database)
      }).pipe(Effect.provide(both))
    }))
})
