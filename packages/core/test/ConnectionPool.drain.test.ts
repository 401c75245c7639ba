import { ConnectionPool } from "@effect-pools/core"
import * as GatedConnector from "@effect-pools/testing/GatedConnector"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import {
  advance,
  type Bench,
  borrow,
  borrowMany,
  call,
  callMany,
  id,
  isGone,
  makePool,
  only,
  onPool,
  reason,
  settle
} from "./utils/bench.ts"

const empty: ConnectionPool.DrainReport = {
  took: 0,
  served: 0,
  refused: 0,
  returned: 0,
  abandoned: [],
  closed: 0,
  closesTimedOut: 0
}

const limits = { drainTimeout: "10 seconds", closeTimeout: "2 seconds" } as const

/** Starts a drain and lets so much time pass that it must be over. */
const drained = ({ pool }: Bench) =>
  Effect.gen(function*() {
    const draining = yield* Effect.forkScoped(pool.drain)
    yield* settle
    yield* advance("10 seconds")
    yield* advance("4 seconds")
    const exit = draining.pollUnsafe()
    assert(exit !== undefined && Exit.isSuccess(exit), "the drain has ended")
    yield* isGone(pool)
    return exit.value
  })

describe("ConnectionPool: a drain leaves nothing, whatever it finds", () => {
  it.effect("tells whom it waits for", () =>
    onPool({ maxConnections: 2, drainTimeout: "3 seconds" }, function*({ logs, pool }) {
      yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("1 second"), { label: "report" }))
      yield* settle
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      assert.deepInclude(logs, {
        level: "Info",
        text: "the drain waits for 1 connection (drainTimeout: 3000 ms), held by report (connection 1, 0 ms)",
        pool: "pool"
      })
      yield* advance("1 second")
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.effect("a pool without connections", () =>
    onPool(limits, function*(bench) {
      assert.deepStrictEqual(yield* drained(bench), empty)
    }))

  it.effect("idle connections", () =>
    onPool({ ...limits, minConnections: 3, maxConnections: 3 }, function*(bench) {
      assert.deepStrictEqual(yield* drained(bench), { ...empty, closed: 3 })
      assert.strictEqual((yield* bench.pool.stats).counts.retired.shutdown, 3)
    }))

  it.effect("a dial under way", () =>
    onPool({ ...limits, minConnections: 1, startup: "lazy", backend: { connectDelay: "1 second" } }, function*(bench) {
      yield* settle
      assert.strictEqual((yield* bench.pool.stats).opening, 1)
      // Nobody waits for it, so it is not waited for.
      assert.deepStrictEqual(yield* drained(bench), empty)
    }))

  it.effect("a dial that hangs", () =>
    onPool({ ...limits, backend: { initial: { connect: "never" } } }, function*(bench) {
      const caller = yield* call(bench.pool)
      const report = yield* drained(bench)
      assert.deepStrictEqual(report, { ...empty, took: 10_000, refused: 1 })
      assert.deepInclude(caller.reason(), { _tag: "PoolClosed", state: "closed" })
    }))

  it.effect("a dial that hangs and ignores its interruption", () =>
    onPool({ ...limits, backend: { initial: { connect: "stuck" } } }, function*(bench) {
      yield* call(bench.pool)
      const report = yield* drained(bench)
      assert.deepInclude(report, { took: 12_000, refused: 1 })
    }))

  it.effect("lent connections that come back in time", () =>
    onPool({ ...limits, maxConnections: 2 }, function*(bench) {
      const borrowers = yield* borrowMany(bench.pool, 2)
      const draining = yield* Effect.forkScoped(bench.pool.drain)
      yield* settle
      yield* advance("3 seconds")
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      assert.deepStrictEqual(yield* Fiber.join(draining), { ...empty, took: 3000, returned: 2, closed: 2 })
    }))

  it.effect("lent connections that never come back", () =>
    onPool({ ...limits, maxConnections: 2 }, function*(bench) {
      yield* borrow(bench.pool, "import")
      yield* advance("1 second")
      yield* borrow(bench.pool, "report")
      const report = yield* drained(bench)
      assert.deepStrictEqual(report, {
        ...empty,
        took: 10_000,
        closed: 2,
        abandoned: [
          { connection: 1, label: "import", held: 11_000 },
          { connection: 2, label: "report", held: 10_000 }
        ]
      })
      assert(bench.logs.some(({ level, text }) => level === "Warn" && text.includes("import (connection 1, 11000 ms)")))
    }))

  it.effect("idle and lent connections, dials and waiters at once", () =>
    onPool({ ...limits, maxConnections: 3 }, function*(bench) {
      const { gates, pool } = bench
      const [first, second] = yield* borrowMany(pool, 2)
      gates.set("connect", "never")
      const waiters = yield* callMany(pool, 3)
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep("1 second"), first!.giveBack))
      const report = yield* drained(bench)
      assert.deepInclude(report, { served: 3, refused: 0, returned: 4 })
      assert.deepStrictEqual(report.abandoned.map(({ connection }) => connection), [second!.connection.id])
      for (const { exit } of waiters) assert(Exit.isSuccess(exit()!))
    }))

  it.effect("a connection that is being reset", () =>
    onPool({ ...limits, resetTimeout: "12 seconds", backend: { initial: { reset: "never" } } }, function*(bench) {
      yield* call(bench.pool)
      assert.strictEqual((yield* bench.pool.stats).checking, 1)
      assert.deepInclude(yield* drained(bench), { took: 10_000, closed: 1 })
    }))

  it.effect("a connection that is being validated", () =>
    onPool({ ...limits, validateTimeout: "30 seconds", backend: { initial: { validate: "never" } } }, function*(bench) {
      yield* bench.pool.withConnection(id)
      yield* advance("2 seconds")
      yield* call(bench.pool)
      assert.strictEqual((yield* bench.pool.stats).checking, 1)
      assert.deepInclude(yield* drained(bench), { took: 10_000, closed: 1, refused: 1 })
    }))

  it.effect("closes that hang", () =>
    onPool(
      { ...limits, minConnections: 3, maxConnections: 3, backend: { initial: { close: "never" } } },
      function*(bench) {
        assert.deepStrictEqual(yield* drained(bench), { ...empty, took: 2000, closed: 3, closesTimedOut: 3 })
      }
    ))

  it.effect("closes that hang and ignore their interruption", () =>
    onPool(
      { ...limits, minConnections: 2, maxConnections: 2, stuck: 2, backend: { initial: { close: "stuck" } } },
      function*(bench) {
        assert.deepInclude(yield* drained(bench), { took: 2000, closesTimedOut: 2 })
      }
    ))

  it.effect("a paused pool with a queue", () =>
    onPool(limits, function*(bench) {
      const { pool } = bench
      const borrower = yield* borrow(pool)
      const waiters = yield* callMany(pool, 2)
      yield* pool.pause
      yield* borrower.giveBack
      assert.deepInclude(yield* drained(bench), { took: 0, served: 2 })
      for (const { exit } of waiters) assert(Exit.isSuccess(exit()!))
    }))

  it.effect("a pool in an outage", () =>
    onPool(
      { ...limits, minConnections: 1, startup: "lazy", backend: { initial: { connect: "fail" } } },
      function*(bench) {
        yield* advance("20 seconds")
        yield* call(bench.pool)
        yield* drained(bench)
        const dials = bench.gates.calls("connect")
        yield* advance("10 minutes")
        assert.strictEqual(bench.gates.calls("connect"), dials)
      }
    ))
})

