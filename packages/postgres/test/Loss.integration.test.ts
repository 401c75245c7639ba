import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { OutcomeUnknown } from "@effect-pools/postgres"
import { assert, it as test, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Scope, Stream } from "effect"
import { SqlError } from "effect/sql"
import * as ScriptedServer from "./fixtures/scriptedServer.ts"
import { active, Db, eventually, timed, withDb } from "./support.ts"

/** What an error says to whoever decides what to do about it. */
const said = (error: unknown) =>
  SqlError.isSqlError(error)
    ? [error.reason._tag, error.isRetryable, (error.reason.cause as { code?: unknown }).code]
    : [String(error), undefined, undefined]

const throughProxy = <A, E, R>(f: (proxy: TcpProxy.TcpProxy) => Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
    const { database, password, user: username } = server
    return yield* withDb(
      { host: "127.0.0.1", port: proxy.port, username, password, database, minConnections: 0, maxConnections: 2 },
      f(proxy)
    )
  }))

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("loss", (it) => {
  it.effect("a session that an administrator ends says so in the same way whenever it happens", () =>
    withDb(
      {},
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const during = (work: Effect.Effect<unknown, unknown, Db>) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.forkChild(Effect.flip(work), { startImmediately: true })
            yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
            yield* server.terminateBackends()
            return yield* Fiber.join(fiber)
          })
        const sleep = Db.query`SELECT pg_sleep(30)`
        const between = Db.transaction((sql) =>
          Effect.andThen(
            Effect.andThen(sql`SELECT 1`, Effect.orDie(server.terminateBackends())),
            Effect.andThen(Effect.sleep("50 millis"), sql`SELECT 2`)
          )
        )
        const lost = ["ConnectionError", true, "57P01"]
        assert.deepStrictEqual(said(yield* during(sleep)), lost)
        assert.deepStrictEqual(said(yield* during(Db.transaction(sleep))), lost)
        assert.deepStrictEqual(
          said(yield* during(Stream.runDrain(Db.stream((sql) => sql`SELECT pg_sleep(30)`.stream)))),
          lost
        )
        assert.deepStrictEqual(said(yield* Effect.flip(between)), lost)
        // It was ended in the middle, so it was not carried out.
        assert.deepStrictEqual(
          said(yield* during(Db.query`CREATE TABLE never AS SELECT 1 AS one FROM pg_sleep(30)`)),
          lost
        )
      })
    ))

  it.effect("a transaction that took too long is told by its SQLSTATE", () =>
    withDb(
      { settings: { transaction_timeout: "100ms" } },
      Effect.gen(function*() {
        const error = yield* Effect.flip(Db.transaction((sql) => sql`SELECT pg_sleep(5)`))
        assert.deepStrictEqual(said(error), ["StatementTimeoutError", true, "25P04"])
      })
    ))

  it.effect("a COMMIT whose answer is lost is an OutcomeUnknown, which nothing repeats", () =>
    throughProxy((proxy) =>
      Effect.gen(function*() {
        yield* Db.query`DROP TABLE IF EXISTS payments`
        yield* Db.query`CREATE TABLE payments (id int)`
        let runs = 0
        const pay = Db.transaction(
          (sql) =>
            Effect.gen(function*() {
              runs++
              yield* sql`INSERT INTO payments VALUES (1)`
              // Not a byte of the answer to COMMIT gets through.
              if (runs === 1) yield* proxy.cutAfter(0)
            }),
          { retry: Schedule.recurs(3) }
        )
        const error = yield* Effect.flip(Effect.retry(pay, { times: 3, while: (error) => error.isRetryable }))
        const unknown = OutcomeUnknown.find(error)
        assert.strictEqual(unknown?.of, "commit")
        assert.isFalse(error.isRetryable)
        assert.match(error.message, /nobody knows whether the transaction was committed/)
        yield* proxy.cutAfter(undefined)
        assert.strictEqual(runs, 1)
        assert.deepStrictEqual(yield* Db.query`SELECT count(*)::int AS n FROM payments`, [{ n: 1 }])
      })
    ))

  it.effect("of a single statement whose answer is lost only one that reads may be repeated", () =>
    throughProxy((proxy) =>
      Effect.gen(function*() {
        yield* Db.query`DROP TABLE IF EXISTS lost`
        yield* Db.query`CREATE TABLE lost (id int)`
        const cut = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
          Effect.gen(function*() {
            yield* Db.query`SELECT 1`
            const fiber = yield* Effect.forkChild(Effect.flip(effect), { startImmediately: true })
            yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
            yield* proxy.cut
            return yield* Fiber.join(fiber)
          })
        const read = yield* cut(Db.query`SELECT pg_sleep(1)`)
        assert.deepStrictEqual(said(read).slice(0, 2), ["ConnectionError", true])
        const write = yield* cut(Db.query`INSERT INTO lost SELECT 1 FROM pg_sleep(1)`)
        assert.strictEqual(OutcomeUnknown.find(write)?.of, "statement")
        assert.isFalse(write.isRetryable)
        const hidden = yield* cut(Db.query`WITH w AS (INSERT INTO lost VALUES (2)) SELECT pg_sleep(1)`)
        assert.isTrue(OutcomeUnknown.is(hidden))
        const inside = yield* cut(Db.transaction(Db.query`INSERT INTO lost SELECT 1 FROM pg_sleep(1)`))
        assert.deepStrictEqual(said(inside).slice(0, 2), ["ConnectionError", true])
      })
    ))

  for (
    const [what, work] of [
      ["a statement", Db.query`SELECT 1`],
      ["a transaction", Db.transaction(Db.query`SELECT 1`)],
      ["a statement in a transaction", Db.transaction((sql) => Effect.andThen(sql`SELECT 1`, sql`SELECT 1`))],
      ["a stream", Stream.runDrain(Db.stream((sql) => sql`SELECT 1`.stream))]
    ] as const
  ) {
    it.effect(`Effect.timeout of ${what} on a server that does not answer is not late`, () =>
      withDb(
        { minConnections: 1, maxConnections: 2, closeTimeout: "1 second" },
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          yield* Db.query`SELECT 1`
          yield* server.stop
          const [took] = yield* Effect.ensuring(timed(Effect.exit(Effect.timeout(work, "100 millis"))), server.cont)
          assert.isBelow(took, 800)
        })
      ))
  }

  it.effect("a connection whose statement was interrupted is lent again when the server has confirmed it", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 20 }), () =>
          Effect.andThen(Effect.exit(Effect.timeout(Db.query`SELECT pg_sleep(30)`, "5 millis")), Db.query`SELECT 1`))
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
        yield* eventually(
          "nothing runs",
          Effect.map(active, (n) =>
            n === 0)
        )
      })
    ))
})

