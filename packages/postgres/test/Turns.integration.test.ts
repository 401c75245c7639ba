import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { PoolError } from "@effect-pools/core"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { active, Db, eventually, timed, withDb } from "./support.ts"

const table = (name: string) =>
  Effect.andThen(
    Db.query((sql) => sql`DROP TABLE IF EXISTS ${sql(name)}`),
    Db.query((sql) => sql`CREATE TABLE ${sql(name)} (what text)`)
  )

const rows = (name: string) =>
  Db.query((sql) => Effect.map(sql`SELECT what FROM ${sql(name)} ORDER BY 1`.values, (rows) => rows.flat()))

const misuse = <A, E>(exit: Exit.Exit<A, E>): string => {
  const squashed = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return squashed instanceof PoolError.PoolMisuse ? squashed.message : `no misuse: ${String(squashed)}`
}

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("turns", (it) => {
  it.effect("a nested rollback undoes no statement of a sibling", () =>
    withDb(
      { maxConnections: 2 },
      Effect.gen(function*() {
        yield* table("audit")
        const client = yield* SqlClient.SqlClient
        yield* Db.transaction((sql) =>
          Effect.gen(function*() {
            const isOpen = yield* Deferred.make<void>()
            const optional = Db.transaction(Effect.gen(function*() {
              yield* Db.query`INSERT INTO audit VALUES ('optional')`
              yield* Deferred.succeed(isOpen, undefined)
              yield* Effect.sleep("50 millis")
              yield* Db.transaction(Db.query`INSERT INTO audit VALUES ('deeper')`)
              return yield* Effect.fail("the optional part fails")
            }))
            const required = Effect.andThen(
              Deferred.await(isOpen),
              Effect.all([
                Db.query`INSERT INTO audit VALUES ('query')`,
                client`INSERT INTO audit VALUES ('client')`,
                sql`INSERT INTO audit VALUES ('lent')`,
                Db.withConnection((sql) => sql`INSERT INTO audit VALUES ('joined')`),
                Stream.runDrain(Db.stream((sql) => sql`INSERT INTO audit VALUES ('stream') RETURNING what`.stream)),
                Db.transaction(Db.query`INSERT INTO audit VALUES ('nested')`)
              ], { concurrency: "unbounded" })
            )
            yield* Effect.all([Effect.ignore(optional), required], { concurrency: 2 })
          })
        )
        assert.deepStrictEqual(yield* rows("audit"), ["client", "joined", "lent", "nested", "query", "stream"])
      })
    ))

  it.effect("nested transactions and statements at the same time lose and mix nothing", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("busy")
        yield* Db.transaction(Effect.forEach(Array.from({ length: 200 }, (_, i) => i), (i) => {
          const insert = Db.query`INSERT INTO busy VALUES (${`${i % 4} ${i}`})`
          switch (i % 4) {
            case 0:
              return insert
            case 1:
              return Db.transaction(Effect.andThen(Effect.yieldNow, insert))
            default:
              return Effect.ignore(Db.transaction(Effect.andThen(insert, Effect.fail("undone"))))
          }
        }, { concurrency: 20 }))
        const all = yield* rows("busy")
        assert.strictEqual(all.filter((what) => String(what).startsWith("0")).length, 50)
        assert.strictEqual(all.filter((what) => String(what).startsWith("1")).length, 50)
        assert.strictEqual(all.length, 100)
      })
    ))

  it.effect("a statement beside a transaction of the same connection is not part of it", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("beside")
        yield* Db.withConnection((sql) =>
          Effect.all([
            Effect.ignore(sql.withTransaction(
              Effect.andThen(
                Effect.andThen(sql`INSERT INTO beside VALUES ('in')`, Effect.sleep("50 millis")),
                Effect.fail("no")
              )
            )),
            Effect.andThen(Effect.sleep("10 millis"), sql`INSERT INTO beside VALUES ('beside')`)
          ], { concurrency: 2 })
        )
        assert.deepStrictEqual(yield* rows("beside"), ["beside"])
      })
    ))

  it.effect("a fiber that outlives its transaction is misuse, and leaves what follows alone", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("late")
        yield* Db.withConnection((sql) =>
          Effect.gen(function*() {
            const go = yield* Deferred.make<void>()
            const late = yield* sql.withTransaction(
              Effect.forkDetach(Effect.exit(Effect.andThen(Deferred.await(go), sql`INSERT INTO late VALUES ('late')`)))
            )
            yield* Deferred.succeed(go, undefined)
            assert.match(misuse(yield* Fiber.join(late)), /after the transaction had ended/)
          })
        )
        assert.deepStrictEqual(yield* rows("late"), [])
      })
    ))

  it.effect("effects registered with afterCommit may use the connection that the transaction was on", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* table("after_commit")
        yield* Db.withConnection((sql) =>
          sql.withTransaction(
            sql.afterCommit(Effect.orDie(Effect.asVoid(sql`INSERT INTO after_commit VALUES ('after')`)))
          )
        )
        assert.deepStrictEqual(yield* rows("after_commit"), ["after"])
      })
    ))

  it.effect("who waits for a nested transaction that waits for it is told so, within acquireTimeout", () =>
    withDb(
      { maxConnections: 1, acquireTimeout: "300 millis" },
      Effect.gen(function*() {
        const done = yield* Deferred.make<void>()
        const isOpen = yield* Deferred.make<void>()
        const work = Db.transaction(Effect.all([
          Db.transaction(Effect.andThen(Deferred.succeed(isOpen, undefined), Deferred.await(done))),
          Deferred.await(isOpen).pipe(
            Effect.andThen(Db.query`SELECT 1`),
            Effect.andThen(Deferred.succeed(done, undefined))
          )
        ], { concurrency: 2 }))
        const [took, error] = yield* timed(Effect.flip(work))
        assert.match(error.message, /waited for the end of a transaction of another fiber/)
        assert.isBelow(took, 5000)
      })
    ))

  for (const kind of ["transaction", "withConnection"] as const) {
    it.effect(`a statement by the reader of a stream in one ${kind} is misuse at once`, () =>
      withDb(
        { maxConnections: 2 },
        Effect.gen(function*() {
          const exit = yield* Effect.exit(
            Db[kind]((sql) => Stream.runForEach(sql`SELECT g FROM generate_series(1, 3) g`.stream, () => sql`SELECT 1`))
          )
          assert.match(misuse(exit), /the reader of a stream/)
          const stream = yield* Effect.exit(Db[kind]((sql) =>
            Stream.runDrain(
              Stream.flatMap(sql`SELECT g FROM generate_series(1, 3) g`.stream, () => sql`SELECT 1`.stream)
            )
          ))
          assert.match(misuse(stream), /the reader of a stream/)
          assert.deepStrictEqual(yield* Db.query`SELECT 1 AS one`, [{ one: 1 }])
        })
      ))
  }

  it.effect("a statement that waits for a stream ends with it, with acquireTimeout, or with the session", () =>
    withDb(
      { maxConnections: 2, acquireTimeout: "500 millis" },
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const inside = (count: number, what: Effect.Effect<unknown, unknown, Db>) =>
          Db.withConnection((sql) =>
            Effect.gen(function*() {
              const isReading = yield* Deferred.make<void>()
              const stream = Stream.runForEach(
                sql.unsafe(`SELECT g FROM generate_series(1, ${count}) g`).stream,
                () => Effect.andThen(Deferred.succeed(isReading, undefined), what)
              )
              const reader = yield* Effect.forkChild(Effect.exit(stream))
              yield* Deferred.await(isReading)
              const exit = yield* Effect.exit(sql`SELECT 2 AS two`)
              yield* Fiber.interrupt(reader)
              return exit
            })
          )
        const short = yield* inside(3, Effect.sleep("20 millis"))
        assert.isTrue(Exit.isSuccess(short))
        const [took, stuck] = yield* timed(inside(100_000, Effect.never))
        assert.match(String(Exit.isFailure(stuck) && Cause.squash(stuck.cause)), /waited for the end of a stream/)
        assert.isBelow(took, 5000)
        const [tookDead, dead] = yield* timed(inside(100_000, Effect.andThen(server.terminateBackends(), Effect.never)))
        assert.isTrue(Exit.isFailure(dead))
        assert.isBelow(tookDead, 5000)
        assert.strictEqual((yield* Db.stats).used, 0)
      })
    ))

  it.effect("a transaction inside withConnection is on its connection", () =>
    withDb(
      { maxConnections: 1, acquireTimeout: "1 second" },
      Effect.gen(function*() {
        yield* table("joined")
        const client = yield* SqlClient.SqlClient
        yield* Effect.exit(Db.withConnection((sql) =>
          Db.transaction(Effect.andThen(sql`INSERT INTO joined VALUES ('lent')`, Effect.fail("roll back")))
        ))
        yield* Effect.exit(Db.withConnection((sql) =>
          client.withTransaction(Effect.andThen(sql`INSERT INTO joined VALUES ('client')`, Effect.fail("roll back")))
        ))
        const isolations = yield* Db.withConnection((sql) =>
          Effect.all([
            Db.transaction(Db.query`SHOW transaction_isolation`, { isolation: "serializable" }),
            Db.transaction(sql`SHOW transaction_isolation`)
          ], { concurrency: 2 })
        )
        assert.deepStrictEqual(isolations.flat(), [
          { transaction_isolation: "serializable" },
          { transaction_isolation: "read committed" }
        ])
        assert.deepStrictEqual(yield* rows("joined"), [])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a fiber that outlives its connection takes another one for its transaction", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        const late = yield* Db.withConnection(() =>
          Effect.forkDetach(Effect.andThen(Deferred.await(go), Db.transaction(Db.query`SELECT 1 AS one`)))
        )
        yield* Deferred.succeed(go, undefined)
        assert.deepStrictEqual(yield* Fiber.join(late), [{ one: 1 }])
      })
    ))

  it.effect("an interrupted statement is stopped on the server before the next of its lease", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        const after = yield* Db.withConnection((sql) =>
          Effect.andThen(Effect.timeoutOption(sql`SELECT pg_sleep(30)`, "50 millis"), sql`SELECT 1 AS one`)
        )
        assert.deepStrictEqual(after, [{ one: 1 }])
        yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))
})
