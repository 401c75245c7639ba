import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { PoolError } from "@effect-pools/core/PoolError"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, describe, it, layer } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Redacted,
  References,
  Result,
  Schedule,
  Scope,
  Stream
} from "effect"
import type { SqlError } from "effect/sql"
import { isSqlError } from "effect/sql/SqlError"
import { execFile } from "node:child_process"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { executed, message, ready } from "./fixtures/fakeBackend.ts"
import { active, Db, eventually, type Services, timed, withDb } from "./support.ts"

const quick: PostgresConfig.PostgresOptions = {
  minConnections: 1,
  maxConnections: 2,
  acquireTimeout: "5 seconds",
  connectTimeout: "1 second",
  validateTimeout: "500 millis",
  resetTimeout: "500 millis",
  closeTimeout: "500 millis",
  retry: Schedule.spaced("100 millis"),
  breaker: { openDuration: "300 millis" },
  healthCheck: "1 hour"
}

/** One connection, so that what becomes of it is seen by the next borrower. */
const single: PostgresConfig.PostgresOptions = { ...quick, maxConnections: 1 }

const one = Db.query<{ one: number }>`SELECT 1 AS one`
const works = Effect.map(one, (rows) => assert.deepStrictEqual(rows, [{ one: 1 }]))

/** Runs a test with a pool whose way to the server leads through a proxy. */
const withProxy = <A, E, R>(
  options: PostgresConfig.PostgresOptions,
  test: (proxy: TcpProxy.TcpProxy) => Effect.Effect<A, E, R | Services>
) =>
  Effect.gen(function*() {
    const { database, host, password, port, user: username } = yield* EmbeddedPostgres.EmbeddedPostgres
    const proxy = yield* TcpProxy.make({ host, port })
    const to = { host: proxy.host, port: proxy.port, database, username, password }
    const exit = yield* Effect.exit(withDb({ ...options, ...to }, test(proxy)))
    if (Exit.isSuccess(exit)) yield* eventually("no socket is left", Effect.map(proxy.connections, (n) => n === 0))
    return yield* exit
  }).pipe(Effect.scoped)

const sqlError = (error: unknown): SqlError.SqlError =>
  isSqlError(error) ? error : assert.fail(`not a SqlError: ${String(error)}`)

