import { PgClient } from "@effect/sql-pg"
import { type ConnectionPool, PoolError } from "@effect-pools/core"
import { PostgresConfig, type PostgresConnector, PostgresPool, PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Config, Deferred, Effect, Exit, Fiber, Layer, Ref, Schedule, type Scope, Stream } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { Db } from "./support.ts"

class Replica extends PostgresPool.Service<Replica>()("app/Replica") {}

const texts = (script: PostgresScript.Script): ReadonlyArray<string> => script.statements.map(({ text }) => text)

const isMisuse = <A, E>(exit: Exit.Exit<A, E>): boolean =>
  Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof PoolError.PoolMisuse

describe("layerTest", () => {
  it.effect("answers statements by a function, and records them", () => {
    const script = PostgresScript.make((statement, [id]) => statement.startsWith("SELECT") ? [{ id, name: "Ada" }] : [])
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Db.query`SELECT * FROM users WHERE id = ${7}`, [{ id: 7, name: "Ada" }])
      assert.deepStrictEqual(yield* Db.withConnection((sql) => sql`SELECT ${1}`.values), [[1, "Ada"]])
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO users ${sql.insert({ id: 1, name: "Bo" })}`
      assert.deepStrictEqual(script.statements, [
        { connection: 1, text: "SELECT * FROM users WHERE id = $1", params: [7] },
        { connection: 1, text: "SELECT $1", params: [1] },
        { connection: 1, text: "INSERT INTO users (\"id\",\"name\") VALUES ($1,$2)", params: [1, "Bo"] }
      ])
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("answers the statements of a list in order, and dies at any other", () => {
    const script = PostgresScript.make([
      { statement: "SELECT 1", answer: [{ a: 1 }] },
      { statement: /^UPDATE/, params: [2], answer: PostgresScript.failure("23505", "users_email_key") },
      { statement: "SELECT 2", answer: Effect.succeed([{ a: 2 }]) }
    ])
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Db.query`SELECT 1`, [{ a: 1 }])
      const error = yield* Effect.flip(Db.query`UPDATE users SET email = ${2}`)
      assert.isTrue(error instanceof SqlError.SqlError && error.reason._tag === "UniqueViolation")
      assert.strictEqual(script.remaining(), 1)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Db.query`SELECT 3`)))
      assert.deepStrictEqual(yield* Db.query`SELECT 2`, [{ a: 2 }])
      assert.strictEqual(script.remaining(), 0)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Db.query`SELECT 2`)))
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("plays transactions as a server does", () => {
    const script = PostgresScript.make((statement) => statement === "bad" ? PostgresScript.failure("23505") : [])
    return Effect.gen(function*() {
      yield* Db.transaction(
        (sql) => Effect.andThen(sql.unsafe("one"), Effect.ignore(Db.transaction(sql.unsafe("bad")))),
        { isolation: "serializable" }
      )
      yield* Effect.exit(Db.transaction((sql) => Effect.andThen(sql.unsafe("two"), Effect.fail("no"))))
      assert.deepStrictEqual(texts(script), [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "one",
        "SAVEPOINT effect_sql_1",
        "bad",
        "ROLLBACK TO SAVEPOINT effect_sql_1",
        "RELEASE SAVEPOINT effect_sql_1",
        "COMMIT",
        "BEGIN",
        "two",
        "ROLLBACK"
      ])
      const swallowed = Db.transaction((sql) =>
        Effect.andThen(Effect.ignore(sql.unsafe("bad")), Effect.flip(sql.unsafe("x")))
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(swallowed)))
      assert.strictEqual((yield* Db.stats).used, 0)
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("sends notifications to who listens", () =>
    Effect.gen(function*() {
      const heard = yield* Effect.forkChild(Stream.runHead(Db.listen("a")), { startImmediately: true })
      yield* TestClock.adjust(0)
      yield* Db.notify("b", "other")
      yield* Db.notify("a", "hello")
      const notification = yield* Fiber.join(heard)
      assert.strictEqual(notification._tag === "Some" && notification.value.payload, "hello")
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("streams, and cleans what a borrower leaves behind", () => {
    const script = PostgresScript.make(() => [{ n: 1 }, { n: 2 }])
    return Effect.gen(function*() {
      const numbers = yield* Stream.runCollect(Db.stream((sql) => sql<{ n: number }>`SELECT n`.stream))
      assert.deepStrictEqual(numbers, [{ n: 1 }, { n: 2 }])
      yield* Db.withConnection((sql) => sql`SET work_mem = '1MB'`)
      yield* Db.withConnection((sql) => sql`BEGIN`)
      assert.deepStrictEqual(texts(script), ["SELECT n", "SET work_mem = '1MB'", "RESET ALL", "BEGIN", "ROLLBACK"])
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("the errors it makes are those of the driver", () =>
    Effect.sync(() => {
      const reasons = [
        "08006",
        "28P01",
        "42501",
        "42P01",
        "23503",
        "23505",
        "40P01",
        "40001",
        "55P03",
        "57014",
        "22012"
      ]
      assert.deepStrictEqual(reasons.map((code) => PostgresScript.failure(code).reason._tag), [
        "ConnectionError",
        "AuthenticationError",
        "AuthorizationError",
        "SqlSyntaxError",
        "ConstraintError",
        "UniqueViolation",
        "DeadlockError",
        "SerializationError",
        "LockTimeoutError",
        "StatementTimeoutError",
        "UnknownError"
      ])
    }))
})

describe("PostgresPool", () => {
  it.effect("tries a transaction again by its schedule, and only for conflicts", () => {
    const answers = ["40001", "40P01", "done", "23505"]
    const script = PostgresScript.make(() => {
      const answer = answers.shift()!
      return answer === "done" ? [] : PostgresScript.failure(answer)
    })
    const work = Db.transaction((sql) => sql`SELECT 1`, { retry: Schedule.spaced("1 second") })
    return Effect.gen(function*() {
      yield* Db.warmUp(1)
      const fiber = yield* Effect.forkChild(work)
      yield* TestClock.adjust("900 millis")
      assert.deepStrictEqual(texts(script), ["BEGIN", "SELECT 1", "ROLLBACK"])
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(texts(script).filter((text) => text === "BEGIN").length, 3)
      assert.strictEqual(texts(script).at(-1), "COMMIT")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(work)))
      assert.strictEqual(answers.length, 0)
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("a transaction that is tried again counts against the pool's budget of retries", () => {
    const script = PostgresScript.make((text) => text === "SELECT 1" ? PostgresScript.failure("40001") : [])
    return Effect.gen(function*() {
      const work = Db.transaction((sql) => sql`SELECT 1`, { retry: Schedule.recurs(5) })
      const error = yield* Effect.flip(work)
      assert(error instanceof PoolError.PoolError)
      assert.deepInclude(error.reason, { _tag: "Overloaded", because: "retries" })
      assert.strictEqual(texts(script).filter((text) => text === "BEGIN").length, 1)
    }).pipe(Effect.provide(Db.layerTest(script, { traffic: { retryBudget: 0 } })))
  })

  it.effect("without a schedule a conflict is the caller's", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Db.transaction((sql) => sql`SELECT 1`))
      assert.isTrue(error instanceof SqlError.SqlError && error.reason._tag === "SerializationError")
    }).pipe(Effect.provide(Db.layerTest((text) => text === "SELECT 1" ? PostgresScript.failure("40001") : []))))

  it.effect("a transaction that can't get a connection fails with the pool's own error", () =>
    Effect.gen(function*() {
      yield* Db.pause
      for (const use of [Db.transaction(Effect.void), Db.query`SELECT 1`, Db.withConnection(() => Effect.void)]) {
        const error = yield* Effect.flip(use)
        assert.isTrue(error instanceof PoolError.PoolError && error.reason._tag === "PoolPaused")
      }
      const sql = yield* SqlClient.SqlClient
      for (const use of [sql`SELECT 1`, sql.withTransaction(Effect.void), Stream.runDrain(sql`SELECT 1`.stream)]) {
        const error = yield* Effect.flip(use)
        assert.isTrue(error.reason._tag === "ConnectionError" && error.reason.cause instanceof PoolError.PoolError)
        assert.isTrue(error.isRetryable)
      }
      yield* Db.drain
      assert.isFalse((yield* Effect.flip(sql`SELECT 1`)).isRetryable)
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("a fiber that outlives its transaction can't use its connection", () =>
    Effect.gen(function*() {
      const isOver = yield* Deferred.make<void>()
      const fiber = yield* Db.transaction(
        Effect.forkDetach(Effect.exit(Effect.andThen(Deferred.await(isOver), Db.query`SELECT 1`)))
      )
      yield* Deferred.succeed(isOver, undefined)
      assert.isTrue(isMisuse(yield* Fiber.join(fiber)))
      assert.deepStrictEqual(yield* Db.query`SELECT 1`, [])
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("two pools keep their transactions apart", () => {
    const primary = PostgresScript.make(() => [])
    const replica = PostgresScript.make(() => [])
    return Effect.gen(function*() {
      yield* Db.transaction(
        Effect.andThen(
          Db.query`SELECT 1`,
          Replica.transaction(Effect.andThen(Replica.query`SELECT 2`, Db.query`SELECT 3`))
        ),
        { isolation: "serializable" }
      )
      assert.deepStrictEqual(texts(primary), ["BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT 1", "SELECT 3", "COMMIT"])
      assert.deepStrictEqual(texts(replica), ["BEGIN", "SELECT 2", "COMMIT"])
    }).pipe(Effect.provide([Replica.layerTest(replica), Db.layerTest(primary)]))
  })

  it.effect("shows what a connection runs without literals, and never parameters", () => {
    const isRunning = Deferred.makeUnsafe<void>()
    const script = PostgresScript.make(() => Effect.andThen(Deferred.succeed(isRunning, undefined), Effect.never))
    return Effect.gen(function*() {
      const running = yield* Effect.forkChild(Db.query`ALTER ROLE x PASSWORD 'it''s s3cret' -- ${"p4rameter"}`)
      yield* Deferred.await(isRunning)
      const [connection] = yield* Db.connections
      yield* Fiber.interrupt(running)
      assert.strictEqual(connection?.activity, "ALTER ROLE x PASSWORD '...' -- $1")
      assert.deepStrictEqual(connection?.tags, { processId: "1", address: "scripted" })
      assert.strictEqual((yield* Db.stats).used, 0)
    }).pipe(Effect.provide(Db.layerTest(script)))
  })

  it.effect("a copy of a pool does what the pool does", () =>
    Effect.gen(function*() {
      const copy = { ...(yield* Db) }
      const nested = Db.transaction(Effect.andThen(Db.query`SELECT 1`, Db.stats))
      const { total, used } = yield* Effect.provideService(nested, Db, copy)
      assert.deepStrictEqual({ total, used }, { total: 1, used: 1 })
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("a transaction of a decorated pool has its options, and is one with what runs inside", () => {
    const script = PostgresScript.make(() => [])
    let leases = 0
    const counting = Layer.effect(
      Db,
      Effect.map(Db, (pool): PostgresPool.PostgresPool => ({
        ...pool,
        withConnection: (f, options) => {
          leases++
          return pool.withConnection(f, options)
        }
      }))
    )
    return Effect.gen(function*() {
      const db = yield* Db
      yield* db.transaction(
        (sql) => Effect.andThen(sql`SELECT 1`, Effect.andThen(db.query`SELECT 2`, db.transaction(Db.query`SELECT 3`))),
        { isolation: "serializable", readOnly: true }
      )
      assert.deepStrictEqual(script.statements.map(({ text }) => text), [
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "SELECT 1",
        "SELECT 2",
        "SAVEPOINT effect_sql_1",
        "SELECT 3",
        "RELEASE SAVEPOINT effect_sql_1",
        "COMMIT"
      ])
      assert.strictEqual(new Set(script.statements.map(({ connection }) => connection)).size, 1)
      assert.isAtLeast(leases, 1)
      const refused = yield* Effect.exit(
        db.transaction(db.transaction(Effect.void, { readOnly: true }))
      )
      assert.isTrue(isMisuse(refused))
    }).pipe(Effect.provide(Layer.provide(counting, Db.layerTest(script))))
  })

  it.effect("a borrower invalidates its connection by what it was lent, and nothing else", () =>
    Effect.gen(function*() {
      let kept: PostgresConnector.PostgresConnection | undefined
      yield* Db.withConnection((sql) => {
        kept = sql
        return Db.invalidate(sql)
      })
      yield* Effect.scoped(Effect.flatMap(Db.acquire, Db.invalidate))
      yield* Db.withConnection((sql) => Db.withConnection((other) => Db.invalidate(sql === other ? kept! : other)))
      const { counts } = yield* Db.stats
      assert.strictEqual(counts.retired.invalidated, 3)
      const foreign = { ...kept! } as PostgresConnector.PostgresConnection
      for (const sql of [kept!, foreign]) assert.isTrue(isMisuse(yield* Effect.exit(Db.invalidate(sql))))
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("a lease has one client, however often it is asked for", () =>
    Effect.gen(function*() {
      yield* Db.transaction((sql) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* Db.withConnection(Effect.succeed), sql)
          assert.strictEqual(yield* Db.withConnection(Effect.succeed), sql)
        })
      )
    }).pipe(Effect.provide(Db.layerTest(() => []))))

  it.effect("what it lends is a PgClient like any other", () =>
    Effect.gen(function*() {
      const client = yield* PgClient.PgClient
      yield* Db.withConnection((sql) =>
        Effect.sync(() => {
          const missing = Object.keys(client).filter((key) => !(key in sql))
          assert.deepStrictEqual(missing, [])
          assert.isTrue(PgClient.TypeId in sql)
          assert.strictEqual(sql.config.database, "scripted")
          assert.strictEqual(String(sql.config.password), "undefined")
          assert.strictEqual(sql.onDialectOrElse({ orElse: () => "other", pg: () => "pg" }), "pg")
        })
      )
      const count = yield* Ref.make(0)
      yield* Db.withConnection((sql) =>
        Effect.provideService(
          Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.andThen(sql`SELECT 1`, Ref.update(count, (n) => n + 1))),
          SqlClient.SqlClient,
          sql
        )
      )
      assert.strictEqual(yield* Ref.get(count), 1)
    }).pipe(Effect.provide(Db.layerTest(() => []))))
})

describe("types", () => {
  type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
  const is = <A, B>(equal: Equals<A, B>): void => assert.isTrue(equal)

  it("errors and requirements are inferred", () => {
    const row = Db.query<{ readonly id: number }>`SELECT 1 AS id`
    is<typeof row, Effect.Effect<ReadonlyArray<{ readonly id: number }>, SqlError.SqlError | PoolError.PoolError, Db>>(
      true
    )
    const f = Db.query((sql) => sql<{ readonly id: number }>`SELECT 1 AS id`)
    is<typeof f, typeof row>(true)
    const lent = Db.withConnection((sql) => Effect.as(Replica, sql.processId))
    is<typeof lent, Effect.Effect<number, PoolError.PoolError, Db | Replica>>(true)
    const got = Db.acquire
    is<typeof got, Effect.Effect<PostgresConnector.PostgresConnection, PoolError.PoolError, Db | Scope.Scope>>(true)
    const transaction = Db.transaction(Effect.as(Effect.fail("no" as const), 1))
    is<typeof transaction, Effect.Effect<number, "no" | SqlError.SqlError | PoolError.PoolError, Db>>(true)
    const withSql = Db.transaction((sql) => Effect.as(Replica, sql.processId), { isolation: "serializable" })
    is<typeof withSql, Effect.Effect<number, SqlError.SqlError | PoolError.PoolError, Db | Replica>>(true)
    const stream = Db.stream((sql) => sql<{ readonly id: number }>`SELECT 1 AS id`.stream)
    is<typeof stream, Stream.Stream<{ readonly id: number }, SqlError.SqlError | PoolError.PoolError, Db>>(true)
    const live = Db.layer({})
    is<typeof live, Layer.Layer<Db | SqlClient.SqlClient | PgClient.PgClient, PoolError.PoolError>>(true)
    const alone = Db.layerPoolOnlyConfig(PostgresConfig.fromEnv)
    is<typeof alone, Layer.Layer<Db, PoolError.PoolError | Config.ConfigError>>(true)
  })

  it("a pool can't be taken for another", () => {
    const onDb = Db.query`SELECT 1`
    const wrong = onDb.pipe(Effect.provide(Replica.layer({})))
    is<Effect.Services<typeof wrong>, Db>(true)
    const needsDb = (layer: Layer.Layer<Db, PoolError.PoolError>): unknown => layer
    // @ts-expect-error the replica is not the primary
    const other = needsDb(Replica.layerPoolOnly({}))
    const pool: ConnectionPool.ConnectionPool<PostgresConnector.PostgresConnection> | undefined = undefined as
      | Db["Service"]
      | undefined
    assert.isDefined([other, pool])
    // @ts-expect-error a single statement has no transaction
    const nested = Db.query((sql) => sql.withTransaction(Effect.void))
    // @ts-expect-error no such isolation
    const snapshot = Db.transaction(Effect.void, { isolation: "snapshot" })
    assert.isDefined([nested, snapshot])
  })
})
