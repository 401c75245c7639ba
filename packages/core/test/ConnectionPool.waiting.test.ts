import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule } from "effect"
import { advance, after, borrow, borrowMany, call, callMany, id, only, onPool, reason, settle } from "./utils/bench.ts"

describe("ConnectionPool: leaving the queue", () => {
  it.effect("a cancelled waiter passes its turn to the next", () =>
    onPool({}, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const [first, second, third] = yield* callMany(pool, 3)
      yield* second!.interrupt
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(first!.fiber), 1)
      assert.strictEqual(yield* Fiber.join(third!.fiber), 1)
      const { counts, pending } = yield* pool.stats
      assert.deepStrictEqual([pending, counts.interrupted], [0, 1])
    }))

  it.effect("a waiter cancelled at the moment of its hand-over does not keep the connection", () =>
    onPool({}, function*({ pool }) {
      for (let round = 0; round < 100; round++) {
        const borrower = yield* borrow(pool)
        const first = yield* call(pool)
        const second = yield* call(pool)
        // The hand-over is decided in this turn, and the waiter runs in the next.
        yield* Effect.all([borrower.giveBack, first.interrupt], { concurrency: "unbounded" })
        yield* settle
        assert(Exit.isSuccess(second.exit()!))
        const { idle, pending, used } = yield* pool.stats
        assert.deepStrictEqual([idle, used, pending], [1, 0, 0])
      }
    }))

  it.effect("a connection opened for a cancelled caller becomes idle and serves the next", () =>
    onPool({}, function*({ fake, gates, pool }) {
      gates.set("connect", "slow")
      const caller = yield* call(pool)
      yield* caller.interrupt
      assert.strictEqual(gates.running("connect"), 1)
      gates.open("connect")
      yield* settle
      assert.strictEqual((yield* pool.stats).idle, 1)
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(fake.dialled, 1)
    }))

  it.effect("a connection opened for a cancelled caller goes to the next in line", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("connect", "slow")
      const first = yield* call(pool)
      const second = yield* call(pool)
      yield* first.interrupt
      gates.open("connect")
      assert.strictEqual(yield* Fiber.join(second.fiber), 1)
      assert.strictEqual(gates.calls("connect"), 1)
    }))

  it.effect("a caller cancelled while its connection is validated leaves it to the pool", () =>
    onPool({ freshnessWindow: 0 }, function*({ gates, pool }) {
      yield* borrow(pool).pipe(Effect.flatMap((borrower) => borrower.giveBack))
      gates.set("validate", "slow")
      const caller = yield* call(pool)
      assert.strictEqual((yield* pool.stats).checking, 1)
      yield* caller.interrupt
      gates.open("validate")
      yield* settle
      const { idle, pending, total } = yield* pool.stats
      assert.deepStrictEqual([idle, pending, total], [1, 0, 1])
    }))

  it.effect("a caller that is interrupted before it begins causes no dial", () =>
    onPool({}, function*({ fake, pool }) {
      const fiber = yield* Effect.forkScoped(pool.withConnection(id))
      yield* Fiber.interrupt(fiber)
      yield* settle
      assert.deepStrictEqual([fake.dialled, (yield* pool.stats).counts.interrupted], [0, 0])
    }))

  it.effect("a thousand waiters cancelled at once leave an empty queue", () =>
    onPool({}, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkScoped(pool.withConnection(id))
      )
      yield* settle
      assert.strictEqual((yield* pool.stats).pending, 1000)
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual((yield* pool.stats).pending, 0)
      yield* borrower.giveBack
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))
})