describe("ConnectionPool: a drain", () => {
  it.effect("refuses newcomers at once with a typed error, during and after it", () =>
    onPool(limits, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      assert.strictEqual((yield* pool.stats).state, "draining")
      const during = Effect.runSyncExit(pool.withConnection(id))
      assert.deepInclude(yield* reason(during, "PoolClosed"), { state: "draining", isRetryable: false })
      yield* borrower.giveBack
      yield* Fiber.join(draining)
      const closed = yield* reason(Effect.runSyncExit(pool.withConnection(id)), "PoolClosed")
      assert.strictEqual(closed.message, "the pool is closed")
      yield* reason(Effect.scoped(pool.acquire), "PoolClosed")
      yield* reason(pool.warmUp(1), "PoolClosed")
      assert.strictEqual((yield* pool.stats).counts.refused, 3)
    }))

  it.effect("serves the queue in turn before it closes", () =>
    onPool({ ...limits, maxConnections: 2 }, function*({ pool }) {
      const work = (index: number) => pool.withConnection(() => Effect.as(Effect.sleep(250), index))
      const requests = yield* Effect.forEach([0, 1, 2, 3, 4], (index) => Effect.forkScoped(work(index)))
      yield* settle
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* Effect.repeat(advance(250), { times: 2 })
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual(report, { ...empty, took: 750, served: 3, returned: 5, closed: 2 })
      assert.deepStrictEqual(yield* Effect.forEach(requests, Fiber.join), [0, 1, 2, 3, 4])
    }))

  it.effect("opens connections for the queue, but none for the minimum", () =>
    onPool({ ...limits, minConnections: 1, maxConnections: 2 }, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      yield* pool.invalidate(borrower.connection)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* borrower.giveBack
      yield* Fiber.join(draining)
      assert.strictEqual(fake.dialled, 1)
    }))

  it.effect("opens another connection for a waiter whose own broke", () =>
    onPool(limits, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      const waiter = yield* call(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      fake.break(borrower.connection)
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 2)
      assert.deepInclude(yield* Fiber.join(draining), { served: 1, closed: 2 })
    }))

  it.effect("fails at its limit who still waits, first come first, before any close is awaited", () =>
    onPool({ ...limits, backend: { closeDelay: "1 second" } }, function*({ pool }) {
      yield* borrow(pool)
      const order: Array<number> = []
      const waiters = yield* Effect.forEach(
        [0, 1, 2],
        (index) =>
          Effect.forkScoped(Effect.tapError(pool.withConnection(id), () => Effect.sync(() => order.push(index))))
      )
      yield* settle
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("10 seconds")
      assert.deepStrictEqual(order, [0, 1, 2])
      for (const waiter of waiters) assert.isDefined(waiter.pollUnsafe())
      assert.strictEqual((yield* pool.stats).closing, 1)
    }))

  it.effect("closes a connection under the borrower that does not give it back, whose use then fails", () =>
    onPool(limits, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("10 seconds")
      assert.isFalse(borrower.connection.isOpen)
      assert(Exit.isFailure(yield* Effect.exit(fake.use(borrower.connection))))
      // Its late end changes nothing.
      yield* borrower.giveBack
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.closed, counts.ended.success], [0, 1, 1])
    }))

  it.effect("runs once, however often and by however many it is asked for", () =>
    onPool({ ...limits, minConnections: 3, maxConnections: 3 }, function*({ events, gates, listen, pool }) {
      yield* listen
      const reports = yield* Effect.all(Array.from({ length: 10 }, () => pool.drain), { concurrency: "unbounded" })
      assert.strictEqual(new Set(reports).size, 1)
      assert.strictEqual(yield* pool.drain, reports[0])
      assert.strictEqual(gates.calls("close"), 3)
      assert.deepStrictEqual([only(events, "DrainStarted").length, only(events, "Drained").length], [1, 1])
    }))

  it.effect("that is interrupted goes on to its end", () =>
    onPool(limits, function*({ events, listen, pool }) {
      yield* listen
      const borrower = yield* borrow(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* Fiber.interrupt(draining)
      yield* borrower.giveBack
      yield* settle
      assert.strictEqual((yield* pool.stats).state, "closed")
      assert.deepInclude(only(events, "Drained")[0]?.report, { returned: 1, closed: 1 })
    }))

  it.effect("whose waiter leaves does not wait for it", () =>
    onPool(limits, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const waiter = yield* call(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* waiter.interrupt
      yield* borrower.giveBack
      assert.deepInclude(yield* Fiber.join(draining), { served: 0, returned: 1 })
    }))

  it.effect("closes a connection whose dial ends after the pool", () =>
    onPool({ ...limits, stuck: 0, closeTimeout: "30 seconds" }, function*({ gates, pool }) {
      gates.set("connect", "slow")
      yield* call(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("10 seconds")
      gates.open("connect")
      yield* Fiber.join(draining)
      assert.strictEqual((yield* pool.stats).total, 0)
    }))

  it.effect("ends the events, the last of which is its report", () =>
    onPool({ ...limits, minConnections: 1 }, function*({ events, listen, pool }) {
      yield* listen
      const report = yield* pool.drain
      yield* settle
      const last = events.at(-1)
      assert(last?._tag === "Drained")
      assert.strictEqual(last.report, report)
    }))

  it.effect("leaves nothing that runs: no probe, no dial and no housekeeping", () =>
    onPool({ ...limits, minConnections: 2, maxConnections: 2, healthCheck: "1 second" }, function*({ gates, pool }) {
      yield* pool.drain
      const before = [gates.calls("connect"), gates.calls("validate")]
      yield* advance("1 hour")
      assert.deepStrictEqual([gates.calls("connect"), gates.calls("validate")], before)
    }))

  it.effect("leaves nothing to pause, to resume or to retire", () =>
    onPool({ ...limits, minConnections: 2, maxConnections: 2 }, function*({ gates, pool }) {
      yield* pool.pause
      yield* pool.drain
      yield* pool.pause
      yield* pool.resume
      yield* pool.retireAll
      yield* settle
      assert.strictEqual(gates.calls("connect"), 2)
      assert.strictEqual((yield* pool.stats).state, "closed")
      yield* reason(pool.withConnection(id), "PoolClosed")
    }))

  it.effect("has another limit refused, from its beginning on", () =>
    onPool({ ...limits, maxConnections: 2 }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      assert.strictEqual((yield* reason(pool.setLimit(1), "PoolClosed")).state, "draining")
      yield* borrower.giveBack
      yield* settle
      assert.strictEqual((yield* reason(pool.setLimit(1), "PoolClosed")).state, "closed")
      assert.strictEqual((yield* pool.stats).limit, 2)
    }))
})