const rows = (bytes: number) =>
  Db.query<{ line: string }>`SELECT repeat('x', 100) AS line FROM generate_series(1, ${bytes / 100}::int)`

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("a network that", (it) => {
  for (const ending of ["fin", "reset"] as const) {
    it.effect(`ends a connection (${ending}) in the middle of a row fails that statement, and no other`, () =>
      withProxy(single, (proxy) =>
        Effect.gen(function*() {
          yield* works
          yield* proxy.cutAfter(5050, ending)
          sqlError(yield* Effect.flip(rows(100_000)))
          yield* proxy.cutAfter(undefined)
          yield* works
          const { counts } = yield* Db.stats
          assert.deepStrictEqual([counts.opened, counts.retired.broken, counts.ended.failure], [2, 1, 1])
        })))
  }

  it.effect("cuts a frame in two never gives an answer to another's request", () =>
    withProxy({ ...single, sharing: 16 }, (proxy) =>
      Effect.gen(function*() {
        const ask = (n: number) => Effect.result(Db.query<{ n: number }>`SELECT ${n}::int AS n, repeat('y', ${n}::int)`)
        let answered = 0
        let failed = 0
        for (let bytes = 1; bytes < 2000; bytes += 37) {
          yield* works
          yield* proxy.cutAfter(bytes, "fin")
          const results = yield* Effect.all(Array.from({ length: 16 }, (_, n) => ask(n)), { concurrency: "unbounded" })
          yield* proxy.cutAfter(undefined)
          for (const [n, result] of results.entries()) {
            if (Result.isFailure(result)) failed++
            else {
              answered++
              assert.strictEqual(result.success[0]?.n, n)
            }
          }
        }
        assert.isAbove(answered, 0)
        assert.isAbove(failed, 0)
      })))

  it.effect("swallows a statement ends it by its caller's limit, and frees the place", () =>
    withProxy(single, (proxy) =>
      Effect.gen(function*() {
        yield* works
        const fiber = yield* Effect.forkChild(Effect.flip(Effect.timeout(Db.query`SELECT pg_sleep(30)`, "1 second")))
        yield* eventually("it runs", Effect.map(active, (n) => n === 1))
        yield* proxy.blackhole(true)
        const [took, error] = yield* timed(Fiber.join(fiber))
        assert.strictEqual((error as { readonly _tag: string })._tag, "TimeoutError")
        assert.isBelow(took, 3000)
        yield* eventually("its place is free", Effect.map(Db.stats, ({ used }) => used === 0))
        // Nobody confirms that it has stopped.
        yield* eventually("it is given up", Effect.map(Db.stats, ({ counts }) => counts.retired.broken === 1))
        yield* proxy.blackhole(false)
        yield* works
        assert.strictEqual((yield* Db.stats).counts.retired.broken, 1)
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* server.terminateBackends()
      })))

  const ends: ReadonlyArray<
    readonly [what: string, body: (silence: Effect.Effect<void>) => Effect.Effect<void, unknown, Db>]
  > = [
    ["a ROLLBACK", (silence) => Effect.andThen(silence, Effect.never)],
    ["a COMMIT", (silence) => silence],
    ["the end of a nested transaction", (silence) => Db.transaction(silence)]
  ]
  for (const [what, body] of ends) {
    it.effect(
      `swallows ${what} does not hold up who was told to leave`,
      () =>
        withProxy(single, (proxy) =>
          Effect.gen(function*() {
            yield* works
            const transaction = Db.transaction(Effect.andThen(Db.query`SELECT 1`, body(proxy.blackhole(true))))
            const [took, error] = yield* timed(Effect.flip(Effect.timeout(transaction, "500 millis")))
            assert.strictEqual((error as { readonly _tag: string })._tag, "TimeoutError")
            assert.isBelow(took, 20_000)
            yield* eventually("it is given up", Effect.map(Db.stats, ({ counts }) => counts.retired.broken === 1))
            yield* proxy.blackhole(false)
            yield* works
            const server = yield* EmbeddedPostgres.EmbeddedPostgres
            yield* server.terminateBackends()
          })),
      60_000
    )
  }

  it.effect(
    "swallows an UNLISTEN does not hold up who was told to leave",
    () =>
      withProxy(single, (proxy) =>
        Effect.gen(function*() {
          const listener = yield* Effect.forkChild(Stream.runDrain(Db.listen("a")))
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          const last = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
          yield* eventually("it listens", Effect.map(server.query(last), (rows) => rows.length === 1))
          yield* proxy.blackhole(true)
          const [took] = yield* timed(Fiber.interrupt(listener))
          assert.isBelow(took, 20_000)
          yield* proxy.blackhole(false)
          yield* works
          yield* server.terminateBackends()
        })),
    60_000
  )

  it.effect(
    "swallows a LISTEN does not hold up who was told to leave",
    () =>
      withProxy(single, (proxy) =>
        Effect.gen(function*() {
          yield* works
          yield* proxy.blackhole(true)
          const listener = yield* Effect.forkChild(Stream.runDrain(Db.listen("a")))
          yield* Effect.sleep(100)
          const [took] = yield* timed(Fiber.interrupt(listener))
          assert.isBelow(took, 8000)
          yield* proxy.blackhole(false)
          yield* works
        })),
    60_000
  )

  it.effect("is well keeps the lease of use whenever a listener leaves it as it begins", () =>
    withProxy(single, (proxy) =>
      Db.withConnection((sql) =>
        Effect.gen(function*() {
          yield* proxy.delay("2 millis")
          for (let wait = 0; wait < 12; wait++) {
            const listener = yield* Effect.forkChild(Effect.scoped(Effect.andThen(sql.listen("a"), Effect.never)))
            yield* Effect.sleep(wait)
            yield* Fiber.interrupt(listener)
            const open = yield* sql`SELECT pg_listening_channels()`
            assert.deepStrictEqual(open, [], `after ${wait} ms`)
          }
        })
      )))

  it.effect("swallows a LISTEN that nobody leaves does not keep it waiting for ever", () =>
    withProxy({ ...single, healthCheck: "500 millis" }, (proxy) =>
      Effect.gen(function*() {
        yield* works
        yield* proxy.blackhole(true)
        const listening = Effect.exit(Effect.scoped(Db.withConnection((sql) => sql.listen("a"))))
        const [took, exit] = yield* timed(Effect.timeoutOption(listening, "20 seconds"))
        assert(exit._tag === "Some" && Exit.isFailure(exit.value))
        assert.include(String(exit.value.cause), "gave no sign of life to a listener within validateTimeout")
        assert.isBelow(took, 10_000)
        yield* proxy.blackhole(false)
        yield* works
      })))

  it.effect("swallows a statement without a limit ends it by reclaimTimeout", () =>
    withProxy({ ...single, leakTimeout: "500 millis", reclaimTimeout: "1 second" }, (proxy) =>
      Effect.gen(function*() {
        yield* works
        const fiber = yield* Effect.forkChild(Effect.exit(Db.query`SELECT pg_sleep(30)`))
        yield* eventually("it runs", Effect.map(active, (n) => n === 1))
        yield* proxy.blackhole(true)
        const [took, exit] = yield* timed(Fiber.join(fiber))
        assert.isTrue(Exit.isFailure(exit))
        assert.isBelow(took, 8000)
        yield* proxy.blackhole(false)
        yield* works
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* server.terminateBackends()
      })))

  it.effect("goes silent while connections idle costs a borrower one validation and one dial", () =>
    withProxy({ ...single, freshnessWindow: 0 }, (proxy) =>
      Effect.gen(function*() {
        yield* works
        yield* proxy.blackhole(true)
        const fiber = yield* Effect.forkChild(works, { startImmediately: true })
        yield* eventually("it is found out", Effect.map(Db.stats, ({ counts }) => counts.failedToValidate === 1))
        yield* proxy.blackhole(false)
        yield* Fiber.join(fiber)
        const { counts } = yield* Db.stats
        assert.deepStrictEqual([counts.opened, counts.retired.invalid], [2, 1])
      })))

  it.effect("accepts into silence keeps a dial no longer than connectTimeout", () =>
    withProxy(
      { ...quick, startup: "lazy", retry: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 1 })) },
      (proxy) =>
        Effect.gen(function*() {
          yield* eventually("refilled", Effect.map(Db.stats, ({ idle }) => idle === 1))
          yield* proxy.blackhole(true)
          yield* proxy.cut
          yield* eventually("it is given up", Effect.map(Db.stats, ({ counts }) => counts.retired.broken === 1))
          const [took, error] = yield* timed(Effect.flip(one))
          assert.isTrue(error instanceof PoolError)
          assert.isBelow(took, 5500)
          assert.isAtMost(yield* proxy.connections, 4)
          yield* proxy.blackhole(false)
          yield* eventually("it works again", Effect.map(Effect.exit(one), Exit.isSuccess))
        })
    ))

  it.effect("takes 200 ms, more or less, is not taken for a dead one", () =>
    withProxy(
      { ...quick, connectTimeout: undefined, validateTimeout: undefined, freshnessWindow: 0 },
      (proxy) =>
        Effect.gen(function*() {
          yield* proxy.delay("100 millis", "200 millis")
          yield* Effect.all(Array.from({ length: 8 }, () => works), { concurrency: 4 })
          const { counts } = yield* Db.stats
          assert.isAbove(counts.validated, 0)
          assert.deepStrictEqual([counts.failedToValidate, counts.failedToOpen, counts.retired.invalid], [0, 0, 0])
        })
    ))

  it.effect("carries 1 KB a second is waited for as long as bytes flow", () =>
    withProxy({ ...single, idleTimeout: "500 millis", healthCheck: "100 millis" }, (proxy) =>
      Effect.gen(function*() {
        yield* works
        yield* proxy.throttle(1024)
        const [took, result] = yield* timed(rows(2000))
        assert.strictEqual(result.length, 20)
        assert.isAbove(took, 1500)
        yield* proxy.throttle(undefined)
        const { retired } = (yield* Db.stats).counts
        assert.deepStrictEqual([retired.broken, retired.invalid, retired.idle], [0, 0, 0])
      })))

  it.effect("delivers byte by byte changes nothing", () =>
    withProxy(
      { ...quick, connectTimeout: "10 seconds", acquireTimeout: "20 seconds" },
      (proxy) =>
        Effect.gen(function*() {
          yield* proxy.slice(1)
          yield* Db.retireAll
          yield* works
          const [wide] = yield* Db.query<{ a: string; b: number; c: Array<number> | null }>`
          SELECT repeat('é', 100) AS a, ${7}::int AS b, NULL AS c`
          assert.deepStrictEqual(wide, { a: "é".repeat(100), b: 7, c: null })
          const error = sqlError(yield* Effect.flip(Db.query`SELECT 1 / 0`))
          assert.include(String(error.reason.cause), "division by zero")
          const streamed = yield* Stream.runCollect(Db.stream((sql) => sql`SELECT generate_series(1, 20) AS n`.stream))
          assert.strictEqual(streamed.length, 20)
          const { counts } = yield* Db.stats
          assert.deepStrictEqual([counts.failedToOpen, counts.retired.broken], [0, 0])
        })
    ))

  it.effect("passes a farewell on late does not keep the place", () =>
    withProxy(single, (proxy) =>
      Effect.gen(function*() {
        yield* works
        yield* proxy.slowClose("3 seconds")
        yield* Db.withConnection((sql) => Db.invalidate(sql))
        const [took] = yield* timed(works)
        assert.isBelow(took, 2500)
        assert.strictEqual((yield* Db.stats).counts.opened, 2)
      })))

  it.effect("is down for seconds under load serves again within one delay, and nothing stale", () =>
    withProxy({ ...quick, minConnections: 2, acquireTimeout: "1 second" }, (proxy) =>
      Effect.gen(function*() {
        const log: Array<{ readonly at: number; readonly isSuccess: boolean }> = []
        const start = performance.now()
        const ask = Effect.gen(function*() {
          const at = performance.now() - start
          const exit = yield* Effect.exit(one)
          log.push({ at, isSuccess: Exit.isSuccess(exit) })
          yield* Effect.sleep("5 millis")
        })
        const load = yield* Effect.forkChild(
          Effect.all(Array.from({ length: 20 }, () => Effect.forever(ask)), { concurrency: "unbounded" })
        )
        yield* eventually("it is under load", Effect.sync(() => log.length > 50))
        yield* proxy.down
        yield* eventually("all fail", Effect.sync(() => log.slice(-20).every(({ isSuccess }) => !isSuccess)))
        yield* Effect.sleep("2 seconds")
        const before = log.length
        const [took] = yield* timed(Effect.andThen(
          proxy.up,
          eventually("one succeeds", Effect.sync(() => log.slice(before).some(({ isSuccess }) => isSuccess)))
        ))
        // One delay of the schedule or one opening of the breaker, and what a busy machine adds.
        assert.isBelow(took, 2000)
        const back = performance.now() - start
        yield* eventually("it is under load again", Effect.sync(() => log.filter(({ at }) => at > back).length > 50))
        yield* Fiber.interrupt(load)
        assert.deepStrictEqual(log.filter(({ at, isSuccess }) => at > back && !isSuccess), [])
      })))

  it.effect("refuses thousands of dials leaves no memory and no listener behind", () =>
    withProxy(
      { ...quick, minConnections: 0, connectRate: 1e6, retry: Schedule.forever, breaker: { minimumDials: 1_000_000 } },
      (proxy) =>
        Effect.gen(function*() {
          yield* proxy.down
          const caller = yield* Effect.forkChild(
            Effect.forever(Effect.exit(one)),
            { startImmediately: true }
          )
          const failures = (n: number) =>
            Effect.map(Db.stats, ({ counts }) => counts.failedToOpen >= n).pipe(
              Effect.repeat({ until: (isEnough) => isEnough, schedule: Schedule.spaced("20 millis") })
            )
          yield* failures(1000)
          const before = footprint()
          yield* failures(6000)
          const after = footprint()
          yield* Fiber.interrupt(caller)
          assert.isAtMost(after.listeners, before.listeners + 2)
          assert.isAtMost(after.resources, before.resources + 5)
          // A kilobyte for each of them.
          assert.isBelow(after.heap - before.heap, 5_000_000)
        })
      // Each failed dial is a line of the log, and here nobody reads them.
    ).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
})

