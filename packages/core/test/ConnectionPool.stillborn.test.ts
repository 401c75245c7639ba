import type { Connector } from "@effect-pools/core"
import { ConnectionPool } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { advance, captureLogs, listenTo, type Log, only, reason, settle } from "./utils/bench.ts"

interface Short {
  readonly id: number
}

/** A backend whose connections end by themselves some milliseconds after they were opened, until it is well. */
const shortLived = (how: "onBroken" | "onEnded", after: number) => {
  const backend = { dials: 0, isWell: false }
  const connector: Connector.Connector<Short> = {
    connect: (signals) =>
      Effect.gen(function*() {
        const id = ++backend.dials
        const end = Effect.sync(() => signals[how](new Error("bye")))
        if (!backend.isWell) yield* Effect.forkScoped(Effect.delay(end, after))
        return { id }
      }),
    validate: () => Effect.void,
    reset: () => undefined
  }
  return { backend, connector }
}

const id = ({ id }: Short) => Effect.succeed(id)

describe("ConnectionPool: connections that end as soon as they are open", () => {
  for (const how of ["onBroken", "onEnded"] as const) {
    for (const lived of [1, 5, 100, 300]) {
      it.effect(`are failed dials, where each tells ${how} after ${lived} ms`, () =>
        Effect.gen(function*() {
          const logs: Array<Log> = []
          const { backend, connector } = shortLived(how, lived)
          const pool = yield* ConnectionPool.make(connector, { minConnections: 1, maxConnections: 10, startup: "lazy" })
            .pipe(Effect.provide(captureLogs(logs)))
          const { events, listen } = listenTo(pool)
          yield* listen
          yield* advance("3 seconds")
          const atFirst = backend.dials
          assert.isAtMost(atFirst, 6)
          yield* advance("10 seconds")
          assert.isAtMost(backend.dials - atFirst, 12)
          assert.isAtLeast(backend.dials - atFirst, 3)
          const { counts } = yield* pool.stats
          assert.isAtLeast(counts.failedToOpen, backend.dials - 3)
          assert.isAtLeast(only(events, "OpenFailed").length, 5)
          assert(logs.some(({ text }) => /could not connect, attempt \d+: the connection ended/.test(text)))
          const health = yield* pool.health
          assert.notStrictEqual(health.status, "healthy")
          assert(health.warnings.some(({ about }) => about === "backendDown"))
          yield* advance("30 seconds")
          const then = yield* pool.stats
          // It may be the moment of a trial, which is over when the connection has ended again.
          if (then.breaker === "closed") {
            assert.strictEqual(then.opening, 1)
            yield* advance("600 millis")
          }
          assert.strictEqual((yield* pool.stats).breaker, "open")
          yield* reason(pool.withConnection(id), "BreakerOpen")
        }))
    }

    it.effect(`serve again within one backoff, where each told ${how}`, () =>
      Effect.gen(function*() {
        const { backend, connector } = shortLived(how, 5)
        const pool = yield* ConnectionPool.make(connector, { minConnections: 2, maxConnections: 10, startup: "lazy" })
          .pipe(Effect.provide(captureLogs([])))
        yield* advance("4 seconds")
        backend.isWell = true
        yield* advance("2500 millis")
        assert.strictEqual((yield* pool.stats).idle, 2)
        assert.strictEqual((yield* pool.stats).opening, 0)
        const before = backend.dials
        yield* advance("1 minute")
        assert.strictEqual(backend.dials, before)
      }))
  }

  it.effect("tell their cause to whoever waits, as failed dials do", () =>
    Effect.gen(function*() {
      const { connector } = shortLived("onBroken", 5)
      const pool = yield* ConnectionPool.make(connector, { minConnections: 1, maxConnections: 10, startup: "lazy" })
        .pipe(Effect.provide(captureLogs([])))
      yield* settle
      yield* advance(100)
      const caller = yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      yield* advance("10 seconds")
      const failed = yield* reason(Fiber.join(caller), "ConnectFailed")
      assert.include(failed.message, "the connection ended while it was being opened: bye")
    }))

  it.effect("are replaced at once, where it was one alone", () =>
    Effect.gen(function*() {
      const { backend, connector } = shortLived("onBroken", 5)
      const pool = yield* ConnectionPool.make(connector, { minConnections: 1, maxConnections: 10, startup: "lazy" })
        .pipe(Effect.provide(captureLogs([])))
      yield* settle
      backend.isWell = true
      yield* advance(5)
      assert.deepStrictEqual([backend.dials, (yield* pool.stats).idle, (yield* pool.stats).counts.failedToOpen], [
        2,
        1,
        0
      ])
    }))

  it.effect("say nothing of the dials, where another that was opened since is in use", () =>
    Effect.gen(function*() {
      const { backend, connector } = shortLived("onBroken", 5)
      const pool = yield* ConnectionPool.make(connector, { minConnections: 1, maxConnections: 10, startup: "lazy" })
        .pipe(Effect.provide(captureLogs([])))
      yield* settle
      backend.isWell = true
      yield* advance(5)
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      backend.isWell = false
      yield* pool.warmUp(2)
      backend.isWell = true
      yield* advance(5)
      assert.strictEqual((yield* pool.stats).counts.failedToOpen, 0)
    }))

  /** Each borrower loses its connection and fails. */
  const losing = (times: number) =>
    Effect.gen(function*() {
      const backend = { dials: 0 }
      const connector: Connector.Connector<{ readonly die: Effect.Effect<never, string> }> = {
        connect: (signals) =>
          Effect.sync(() => {
            backend.dials++
            return { die: Effect.andThen(Effect.sync(() => signals.onBroken(new Error("bye"))), Effect.fail("lost")) }
          }),
        reset: () => undefined
      }
      const pool = yield* ConnectionPool.make(connector, { minConnections: 0, maxConnections: 1 })
        .pipe(Effect.provide(captureLogs([])))
      for (let time = 0; time < times; time++) yield* Effect.exit(pool.withConnection(({ die }) => die))
      return { backend, pool }
    })

  it.effect("under each first borrower are failed dials, where it is as many in a row as the breaker judges by", () =>
    Effect.gen(function*() {
      const { backend, pool } = yield* losing(10)
      assert.deepStrictEqual([backend.dials, (yield* pool.stats).counts.failedToOpen], [10, 1])
      const caller = yield* Effect.forkScoped(pool.withConnection(() => Effect.void))
      yield* advance(500)
      assert.strictEqual(backend.dials, 10)
      yield* advance("1 second")
      yield* Fiber.join(caller)
      assert.strictEqual(backend.dials, 11)
    }))

  it.effect("under their borrowers are no failed dials, where it is fewer or one went well meanwhile", () =>
    Effect.gen(function*() {
      const { pool } = yield* losing(9)
      yield* pool.withConnection(() => Effect.void)
      for (let time = 0; time < 9; time++) yield* Effect.exit(pool.withConnection(({ die }) => die))
      assert.strictEqual((yield* pool.stats).counts.failedToOpen, 0)
    }))
})
