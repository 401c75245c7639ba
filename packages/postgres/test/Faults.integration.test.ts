import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { DialError, PoolError } from "@effect-pools/core"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Ref, Schedule } from "effect"
import { SqlError } from "effect/sql"
import { existsSync, readFileSync } from "node:fs"
import { certificate } from "@effect-pools/testing/TestCertificate"
import * as TlsServer from "./fixtures/tlsServer.ts"
import { active, Db, eventually, timed, withDb } from "./support.ts"

const quick: PostgresConfig.PostgresOptions = {
  minConnections: 2,
  maxConnections: 3,
  acquireTimeout: "2 seconds",
  connectTimeout: "500 millis",
  validateTimeout: "300 millis",
  retry: Schedule.spaced("100 millis"),
  breaker: { openDuration: "300 millis" },
  healthCheck: "1 hour"
}

const one = Db.query<{ one: number }>`SELECT 1 AS one`
const works = Effect.map(one, (rows) => assert.deepStrictEqual(rows, [{ one: 1 }]))

const parts = ({ database, host, password, port, user }: EmbeddedPostgres.Instance) => ({
  host,
  port,
  database,
  username: user,
  password
})

/** The sockets to a port that a process still holds; those that the kernel alone is closing have no inode. */
const socketsTo = (port: number): number => {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1).map((row) => row.trim().split(/\s+/))
  return rows.filter((row) => row[2]?.endsWith(remote) && row[9] !== "0").length
}