/** What failed dials could leave behind in this process. */
const footprint = () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
  collect()
  return {
    heap: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  }
}

describe("a server that", () => {
  it.live("has room for 5 serves 5 callers, and the others as these give back, and health tells it once", () =>
    withDb(
      // The breaker would open or not as the first ten dials happen to end: here it stays closed.
      {
        ...quick,
        minConnections: 0,
        maxConnections: 10,
        retry: Schedule.spaced("500 millis"),
        breaker: { minimumDials: 100 }
      },
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        const callers = yield* Effect.forkChild(Effect.all(
          Array.from({ length: 10 }, () =>
            Db.withConnection((sql) =>
              sql`SELECT 1`.pipe(Effect.andThen(Deferred.await(go)), Effect.andThen(sql`SELECT 1`))
            )),
          { concurrency: "unbounded" }
        ))
        yield* eventually(
          "5 are served and 5 wait",
          Effect.map(Db.stats, ({ counts, pending, used }) =>
            used === 5 && pending === 5 && counts.failedToOpen > 1)
        )
        // A dial that succeeded last hides those that failed before it, until the next.
        yield* eventually(
          "health tells it once",
          Effect.map(Db.health, ({ status, warnings }) =>
            status === "degraded" &&
            warnings.filter(({ message }) =>
                message.includes("has no room for more connections")
              ).length === 1)
        )
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* Fiber.join(callers)).length, 10)
        assert.isAtMost((yield* Db.stats).counts.opened, 5)
      })
    ).pipe(Effect.provide(EmbeddedPostgres.layer({
      settings: { max_connections: 8, superuser_reserved_connections: 3, max_wal_senders: 0 }
    }))))

  it.live("answers LISTEN and then nothing does not hold up a listener that was told to leave before the answer came", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<Net.Socket>()
      const told: Array<string> = []
      const port = yield* serve((socket) => {
        socket.once("data", () => {
          socket.write(Buffer.concat([message("R", 0), message("K", 42, 7), ready("I")]))
          socket.on("data", (chunk: Buffer) => {
            const text = chunk.toString("latin1")
            if (text.includes("UNLISTEN")) told.push("UNLISTEN")
            else if (text.includes("LISTEN")) {
              told.push("LISTEN")
              Deferred.doneUnsafe(asked, Effect.succeed(socket))
            }
          })
        })
      })
      const options = { ...single, host: "127.0.0.1", port, username: "app", password: Redacted.make("app") }
      yield* withDb(
        options,
        Effect.gen(function*() {
          const listener = yield* Effect.forkChild(Stream.runDrain(Db.listen("a")))
          const socket = yield* Deferred.await(asked)
          // On its way when the listener is told, and not read yet.
          socket.write(executed("LISTEN"))
          const [took] = yield* timed(Fiber.interrupt(listener))
          assert.isBelow(took, 2000)
          yield* eventually("the session is given up", Effect.map(Db.stats, ({ counts }) => counts.closed > 0))
        })
      )
      return told
    }).pipe(
      Effect.scoped,
      // A process that gets no turn for 10 ms has the statement cancelled before it reads the answer.
      Effect.repeat({ until: (told) => told.includes("UNLISTEN"), times: 9 }),
      Effect.map((told) => assert.deepStrictEqual(told, ["LISTEN", "UNLISTEN"])),
      Effect.provide(EmbeddedPostgres.layer())
    ))

  it.live("announces a message of 2 GB is left before the memory for it is taken", () =>
    Effect.gen(function*() {
      const port = yield* serve((socket) => {
        socket.once("data", () => {
          socket.write(Buffer.concat([message("R", 0), message("K", 42, 7), ready("I")]))
          socket.once("data", () => socket.write(Buffer.from([0x44, 0x7f, 0xff, 0xff, 0xff, 0, 1])))
        })
      })
      const scope = yield* Scope.make()
      const options = { ...single, host: "127.0.0.1", port, username: "app", password: Redacted.make("app") }
      const context = yield* Layer.buildWithScope(Db.layer(options), scope)
      const before = process.memoryUsage()
      const [took, error] = yield* timed(Effect.flip(Effect.provideContext(one, context)))
      assert.include(String(sqlError(error).reason.cause), "maxMessageSize")
      assert.isBelow(took, 2000)
      const after = process.memoryUsage()
      assert.isBelow(after.rss - before.rss, 200_000_000)
      const pool = Context.get(context, Db)
      yield* eventually("it is given up", Effect.map(pool.stats, ({ counts }) => counts.retired.broken === 1))
      yield* Scope.close(scope, Exit.void)
      const { counts } = yield* pool.stats
      assert.strictEqual(counts.opened - counts.closed, 0)
    }).pipe(Effect.scoped))
})

