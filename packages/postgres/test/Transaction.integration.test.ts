import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PoolError } from "@effect-pools/core"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Ref, Schedule } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { active, Db, eventually, withDb } from "./support.ts"

const table = (name: string) =>
  Db.query((sql) => sql`CREATE TABLE ${sql(name)} (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)`)

const ids = (name: string) =>
  Db.query((sql) => Effect.map(sql`SELECT id FROM ${sql(name)} ORDER BY id`.values, (rows) => rows.map(([id]) => id)))

const serverCode = (error: SqlError.SqlError): unknown => (error.reason.cause as { code?: unknown }).code

const isMisuse = <A, E>(exit: Exit.Exit<A, E>): boolean =>
  Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof PoolError.PoolMisuse

layer(EmbeddedPostgres.layer({ settings: { deadlock_timeout: "50ms" } }), {
  excludeTestServices: true,
  timeout: "2 minutes"
})("transaction", (it) => {
  it.effect("commits what succeeds, and rolls back what fails or is interrupted", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("t1")
        assert.strictEqual(yield* Db.transaction((sql) => Effect.as(sql`INSERT INTO t1 VALUES (1)`, "done")), "done")
        const failed = Db.transaction((sql) =>
          Effect.andThen(sql`INSERT INTO t1 VALUES (2)`, Effect.fail("no" as const))
        )
        assert.strictEqual(yield* Effect.flip(failed), "no")
        const isWaiting = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Db.transaction((sql) =>
          sql`INSERT INTO t1 VALUES (3)`.pipe(
            Effect.andThen(Deferred.succeed(isWaiting, undefined)),
            Effect.andThen(sql`SELECT pg_sleep(30)`)
          )
        ))
        yield* Deferred.await(isWaiting)
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* ids("t1"), [1])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a nested one is a savepoint, and all the pool's ways join it", () =>
    withDb(
      { maxConnections: 1, acquireTimeout: "1 second" },
      Effect.gen(function*() {
        yield* table("t2")
        const client = yield* SqlClient.SqlClient
        yield* Db.transaction(Effect.gen(function*() {
          yield* Db.query`INSERT INTO t2 VALUES (1)`
          yield* client`INSERT INTO t2 VALUES (2)`
          yield* Db.withConnection((sql) => sql`INSERT INTO t2 VALUES (3)`)
          yield* Effect.exit(Db.transaction(Effect.andThen(Db.query`INSERT INTO t2 VALUES (4)`, Effect.fail("inner"))))
          yield* client.withTransaction(client`INSERT INTO t2 VALUES (5)`)
          yield* Effect.flip(Db.transaction(Db.query`INSERT INTO t2 VALUES (5)`))
          yield* Db.withConnection((sql) => sql.withTransaction(sql`INSERT INTO t2 VALUES (6)`))
        }))
        assert.deepStrictEqual(yield* ids("t2"), [1, 2, 3, 5, 6])
        yield* Effect.exit(
          client.withTransaction(Effect.andThen(Db.query`INSERT INTO t2 VALUES (7)`, Effect.fail("outer")))
        )
        assert.deepStrictEqual(yield* ids("t2"), [1, 2, 3, 5, 6])
      })
    ))

  it.effect("a connection lent inside a transaction by get has transactions of its own", () =>
    withDb(
      { maxConnections: 2 },
      Effect.gen(function*() {
        yield* table("t3")
        yield* Effect.exit(Db.transaction(Effect.gen(function*() {
          yield* Db.query`INSERT INTO t3 VALUES (1)`
          yield* Effect.scoped(Effect.flatMap(Db.acquire, (own) =>
            own.withTransaction(Effect.gen(function*() {
              yield* own`INSERT INTO t3 VALUES (2)`
              yield* Db.query`INSERT INTO t3 VALUES (3)`
            }))))
          return yield* Effect.fail("outer")
        })))
        assert.deepStrictEqual(yield* ids("t3"), [2, 3])
      })
    ))

  it.effect("begins with the isolation and access that is asked for", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const shown = (name: string) =>
          Db.query((sql) => Effect.map(sql.unsafe(`SHOW ${name}`).values, ([row]) => row?.[0]))
        const all = Effect.all([
          shown("transaction_isolation"),
          shown("transaction_read_only"),
          shown("transaction_deferrable")
        ])
        assert.deepStrictEqual(yield* Db.transaction(all), ["read committed", "off", "off"])
        assert.deepStrictEqual(
          yield* Db.transaction(all, { isolation: "repeatable read", readOnly: true }),
          ["repeatable read", "on", "off"]
        )
        assert.deepStrictEqual(
          yield* Db.transaction(all, { isolation: "serializable", readOnly: true, deferrable: true }),
          ["serializable", "on", "on"]
        )
        const write = Db.transaction((sql) => sql`CREATE TABLE never (id int)`, { readOnly: true })
        const refused = yield* Effect.flip(write)
        assert.strictEqual(refused instanceof SqlError.SqlError && serverCode(refused), "25006")
        assert.strictEqual((yield* Db.stats).counts.retired.broken, 0)
      })
    ))

  it.effect("refuses options that can have no effect as misuse", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const deferrable = Db.transaction(Effect.void, { deferrable: true })
        assert.isTrue(isMisuse(yield* Effect.exit(deferrable)))
        const nested = (options: Parameters<typeof Db.transaction>[1]) =>
          Effect.exit(Db.transaction(Db.transaction(Effect.void, options), { isolation: "repeatable read" }))
        assert.isTrue(isMisuse(yield* nested({ isolation: "serializable" })))
        assert.isTrue(isMisuse(yield* nested({ readOnly: true })))
        assert.isTrue(Exit.isSuccess(yield* nested({ isolation: "read committed" })))
        const inside = (deferrable: boolean) => {
          const options = { isolation: "serializable", readOnly: true } as const
          const inner = Db.transaction(Effect.void, { ...options, deferrable: true })
          return Effect.exit(Db.transaction(inner, { ...options, deferrable }))
        }
        assert.isTrue(isMisuse(yield* inside(false)))
        assert.isTrue(Exit.isSuccess(yield* inside(true)))
        assert.isTrue(Exit.isSuccess(yield* nested({ isolation: "repeatable read", readOnly: false })))
      })
    ))

  it.effect("runs again what lost against another transaction, if told how often", () =>
    withDb(
      {},
      Effect.gen(function*() {
        yield* table("t4")
        yield* Db.query`INSERT INTO t4 VALUES (1, 0)`
        const tries = yield* Ref.make(0)
        const bothHaveRead = yield* Deferred.make<void>()
        const readers = yield* Ref.make(0)
        const increment = Db.transaction(
          (sql) =>
            Effect.gen(function*() {
              yield* Ref.update(tries, (n) => n + 1)
              const rows = yield* sql<{ n: number }>`SELECT n FROM t4 WHERE id = 1`
              if ((yield* Ref.updateAndGet(readers, (n) => n + 1)) === 2) {
                yield* Deferred.succeed(bothHaveRead, undefined)
              }
              yield* Deferred.await(bothHaveRead)
              yield* sql`UPDATE t4 SET n = ${rows[0]!.n + 1} WHERE id = 1`
            }),
          { isolation: "serializable", retry: Schedule.recurs(5) }
        )
        yield* Effect.all([increment, increment], { concurrency: 2 })
        assert.deepStrictEqual(yield* Db.query`SELECT n FROM t4`, [{ n: 2 }])
        assert.strictEqual(yield* Ref.get(tries), 3)
      })
    ))

  it.effect("a deadlock is a typed error, and is run again if told", () =>
    withDb(
      {},
      Effect.gen(function*() {
        yield* table("t5")
        yield* Db.query`INSERT INTO t5 VALUES (1), (2)`
        const lockBoth = (first: number, second: number, meet: Effect.Effect<void>) => (sql: SqlClient.SqlClient) =>
          sql`UPDATE t5 SET n = n + 1 WHERE id = ${first}`.pipe(
            Effect.andThen(meet),
            Effect.andThen(sql`UPDATE t5 SET n = n + 1 WHERE id = ${second}`)
          )
        const race = Effect.fnUntraced(function*(retry: Schedule.Schedule<unknown> | undefined) {
          const arrived = yield* Ref.make(0)
          const both = yield* Deferred.make<void>()
          const meet = Effect.gen(function*() {
            if ((yield* Ref.updateAndGet(arrived, (n) => n + 1)) === 2) yield* Deferred.succeed(both, undefined)
            yield* Deferred.await(both)
          })
          return yield* Effect.all([
            Effect.result(Db.transaction(lockBoth(1, 2, meet), { retry })),
            Effect.result(Db.transaction(lockBoth(2, 1, meet), { retry }))
          ], { concurrency: 2 })
        })
        const failures = (yield* race(undefined)).filter((result) => result._tag === "Failure")
        assert.deepStrictEqual(
          failures.map(({ failure }) => failure instanceof SqlError.SqlError && failure.reason._tag),
          ["DeadlockError"]
        )
        assert.deepStrictEqual((yield* race(Schedule.recurs(3))).map(({ _tag }) => _tag), ["Success", "Success"])
        assert.deepStrictEqual(yield* Db.query`SELECT n FROM t5 ORDER BY id`, [{ n: 3 }, { n: 3 }])
      })
    ))

  it.effect("a commit that the server turns into a rollback fails, and says by what", () =>
    withDb(
      {},
      Effect.gen(function*() {
        yield* table("t6")
        const error = yield* Effect.flip(Db.transaction((sql) =>
          sql`INSERT INTO t6 VALUES (1)`.pipe(
            Effect.andThen(Effect.ignore(sql`SELECT 1 / 0`)),
            Effect.andThen(Effect.ignore(sql`SELECT 2`))
          )
        ))
        assert.include(error.message, "division by zero")
        assert.deepStrictEqual(yield* ids("t6"), [])
        for (const [code, tag] of [["40001", "SerializationError"], ["40P01", "DeadlockError"]] as const) {
          const lost = Db.query((sql) =>
            sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '${code}'; END $$`)
          )
          const error = yield* Effect.flip(Db.transaction(Effect.ignore(lost)))
          assert.strictEqual(error.reason._tag, tag)
        }
      })
    ))

  it.effect("a connection lost in a transaction is a typed error, not a defect, however deep", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const lost = Db.transaction((sql) =>
          sql`SELECT 1`.pipe(
            Effect.andThen(server.terminateBackends()),
            Effect.andThen(sql`SELECT 2`)
          )
        )
        for (const transaction of [lost, Db.transaction(lost), Db.transaction(Db.transaction(lost))]) {
          const exit = yield* Effect.exit(transaction)
          assert.isTrue(Exit.isFailure(exit))
          if (Exit.isFailure(exit)) assert.deepStrictEqual(exit.cause.reasons.map(({ _tag }) => _tag), ["Fail"])
          assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        }
      })
    ))

  it.effect("its BEGIN is not that of a transaction of another client inside it", () =>
    withDb(
      {},
      Db.transaction(
        Effect.gen(function*() {
          assert.isUndefined(yield* SqlClient.BeginTransaction)
        }),
        { isolation: "serializable" }
      )
    ))

  it.effect("effects registered with afterCommit run once it has committed, on another connection", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("t7")
        const sql = yield* SqlClient.SqlClient
        const seen = yield* Ref.make<ReadonlyArray<unknown>>([])
        yield* Db.transaction((tx) =>
          tx.afterCommit(Effect.orDie(Effect.flatMap(ids("t7"), (now) => Ref.set(seen, now)))).pipe(
            Effect.andThen(sql`INSERT INTO t7 VALUES (1)`)
          )
        )
        assert.deepStrictEqual(yield* Ref.get(seen), [1])
      })
    ))
})