const connectFailed = <A>(effect: Effect.Effect<A, unknown, never>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (error instanceof PoolError.PoolError && error.reason._tag === "ConnectFailed") return error.reason
    return assert.fail(`not a ConnectFailed: ${String(error)}`)
  })

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("faults", (it) => {
  it.effect("a session ended while idle is noticed at once and replaced, and no borrower sees it", () =>
    withDb(
      quick,
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* works
        const before = yield* Db.connections
        assert.strictEqual(yield* server.terminateBackends(), 2)
        yield* eventually(
          "both are replaced",
          Effect.map(Db.stats, ({ counts, idle }) => counts.retired.broken === 2 && idle === 2)
        )
        yield* Effect.all(Array.from({ length: 6 }, () => works), { concurrency: 3 })
        const now = yield* Db.connections
        assert.isTrue(now.every(({ id }) => before.every((old) => old.id !== id)))
        assert.deepStrictEqual(Object.keys(now[0]!.tags), ["processId", "address"])
      })
    ))

  it.effect("a session ended while lent fails its statement with a typed error, and the next lease works", () =>
    withDb(
      { ...quick, maxConnections: 2 },
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const fiber = yield* Effect.forkChild(Effect.flip(Db.query`SELECT pg_sleep(30)`))
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        yield* server.terminateBackends()
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error instanceof SqlError.SqlError && error.reason._tag, "ConnectionError")
        yield* works
        yield* eventually("refilled", Effect.map(Db.stats, ({ idle }) => idle === 2))
      })
    ))

  it.effect("a frozen server holds nobody longer than the limits", () =>
    withDb(
      { ...quick, freshnessWindow: 0 },
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* works
        yield* server.stop
        const [took, error] = yield* timed(Effect.flip(one))
        assert.strictEqual(error instanceof PoolError.PoolError && error.reason._tag, "AcquireTimeout")
        assert.isBelow(took, 2300)
        yield* server.cont
        yield* eventually("it works again", Effect.map(Effect.exit(one), Exit.isSuccess))
        yield* eventually("refilled", Effect.map(Db.stats, ({ idle }) => idle >= 2))
      })
    ))

  it.effect.skipIf(!existsSync("/proc/net/tcp"))(
    "a frozen server keeps no socket of a closed pool open",
    () =>
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* Effect.gen(function*() {
          yield* withDb({ ...quick, closeTimeout: "3 seconds" }, Effect.andThen(works, server.stop))
          yield* eventually("all are closed", Effect.sync(() => socketsTo(server.port) === 0))
        }).pipe(Effect.ensuring(server.cont))
      })
  )

  it.effect("a drain stops what still runs on the server", () =>
    withDb(
      { ...quick, drainTimeout: "200 millis" },
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.exit(Db.query`SELECT pg_sleep(30)`))
        yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
        const report = yield* Db.drain
        assert.strictEqual(report.abandoned.length, 1)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
        yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        assert.deepStrictEqual(yield* server.backends(), [])
      })
    ))

  it.effect("a replaced password is picked up by the next dial", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const current = yield* Ref.make(server.password)
      const asked = yield* Ref.make(0)
      const password = Effect.andThen(Ref.update(asked, (n) => n + 1), Ref.get(current))
      yield* withDb(
        { ...quick, ...parts(server), password },
        Effect.gen(function*() {
          yield* works
          yield* server.query(`ALTER ROLE "${server.user}" PASSWORD 'next'`)
          yield* Db.retireAll
          yield* eventually("it is refused", Effect.map(Db.stats, ({ counts }) => counts.failedToOpen > 0))
          yield* Ref.set(current, Redacted.make("next"))
          yield* eventually("it is asked for anew", Effect.map(Ref.get(asked), (n) => n > 3))
          yield* eventually("all are new", Effect.map(Db.stats, ({ counts }) => counts.retired.superseded > 0))
          yield* works
        })
      ).pipe(
        Effect.ensuring(Effect.orDie(
          server.query(`ALTER ROLE "${server.user}" PASSWORD '${Redacted.value(server.password)}'`)
        ))
      )
    }))

  it.effect("what only a change of the configuration can mend fails at once and is not tried again", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const attempts: ReadonlyArray<readonly [PostgresConfig.PostgresOptions, code: string]> = [
        [{ ...parts(server), password: Redacted.make("wrong") }, "28P01"],
        [{ ...parts(server), database: "nowhere" }, "3D000"],
        [{ ...parts(server), settings: { no_such_setting: "1" } }, "42704"],
        [{ ...parts(server), settings: { work_mem: "a lot" } }, "22023"]
      ]
      for (const [options, code] of attempts) {
        const [took, failed] = yield* timed(connectFailed(Effect.scoped(
          withDb({ ...quick, ...options }, works).pipe(
            Effect.provideService(EmbeddedPostgres.EmbeddedPostgres, server)
          )
        )))
        assert.isFalse(failed.isRetryable)
        assert.instanceOf(failed.cause, DialError.DialError)
        assert.strictEqual((failed.cause as DialError.DialError).code, code)
        assert.isBelow(took, 1000)
      }
    }))

  it.effect("an encrypted connection is never given up for a plain one", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const failed = yield* connectFailed(
        withDb({ ...quick, ...parts(server), ssl: true }, works).pipe(
          Effect.provideService(EmbeddedPostgres.EmbeddedPostgres, server)
        )
      )
      assert.isFalse(failed.isRetryable)
      assert.include((failed.cause as Error).message, "does not support TLS")
    }))

  it.effect("a certificate is verified: who signed it, and for which host", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const port = yield* TlsServer.make(server)
      const options = { ...quick, ...parts(server), host: "localhost", port }
      const attempt = (more: PostgresConfig.PostgresOptions) =>
        withDb(
          { ...options, ...more },
          Effect.andThen(works, Effect.exit(Effect.timeout(Db.query`SELECT pg_sleep(9)`, 100)))
        )
      const provided = Effect.provideService(EmbeddedPostgres.EmbeddedPostgres, server)
      const untrusted = yield* connectFailed(provided(attempt({ ssl: true })))
      assert.strictEqual((untrusted.cause as DialError.DialError).code, "DEPTH_ZERO_SELF_SIGNED_CERT")
      assert.isFalse(untrusted.isRetryable)
      const ssl = { ca: certificate }
      const otherHost = yield* connectFailed(provided(attempt({ ssl: { ...ssl, servername: "elsewhere" } })))
      assert.strictEqual((otherHost.cause as DialError.DialError).code, "ERR_TLS_CERT_ALTNAME_INVALID")
      yield* provided(attempt({ ssl }))
      assert.strictEqual(yield* active, 0)
    }))

  it.effect("a pool that wants a standby refuses a primary", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const provided = Effect.provideService(EmbeddedPostgres.EmbeddedPostgres, server)
      const standby = withDb({ ...quick, role: "standby", startupTimeout: "500 millis" }, works)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(provided(standby))))
      yield* provided(withDb({ ...quick, role: "primary" }, works))
    }))

  it.effect("a connection reset by the network costs one statement at most", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const proxy = yield* TcpProxy.make(server)
      yield* withDb(
        { ...quick, ...parts(server), port: proxy.port },
        Effect.gen(function*() {
          for (const fault of [proxy.cut, proxy.fin]) {
            yield* works
            // Two that ended at once were a failed dial, so the next shows for a moment that it stays.
            yield* eventually("both are open", Effect.map(Db.stats, ({ idle }) => idle === 2))
            const before = (yield* Db.stats).counts.retired.broken
            yield* fault
            yield* eventually(
              "replaced",
              Effect.map(Db.stats, ({ counts, idle }) => counts.retired.broken === before + 2 && idle === 2)
            )
            yield* works
            const fiber = yield* Effect.forkChild(Effect.flip(Db.query`SELECT pg_sleep(30)`))
            yield* eventually("it sleeps", Effect.map(active, (n) => n === 1))
            yield* fault
            assert.instanceOf(yield* Fiber.join(fiber), SqlError.SqlError)
            yield* works
            // The server learns of a hung-up client only when it sends something.
            yield* server.terminateBackends()
            yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
          }
        })
      )
    }))

  it.effect("a connection lost just before a rollback does not hide why it is rolled back", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const proxy = yield* TcpProxy.make(server)
      yield* withDb(
        { ...quick, ...parts(server), port: proxy.port },
        Effect.gen(function*() {
          const lost = Db.transaction((sql) =>
            sql`SELECT 1`.pipe(Effect.andThen(proxy.cut), Effect.andThen(Effect.fail("mine" as const)))
          )
          assert.strictEqual(yield* Effect.flip(lost), "mine")
        })
      )
    }))

  it.effect("a connection lost at the end of a nested transaction is a failure of the outer one, and no defect", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const proxy = yield* TcpProxy.make(server)
      const runs = (statement: string) =>
        Effect.map(Db.connections, (all) => all.some(({ activity }) => activity?.startsWith(statement) === true))
      const cutDuring = (statement: string) =>
        eventually(statement, runs(statement)).pipe(Effect.andThen(proxy.cut), Effect.andThen(proxy.blackhole(false)))
      const around = (inner: Effect.Effect<unknown, string>, statement: string) =>
        Effect.flip(Db.transaction(
          Effect.ignore(Db.transaction(Effect.andThen(proxy.blackhole(true), inner))).pipe(
            Effect.andThen(Db.query`SELECT 1`)
          )
        )).pipe(Effect.zip(cutDuring(statement), { concurrent: true }), Effect.map(([error]) => error))
      yield* withDb(
        { ...quick, ...parts(server), port: proxy.port },
        Effect.gen(function*() {
          assert.instanceOf(yield* around(Effect.void, "RELEASE SAVEPOINT"), SqlError.SqlError)
          assert.instanceOf(yield* around(Effect.fail("mine"), "ROLLBACK TO SAVEPOINT"), SqlError.SqlError)
        })
      )
    }))

  it.effect("silence in the network is noticed within the limits, and over when it is over", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const proxy = yield* TcpProxy.make(server)
      yield* withDb(
        { ...quick, ...parts(server), port: proxy.port, freshnessWindow: 0 },
        Effect.gen(function*() {
          yield* works
          yield* proxy.blackhole(true)
          const [took] = yield* timed(Effect.flip(one))
          assert.isBelow(took, 2300)
          yield* proxy.blackhole(false)
          yield* eventually("it works again", Effect.map(Effect.exit(one), Exit.isSuccess))
          yield* proxy.delay("50 millis")
          yield* works
        })
      )
    }))
})

