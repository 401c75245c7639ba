/**
 * The traps of Effect's Pool when it is left alone with a backend that fails, hangs or ends. A pool that keeps its connections
 * in it must do none of it.
 */
import { ConnectionPool } from "@effect-pools/core"
import { GatedConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, References, Schedule, Scope } from "effect"
import { advance, borrow, borrowMany, call, callMany, id, onPool, reason, settle } from "./utils/bench.ts"
import { counted } from "./utils/turns.ts"

const quick = Schedule.spaced(2)

describe("ConnectionPool: of the traps of Effect's Pool", () => {
  it.effect("a connect that hangs does not stop growth", () =>
    onPool({ maxConnections: 3, backend: { connectDelay: 10 } }, function*({ fake, gates, pool }) {
      gates.set("connect", "never", "ok")
      const callers = yield* callMany(pool, 3)
      yield* advance(10)
      assert.isTrue(callers.every(({ exit }) => exit() !== undefined))
      assert.deepStrictEqual([fake.live, (yield* pool.stats).opening], [2, 1])
    }))

  it.effect("a connect that hangs does not stop replacement", () =>
    onPool({ minConnections: 4, maxConnections: 5 }, function*({ fake, gates, pool }) {
      gates.set("connect", "never", "ok")
      for (let n = 0; n < 4; n++) {
        yield* pool.withConnection((connection) => pool.invalidate(connection))
        yield* settle
      }
      assert.deepStrictEqual([fake.live, (yield* pool.stats).opening], [3, 1])
    }))

  it.effect("connections that are invalidated while they are lent are replaced only when somebody wants one", () =>
    onPool({ maxConnections: 5, backend: { closeDelay: "1 second" } }, function*({ fake, pool }) {
      const borrowers = yield* borrowMany(pool, 5)
      for (const { connection } of borrowers) yield* pool.invalidate(connection)
      yield* settle
      assert.strictEqual(fake.dialled, 5)
      const caller = yield* call(pool)
      for (const { giveBack } of borrowers) yield* giveBack
      yield* settle
      // Those being closed still count at the server.
      assert.deepStrictEqual([fake.live, fake.dialled], [5, 5])
      yield* advance("1 second")
      assert.isDefined(caller.exit())
      assert.strictEqual(fake.dialled, 6)
    }))

  it.effect("the close of a broken connection is waited for by nobody", () =>
    onPool({ maxConnections: 2, closeTimeout: "1 minute" }, function*({ gates, pool }) {
      gates.set("close", "never", "ok")
      const lease = yield* Effect.forkScoped(pool.withConnection((connection) => pool.invalidate(connection)))
      yield* settle
      assert.isDefined(lease.pollUnsafe())
      assert.isDefined((yield* call(pool)).exit())
    }))

  it.effect("a close that hangs does not end the ending of idle connections", () =>
    onPool({ maxConnections: 6, idleTimeout: "1 second", closeTimeout: "1 minute" }, function*({ gates, held, pool }) {
      const borrowers = yield* borrowMany(pool, 6)
      gates.set("close", "never", "ok")
      for (const { giveBack } of borrowers) yield* giveBack
      yield* advance("2 seconds")
      assert.deepStrictEqual([held.numbers().items, (yield* pool.stats).total], [0, 1])
    }))

  it.effect("its end fails those who wait and those who come later, and interrupts nobody", () =>
    onPool({ drainTimeout: "1 second" }, function*({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      const drain = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("1 second")
      assert.strictEqual(waiter.reason()?._tag, "PoolClosed")
      assert.strictEqual((yield* reason(pool.withConnection(id), "PoolClosed")).state, "closed")
      assert.strictEqual((yield* Fiber.join(drain)).abandoned.length, 1)
    }))

  it.effect("its end closes all side by side, and a close that hangs holds up neither the others nor the scope", () =>
    onPool(
      { maxConnections: 10, closeTimeout: "1 second", stuck: 1, backend: { closeDelay: 100 } },
      function*({ fake, gates, pool }) {
        const borrowers = yield* borrowMany(pool, 10)
        for (const { giveBack } of borrowers) yield* giveBack
        gates.set("close", "stuck", "ok")
        const drain = yield* Effect.forkScoped(pool.drain)
        yield* settle
        yield* advance(100)
        assert.strictEqual(fake.live, 1)
        yield* advance(900)
        assert.strictEqual((yield* Fiber.join(drain)).closesTimedOut, 1)
      }
    ))

  it.effect("its end waits for a close that runs already", () =>
    onPool({ backend: { closeDelay: "2 seconds" } }, function*({ fake, pool }) {
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      const drain = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("1 second")
      assert.isUndefined(drain.pollUnsafe())
      yield* advance("1 second")
      assert.isDefined(drain.pollUnsafe())
      assert.strictEqual(fake.live, 0)
    }))

  it.effect("a refused dial fails nobody whom a connection that comes back can serve", () =>
    onPool({ maxConnections: 2, retry: quick }, function*({ gates, pool }) {
      const holder = yield* borrow(pool)
      gates.set("connect", "fail")
      const caller = yield* call(pool)
      yield* advance(50)
      assert.isUndefined(caller.exit())
      yield* holder.giveBack
      assert.deepStrictEqual(yield* Fiber.join(caller.fiber), holder.connection.id)
    }))

  it.effect("an outage costs the same for 10 waiters and for 640", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const seen: Array<readonly [dials: number, fibers: number]> = []
        for (const waiters of [10, 640]) {
          const gated = GatedConnector.make({ connectDelay: 2, initial: { connect: "fail" } })
          const scope = yield* Scope.make()
          const pool = yield* Scope.provide(
            ConnectionPool.make(gated.connector, {
              maxConnections: 10,
              minConnections: 0,
              metrics: false,
              retry: Schedule.spaced(100),
              breaker: { minimumDials: 1_000 }
            }),
            scope
          )
          const before = turns.fibers
          for (let i = 0; i < waiters; i++) yield* Effect.forkIn(pool.withConnection(id), scope)
          yield* turns.settle
          yield* turns.advance(5_000)
          seen.push([gated.fake.dialled, turns.fibers - before - waiters])
          yield* Effect.forkDetach(Scope.close(scope, Exit.void))
          yield* turns.advance(20_000)
        }
        assert.deepStrictEqual(seen[0], seen[1])
        assert.isBelow(seen[0]![0], 100)
        assert.isBelow(seen[0]![1], 20)
      })
    ).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("the minimum is back after a start that failed", () =>
    onPool({ minConnections: 3, maxConnections: 5, startup: "lazy", retry: quick }, function*({ fake, gates, pool }) {
      gates.set("connect", "fail")
      yield* advance(20)
      assert.strictEqual(fake.live, 0)
      gates.set("connect", "ok")
      yield* advance("1 minute")
      assert.deepStrictEqual([fake.live, (yield* pool.stats).idle], [3, 3])
    }))

  it.effect("an acquisition that dies or interrupts itself does so to nobody who waits", () =>
    onPool(
      { maxConnections: 1, retry: quick, acquireTimeout: "1 second", breaker: { minimumDials: 1_000 } },
      function*({ gates, pool }) {
        gates.set("connect", "defect")
        const callers = yield* callMany(pool, 3)
        yield* advance("1 second")
        assert.deepStrictEqual(
          callers.map((caller) => caller.reason()?._tag),
          ["AcquireTimeout", "AcquireTimeout", "AcquireTimeout"]
        )
      }
    ))
})