describe("ConnectionPool: acquireTimeout", () => {
  it.effect("a waiter fails at its acquireTimeout, not before and not later", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* advance(2999)
      assert.isUndefined(waiter.exit())
      yield* advance(1)
      const timeout = waiter.reason()
      assert(timeout?._tag === "AcquireTimeout")
      assert.strictEqual(timeout.waited, 3000)
      const { counts, pending } = yield* pool.stats
      assert.deepStrictEqual([pending, counts.timedOut], [0, 1])
    }))

  it.effect("each waiter has its full time, counted from when it began to wait", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const first = yield* call(pool)
      yield* advance("1 second")
      const second = yield* call(pool)
      yield* advance("2 seconds")
      assert.deepStrictEqual([first.reason()?._tag, second.exit()], ["AcquireTimeout", undefined])
      yield* advance("1 second")
      assert.strictEqual(second.reason()?._tag, "AcquireTimeout")
    }))

  it.effect("the time a borrower holds its connection does not count", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      const exit = yield* after("1 minute", pool.withConnection(() => Effect.sleep("50 seconds")))
      assert(exit !== undefined && Exit.isSuccess(exit))
    }))

  it.effect("the error tells that all connections are lent, to whom and for how long", () =>
    onPool({ maxConnections: 2, acquireTimeout: "3 seconds", name: "orders" }, function*({ pool }) {
      yield* borrow(pool, "nightly report")
      yield* advance("2 seconds")
      yield* borrow(pool, "import")
      const [waiter, other] = yield* callMany(pool, 2)
      yield* advance("1 second")
      yield* other!.interrupt
      yield* advance("2 seconds")
      const error = yield* Effect.flip(Fiber.join(waiter!.fiber))
      assert(error.reason._tag === "AcquireTimeout")
      const { holders, lastConnectFailure, stats, step } = error.reason
      assert.strictEqual(step, "waiting")
      assert.isUndefined(lastConnectFailure)
      assert.deepStrictEqual(holders, [
        { connection: 1, label: "nightly report", held: 5000 },
        { connection: 2, label: "import", held: 3000 }
      ])
      assert.deepInclude(stats, { name: "orders", used: 2, idle: 0, opening: 0, closing: 0, limit: 2 })
      assert.strictEqual(
        error.message,
        "orders: no connection within 3000 ms (acquireTimeout) while waiting; " +
          "all 2 connections are held and none has come back for 3 s, longest by nightly report (5 s), import (3 s); 1 caller waits; " +
          "used 2, idle 0, opening 0, closing 0, pending 1, limit 2; " +
          "held longest by nightly report (connection 1, 5000 ms), import (connection 2, 3000 ms). " +
          "Let them hold a connection only while they use it, make what they run faster, or give them a pool of their own."
      )
      assert.isTrue(error.isRetryable)
    }))

  it.effect("a lease without a label goes by the name of its span", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* Effect.forkScoped(Effect.withSpan(pool.withConnection(() => Effect.never), "loadUser"))
      yield* settle
      const waiter = yield* call(pool)
      yield* advance("3 seconds")
      const timeout = yield* reason(Fiber.join(waiter.fiber), "AcquireTimeout")
      assert.deepStrictEqual(timeout.holders.map(({ label }) => label), ["loadUser"])
    }))

  it.effect("of many holders the error names ten, those who have held longest", () =>
    onPool({ maxConnections: 12, acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => index),
        (index) => Effect.andThen(borrow(pool, `${index}`), advance(10))
      )
      const waiter = yield* call(pool)
      yield* advance("3 seconds")
      const { holders, message } = yield* reason(Fiber.join(waiter.fiber), "AcquireTimeout")
      assert.deepStrictEqual(holders.map(({ label }) => label), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
      assert.include(message, "held longest by 0 (connection 1, 3120 ms), 1 (connection 2, 3110 ms), 2 (")
    }))

  it.effect("a backend that refuses is named as the cause, and the limit is kept", () =>
    onPool(
      { acquireTimeout: 2800, retry: Schedule.spaced(1500), backend: { initial: { connect: "fail" } } },
      function*({ pool }) {
        const waiter = yield* call(pool)
        yield* advance(2799)
        assert.isUndefined(waiter.exit())
        yield* advance(1)
        const error = yield* Effect.flip(Fiber.join(waiter.fiber))
        assert(error.reason._tag === "AcquireTimeout")
        const { lastConnectFailure, step } = error.reason
        assert.strictEqual(step, "opening")
        assert.deepInclude(lastConnectFailure?.cause, { _tag: "GatedFailure", call: 2 })
        assert.strictEqual(lastConnectFailure?.attempts, 2)
        assert.strictEqual(lastConnectFailure?.ago, 1300)
        assert.match(
          error.message,
          /while opening; the backend is down: no connection is open and 2 attempts to connect failed within 2.8 s, the last with: connect 2 was told to fail; used 0,/
        )
      }
    ))

  it.effect("a dial that hangs is named as the step", () =>
    onPool({ acquireTimeout: "3 seconds", backend: { initial: { connect: "never" } } }, function*({ pool }) {
      const waiter = yield* call(pool)
      yield* advance("3 seconds")
      const { lastConnectFailure, step } = yield* reason(Fiber.join(waiter.fiber), "AcquireTimeout")
      assert.deepStrictEqual([step, lastConnectFailure], ["opening", undefined])
    }))

  it.effect("a validation that hangs is named as the step", () =>
    onPool(
      { acquireTimeout: "3 seconds", validateTimeout: "3 seconds", freshnessWindow: 0 },
      function*({ gates, pool }) {
        const borrower = yield* borrow(pool)
        const waiter = yield* call(pool)
        yield* advance("1 second")
        gates.set("validate", "never")
        yield* borrower.giveBack
        yield* advance("2 seconds")
        const { step } = yield* reason(Fiber.join(waiter.fiber), "AcquireTimeout")
        assert.strictEqual(step, "validating")
      }
    ))

  it.effect("a time-out is an event with the label of the caller", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ events, listen, pool }) {
      yield* listen
      yield* borrow(pool)
      yield* call(pool, "loadUser")
      yield* advance("3 seconds")
      assert.deepInclude(only(events, "AcquireTimedOut")[0], {
        pool: "pool",
        at: 3000,
        label: "loadUser",
        waited: 3000
      })
    }))

  it.effect("a waiter that timed out takes nothing with it", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* call(pool)
      yield* advance("3 seconds")
      const next = yield* call(pool)
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(next.fiber), 1)
    }))

  it.effect("a thousand waiters whose time is up together all fail and share one reading of the numbers", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkScoped(Effect.flip(pool.withConnection(id)))
      )
      yield* settle
      yield* advance("3 seconds")
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      const numbers = errors.map((error) => error.reason._tag === "AcquireTimeout" ? error.reason.stats : undefined)
      assert.strictEqual(new Set(numbers).size, 1)
      assert.strictEqual((yield* pool.stats).counts.timedOut, 1000)
    }))

  it.effect("waiters whose time is up within 50 milliseconds share one reading of the numbers, later ones have theirs", () =>
    onPool({ acquireTimeout: "30 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const fibers = yield* Effect.forEach(
        [1000, 1003, 1049, 1052, 2000],
        (deadline) => Effect.forkScoped(Effect.flip(pool.withConnection(id, { deadline })))
      )
      yield* settle
      for (let time = 0; time < 2000; time++) yield* advance(1)
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      const numbers = errors.map(({ reason }) => reason._tag === "AcquireTimeout" ? reason.stats : undefined)
      const [first, second, third, fourth, last] = numbers.map((each) => numbers.indexOf(each))
      assert.deepStrictEqual([first, second, third, fourth, last], [0, 0, 0, 3, 4])
      const waits = errors.map(({ reason }) => reason._tag === "AcquireTimeout" ? reason.waited : undefined)
      assert.deepStrictEqual(waits, [1000, 1003, 1049, 1052, 2000])
    }))

  it.effect("waiters of whom the same is to be said share one error, and others have their own", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const fails = Effect.flip(pool.withConnection(id))
      const late = Effect.flip(pool.withConnection(id, { deadline: "2 seconds" }))
      const early = yield* Effect.forEach([fails, fails], (each) => Effect.forkScoped(each))
      yield* advance("1 second")
      const byDeadline = yield* Effect.forkScoped(late)
      const last = yield* Effect.forkScoped(fails)
      yield* advance("1 second")
      const sameWait = yield* Effect.forkScoped(Effect.flip(pool.withConnection(id, { deadline: "1 second" })))
      yield* advance("1 second")
      yield* advance("1 second")
      const [first, second] = yield* Effect.forEach(early, Fiber.join)
      assert.strictEqual(first, second)
      const others = yield* Effect.forEach([byDeadline, last, sameWait], Fiber.join)
      const said = [first!, ...others].map(({ reason }) =>
        reason._tag === "AcquireTimeout" ? [reason.option, reason.waited] : [reason._tag]
      )
      assert.deepStrictEqual(said, [
        ["acquireTimeout", 3000],
        ["deadline", 2000],
        ["acquireTimeout", 3000],
        ["deadline", 1000]
      ])
    }))

  it.effect("waiters whose time is up together, equally long after they came, are told apart by whose limit it was", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const options = [undefined, { deadline: 2999.5 }, undefined, { deadline: 2999.5 }]
      const fibers = yield* Effect.forEach(
        options,
        (each) => Effect.forkScoped(Effect.flip(pool.withConnection(id, each)))
      )
      yield* settle
      yield* advance("3 seconds")
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      const limits = errors.map(({ reason }) => reason._tag === "AcquireTimeout" ? reason.option : reason._tag)
      assert.deepStrictEqual(limits, ["acquireTimeout", "deadline", "acquireTimeout", "deadline"])
    }))
})