describe("a server that", () => {
  const alone = <A, E>(
    options: EmbeddedPostgres.Options,
    test: Effect.Effect<A, E, EmbeddedPostgres.EmbeddedPostgres>
  ) => Effect.provide(test, EmbeddedPostgres.layer(options))

  it.live("crashes and comes back: the pool recovers without a restart and without traffic", () =>
    alone(
      {},
      withDb(
        quick,
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          yield* works
          yield* server.kill9
          yield* eventually("all are given up", Effect.map(Db.stats, ({ idle }) => idle === 0))
          assert.isTrue(Exit.isFailure(yield* Effect.exit(one)))
          yield* server.start
          yield* eventually("refilled", Effect.map(Db.stats, ({ idle }) => idle === 2))
          yield* works
        })
      )
    ))

  it.live("has no room for the whole pool serves all callers on the connections it gives", () =>
    alone(
      { settings: { max_connections: 8, superuser_reserved_connections: 3, max_wal_senders: 0 } },
      withDb(
        { ...quick, maxConnections: 10, acquireTimeout: "10 seconds" },
        Effect.gen(function*() {
          const sleepers = Array.from({ length: 30 }, (_, i) => Db.query`SELECT ${i}::int AS i, pg_sleep(0.05) IS NULL`)
          const rows = yield* Effect.all(sleepers, { concurrency: "unbounded" })
          assert.strictEqual(rows.length, 30)
          const { counts, limit, limitedBy } = yield* Db.stats
          assert.isAbove(counts.failedToOpen, 0)
          assert.isAtMost(counts.opened, 8)
          // As many as it got: the server refuses none of these, and no dial is wasted on another.
          assert.strictEqual(limitedBy, "server")
          assert.isAtMost(limit, 5)
          assert.deepInclude(counts, { timedOut: 0, refused: 0, failed: 0 })
        })
      )
    ))
})