/** A server that does with its connections whatever the test says. */
const serve = (talk: (socket: Net.Socket) => void): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<readonly [Net.Server, Set<Net.Socket>]>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        talk(socket)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed([server, sockets])))
    }),
    ([server, sockets]) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
  ).pipe(Effect.map(([server]) => (server.address() as Net.AddressInfo).port))

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("a process that", (it) => {
  it.effect(
    "may open no more files fails with a typed error, and goes on when it may again",
    () =>
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        const output = yield* withFewFiles(Redacted.value(server.url))
        assert.deepStrictEqual(output.trim().split("\n"), ["ConnectFailed EMFILE", "works again", "left open: 0"])
      })
  )
})

/** Runs a program that may open 64 files, and gives what it printed. */
const withFewFiles = (url: string) =>
  Effect.callback<string, Error>((resume) => {
    const limited = [
      "-c",
      "ulimit -n 64; exec \"$0\" --conditions=@effect-pools/source \"$1\"",
      process.execPath,
      program
    ]
    const child = execFile("sh", limited, { env: { ...process.env, URL: url } }, (error, stdout) =>
      resume(error === null ? Effect.succeed(stdout) : Effect.fail(error)))
    return Effect.sync(() =>
      child.kill("SIGKILL")
    )
  })

const program = fileURLToPath(new URL("./fixtures/fewFiles.ts", import.meta.url))