describe("ConnectionPool: the end of the pool's scope", () => {
  it.effect("refuses the queue at once and waits for borrowers", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(makePool(limits, gates), scope)
      const borrower = yield* borrow(pool)
      const waiters = yield* callMany(pool, 3)
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* settle
      for (const { reason } of waiters) assert.deepInclude(reason(), { _tag: "PoolClosed", state: "draining" })
      assert.isUndefined(closing.pollUnsafe())
      yield* borrower.giveBack
      yield* Fiber.join(closing)
      yield* isGone(pool)
      assert.strictEqual(gates.fake.leaked, 0)
    }))

  it.effect("does not wait beyond drainTimeout for a borrower in an outer scope", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      const inner = yield* Scope.make()
      const pool = yield* Scope.provide(makePool(limits, gates), inner)
      yield* pool.acquire
      const closing = yield* Effect.forkScoped(Scope.close(inner, Exit.void))
      yield* settle
      yield* advance("10 seconds")
      yield* Fiber.join(closing)
      yield* isGone(pool)
      assert.strictEqual(gates.fake.leaked, 0)
    }))

  it.effect("after a drain has nothing left to do", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(makePool({ minConnections: 1 }, gates), scope)
      yield* pool.drain
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(gates.calls("close"), 1)
    }))

  it.effect("during a drain waits for the drain", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(makePool(limits), scope)
      const borrower = yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(closing.pollUnsafe())
      // The queue is served all the same: that was promised when the drain began.
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 1)
      yield* Fiber.join(closing)
      yield* isGone(pool)
    }))

  it.effect("lets a pool of the same name begin anew", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.flatMap(makePool({ name: "again" }), (pool) => pool.withConnection(id)))
      const pool = yield* makePool({ name: "again" })
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual((yield* pool.stats).counts.opened, 1)
    }))
})

