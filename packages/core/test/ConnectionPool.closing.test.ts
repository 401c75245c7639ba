import { ConnectionPool, type Connector } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { advance, borrow, borrowMany, call, captureLogs, id, isGone, only, onPool, settle } from "./utils/bench.ts"

describe("ConnectionPool: a close", () => {
  it.effect("keeps its place until it has ended, so that the server never sees more than maxConnections", () =>
    onPool({ backend: { closeDelay: "2 seconds" } }, function*({ fake, pool }) {
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      const caller = yield* call(pool)
      yield* advance(1999)
      assert.deepStrictEqual([fake.live, fake.dialled, (yield* pool.stats).closing], [1, 1, 1])
      yield* advance(1)
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("is not waited for by the borrower whose lease ended", () =>
    onPool({ backend: { closeDelay: "2 seconds" } }, function*({ pool }) {
      // No time passes before the result is there.
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      assert.strictEqual((yield* pool.stats).closing, 1)
    }))

  it.effect("is not waited for by a caller whom another connection can serve", () =>
    onPool({ maxConnections: 2, backend: { closeDelay: "2 seconds" } }, function*({ pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* pool.invalidate(first!.connection)
      yield* first!.giveBack
      yield* second!.giveBack
      assert.strictEqual(yield* pool.withConnection(id), 2)
    }))

  it.effect("that hangs frees its place at closeTimeout, and the time-out is an event, a count and a warning", () =>
    onPool({ closeTimeout: "3 seconds" }, function*({ events, gates, listen, logs, pool }) {
      yield* listen
      gates.set("close", "never", "ok")
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      const caller = yield* call(pool)
      yield* advance(2999)
      assert.isUndefined(caller.exit())
      yield* advance(1)
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
      assert.deepStrictEqual([(yield* pool.stats).counts.closesTimedOut, (yield* pool.stats).counts.closed], [1, 1])
      assert.include(String(only(events, "CloseFailed")[0]?.cause), "close took longer than 3000 ms (closeTimeout)")
      assert(logs.some(({ level, text }) => level === "Warn" && text.includes("connection 1")))
    }))

  it.effect("that hangs and ignores its interruption frees its place at closeTimeout", () =>
    onPool({ closeTimeout: "3 seconds", stuck: 1 }, function*({ gates, pool }) {
      gates.set("close", "stuck", "ok")
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      const caller = yield* call(pool)
      yield* advance("3 seconds")
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("that hangs does not hold up the closes of others", () =>
    onPool({ maxConnections: 3, idleTimeout: "1 second" }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 3)
      gates.set("close", "never", "ok")
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("1 second")
      const { closing, counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, closing, counts.closed, counts.retired.idle], [1, 1, 2, 3])
    }))

  for (const behaviour of ["fail", "defect", "interrupt"] as const) {
    it.effect(`that does "${behaviour}" frees its place, harms nobody and is told once`, () =>
      onPool({}, function*({ events, gates, listen, logs, pool }) {
        yield* listen
        gates.set("close", behaviour, "ok")
        yield* pool.withConnection((connection) => pool.invalidate(connection))
        const caller = yield* call(pool)
        assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
        yield* settle
        assert.strictEqual(only(events, "CloseFailed").length, 1)
        assert.strictEqual(logs.filter(({ text }) => text.includes("connection 1")).length, 1)
        const { counts } = yield* pool.stats
        assert.deepStrictEqual([counts.closed, counts.closesTimedOut], [1, 0])
      }))
  }

  it.effect("whose reset failed before is made once, and each failure is told once", () =>
    onPool({}, function*({ events, gates, listen, pool }) {
      yield* listen
      gates.set("reset", "fail", "ok")
      gates.set("close", "defect", "ok")
      yield* pool.withConnection(id)
      yield* settle
      assert.deepStrictEqual([only(events, "ResetFailed").length, only(events, "CloseFailed").length], [1, 1])
      assert.strictEqual(gates.calls("close"), 1)
    }))

  it.effect("of many connections at the end of the pool is made of all at once", () =>
    Effect.gen(function*() {
      const connector: Connector.Connector<object> = {
        connect: () => Effect.acquireRelease(Effect.sync(() => ({})), () => Effect.sleep(100))
      }
      const pool = yield* ConnectionPool.make(connector, { minConnections: 10, maxConnections: 10 })
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance(100)
      const exit = draining.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit))
      assert.deepInclude(exit.value, { took: 100, closed: 10, closesTimedOut: 0 })
      yield* isGone(pool)
    }).pipe(Effect.provide(captureLogs([]))))

  it.effect("runs all finalizers of a connection, last added first", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const finalizer = (name: string) => Effect.addFinalizer(() => Effect.sync(() => order.push(name)))
      const connect = () => Effect.andThen(finalizer("socket"), Effect.as(finalizer("session"), {}))
      const pool = yield* ConnectionPool.make({ connect }, { minConnections: 1, maxConnections: 1 })
      yield* pool.drain
      assert.deepStrictEqual(order, ["session", "socket"])
    }))

  it.effect("of a failed dial cleans up what it had opened so far", () =>
    Effect.gen(function*() {
      let open = 0
      const connect = () =>
        Effect.andThen(
          Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
          Effect.fail("login refused")
        )
      const pool = yield* ConnectionPool.make({ connect }, { minConnections: 0, maxConnections: 1 }).pipe(
        Effect.provide(captureLogs([]))
      )
      const fiber = yield* Effect.forkScoped(Effect.exit(pool.withConnection(() => Effect.void)))
      yield* settle
      yield* advance("10 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(open, 0)
    }))

  it.effect("of an idle connection that breaks is made at once", () =>
    onPool({}, function*({ events, fake, listen, logs, pool }) {
      yield* listen
      yield* pool.withConnection(id)
      fake.break(fake.connections[0]!)
      yield* settle
      assert.strictEqual((yield* pool.stats).total, 0)
      assert.deepStrictEqual(only(events, "Retired").map(({ because }) => because), ["broken"])
      assert.deepStrictEqual(only(events, "Closed").map(({ connection }) => connection), [1])
      assert(logs.some(({ text }) => text.includes("connection 1 broke while idle")))
    }))

  it.effect("of a connection that breaks again and again is made once", () =>
    onPool({}, function*({ fake, gates, pool }) {
      const borrower = yield* borrow(pool)
      fake.break(borrower.connection)
      fake.break(borrower.connection)
      yield* borrower.giveBack
      fake.break(borrower.connection)
      yield* settle
      assert.deepStrictEqual([gates.calls("close"), (yield* pool.stats).counts.retired.broken], [1, 1])
    }))
})