const limits = {
  host: "127.0.0.1",
  username: "u",
  acquireTimeout: "1 second",
  connectTimeout: "500 millis",
  closeTimeout: "500 millis",
  resetTimeout: "500 millis",
  drainTimeout: "1 second",
  maxConnections: 1,
  minConnections: 0
} as const

for (
  const [hangsAt, work] of [
    ["BEGIN", Db.transaction(Effect.void)],
    ["SAVEPOINT", Db.transaction(Db.transaction(Effect.void))],
    ["RELEASE", Db.transaction(Db.transaction(Effect.void))],
    ["ROLLBACK", Db.transaction(Effect.andThen(Effect.sleep("10 seconds"), Effect.void))],
    ["SELECT", Db.transaction(Db.query`SELECT 1`)]
  ] as const
) {
  test.live(`Effect.timeout ends a transaction whose ${hangsAt} gets no answer, with few cancellations`, () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* ScriptedServer.make(hangsAt)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Db.layerPoolOnly({ ...limits, port: server.port }), scope)
      const [took] = yield* timed(Effect.exit(Effect.provideContext(Effect.timeout(work, "300 millis"), context)))
      assert.isBelow(took, 1000)
      const [closed] = yield* timed(Scope.close(scope, yield* Effect.exit(Effect.void)))
      assert.isBelow(closed, 4000)
      assert.isAtMost(server.seen.filter((word) => word === "CANCEL").length, 10)
    })))
}

test.live("a BEGIN without an answer ends by itself within acquireTimeout", () =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* ScriptedServer.make("BEGIN")
    const work = Effect.provide(
      Effect.flip(Db.transaction(Effect.void)),
      Db.layerPoolOnly({ ...limits, port: server.port })
    )
    const [took, error] = yield* timed(work)
    assert.match(error.message, /did not begin a transaction until acquireTimeout/)
    assert.isBelow(took, 5000)
  })))