describe("ConnectionPool: pendingLimit", () => {
  for (const pendingLimit of [0, 1, 3]) {
    it.effect(`of a thousand callers at once exactly ${pendingLimit} may wait for another's connection`, () =>
      onPool({ maxConnections: 2, pendingLimit }, function*({ pool }) {
        const borrowers = yield* borrowMany(pool, 2)
        const fibers = yield* Effect.forEach(
          Array.from({ length: 1000 }),
          () => Effect.forkScoped(Effect.result(pool.withConnection(id)))
        )
        yield* settle
        const { counts, pending } = yield* pool.stats
        assert.deepStrictEqual([pending, counts.refused], [pendingLimit, 1000 - pendingLimit])
        yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
        const results = yield* Effect.forEach(fibers, Fiber.join)
        assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, pendingLimit)
      }))
  }

  it.effect("callers for whom a connection is being opened are not counted as waiting", () =>
    onPool({ maxConnections: 3, pendingLimit: 0 }, function*({ gates, pool }) {
      gates.set("connect", "slow")
      const admitted = yield* callMany(pool, 3)
      const refused = yield* call(pool)
      assert.strictEqual(refused.reason()?._tag, "QueueFull")
      gates.open("connect")
      assert.deepStrictEqual(yield* Effect.forEach(admitted, ({ fiber }) => Fiber.join(fiber)), [1, 2, 3])
    }))

  it.effect("who is refused is told the numbers, at once", () =>
    onPool({ pendingLimit: 1 }, function*({ pool }) {
      yield* borrow(pool)
      yield* call(pool)
      const exit = Effect.runSyncExit(pool.withConnection(id))
      assert(Exit.isFailure(exit))
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error.reason, { _tag: "QueueFull", pending: 1, pendingLimit: 1, isRetryable: true })
      assert.strictEqual(error.message, "pool: 1 caller waits already and pendingLimit is 1")
    }))

  it.effect("a place in the queue that is free again can be taken", () =>
    onPool({ pendingLimit: 1 }, function*({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* waiter.interrupt
      const next = yield* call(pool)
      assert.isUndefined(next.exit())
    }))
})