describe("a drain with a deadline from above", () => {
  it.effect("waits for borrowers until then, however long its own limit is", () =>
    onPool({ ...limits, drainTimeout: "1 hour" }, function*({ pool }) {
      yield* borrow(pool)
      const draining = yield* Effect.forkScoped(
        Effect.provideService(pool.drain, ConnectionPool.DrainWithin, "3 seconds")
      )
      yield* settle
      yield* advance(2999)
      assert.isUndefined(draining.pollUnsafe())
      yield* advance(1)
      const { abandoned, closed, took } = yield* Fiber.join(draining)
      assert.deepStrictEqual([abandoned.length, closed, took], [1, 1, 3000])
      yield* isGone(pool)
    }))

  it.effect("that comes while it runs holds for it as well, and one that is done sooner does not wait", () =>
    onPool({ ...limits, drainTimeout: "1 hour" }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const first = yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* Effect.forkScoped(Effect.provideService(pool.drain, ConnectionPool.DrainWithin, "10 seconds"))
      yield* advance("1 second")
      yield* borrower.giveBack
      assert.strictEqual((yield* Fiber.join(first)).took, 1000)
      yield* isGone(pool)
    }))

  it.effect("gives up closes that hang a quarter of a second later", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make({ initial: { close: "never" } })
      const pool = yield* makePool({ ...limits, minConnections: 1, closeTimeout: "1 hour" }, gates)
      const draining = yield* Effect.forkScoped(
        Effect.provideService(pool.drain, ConnectionPool.DrainWithin, "1 second")
      )
      yield* settle
      yield* advance(1249)
      assert.isUndefined(draining.pollUnsafe())
      yield* advance(1)
      const { closed, closesTimedOut, took } = yield* Fiber.join(draining)
      assert.deepStrictEqual([closed, closesTimedOut, took], [1, 1, 1250])
      yield* isGone(pool)
    }).pipe(Effect.scoped))
})
