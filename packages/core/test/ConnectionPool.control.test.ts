import { assert, describe, it } from "@effect/vitest"
import { BalancedPool } from "@effect-pools/core"
import { Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { advance, borrow, borrowMany, call, callMany, id, only, onPool, reason, settle } from "./utils/bench.ts"

describe("ConnectionPool: pause and resume", () => {
  it.effect("a paused pool refuses newcomers at once, and admits them again after resume", () =>
    onPool({ minConnections: 1 }, function*({ events, listen, pool }) {
      yield* listen
      yield* pool.pause
      assert.strictEqual((yield* pool.stats).state, "paused")
      const paused = yield* reason(Effect.runSyncExit(pool.withConnection(id)), "PoolPaused")
      assert.isTrue(paused.isRetryable)
      assert.strictEqual(paused.message, "the pool is paused; it admits callers again after resume")
      yield* pool.resume
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.deepStrictEqual([only(events, "Paused").length, only(events, "Resumed").length], [1, 1])
      assert.strictEqual((yield* pool.stats).counts.refused, 1)
    }))

  it.effect("leases go on, and waiters wait until resume", () =>
    onPool({}, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      const waiters = yield* callMany(pool, 2)
      yield* pool.pause
      yield* fake.use(borrower.connection)
      yield* borrower.giveBack
      yield* settle
      assert.deepInclude(yield* pool.stats, { idle: 1, pending: 2 })
      yield* pool.resume
      for (const waiter of waiters) assert.strictEqual(yield* Fiber.join(waiter.fiber), 1)
    }))

  it.effect("a waiter's time runs on while the pool is paused", () =>
    onPool({ acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* pool.pause
      yield* advance("3 seconds")
      assert.strictEqual(waiter.reason()?._tag, "AcquireTimeout")
    }))

  it.effect("a connection opened meanwhile is lent after resume", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("connect", "slow")
      const waiter = yield* call(pool)
      yield* pool.pause
      gates.open("connect")
      yield* settle
      assert.isUndefined(waiter.exit())
      yield* pool.resume
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 1)
    }))

  it.effect("pauses for pieces of work may overlap, and end with the last of them", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      const balanced = yield* BalancedPool.make([{ pool }])
      const work = (millis: number, of: typeof pool) =>
        Effect.forkScoped(Effect.scoped(Effect.andThen(of.paused, Effect.sleep(millis))))
      const state = Effect.map(pool.stats, ({ state }) => state)
      yield* Effect.all([work(100, pool), work(30, pool), work(200, balanced)])
      yield* settle
      // An operator's resume is for an operator's pause.
      yield* pool.resume
      for (const millis of [40, 70]) {
        yield* advance(millis)
        assert.strictEqual(yield* state, "paused")
      }
      yield* pool.pause
      yield* advance(100)
      assert.strictEqual(yield* state, "paused")
      yield* pool.resume
      assert.strictEqual(yield* state, "open")
      assert.isNumber(yield* balanced.withConnection(id))
      yield* settle
      assert.deepStrictEqual([only(events, "Paused").length, only(events, "Resumed").length], [1, 1])
    }))

  it.effect("a pause for a piece of work ends with the drain", () =>
    onPool({}, function*({ pool }) {
      const scope = yield* Scope.make()
      yield* Scope.provide(pool.paused, scope)
      yield* pool.drain
      assert.strictEqual((yield* pool.stats).state, "closed")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.effect("to pause or resume twice is to do it once", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      yield* pool.resume
      yield* pool.pause
      yield* pool.pause
      yield* pool.resume
      yield* pool.resume
      yield* settle
      assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["Paused", "Resumed"])
    }))
})

describe("ConnectionPool: retireAll", () => {
  it.effect("replaces idle connections now and lent ones when they come back", () =>
    onPool({ minConnections: 3, maxConnections: 6 }, function*({ events, listen, pool }) {
      yield* listen
      const borrower = yield* borrow(pool)
      yield* pool.retireAll
      yield* settle
      assert.deepInclude(yield* pool.stats, { used: 1, idle: 2 })
      yield* borrower.giveBack
      yield* settle
      assert((yield* pool.connections).every(({ id }) => id > 3))
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.retired.superseded], [3, 3])
      assert.deepStrictEqual(only(events, "AllRetired").map(({ generation }) => generation), [1])
    }))

  it.effect("replaces a connection whose dial began before", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("connect", "slow", "ok")
      const caller = yield* call(pool)
      yield* pool.retireAll
      gates.open("connect")
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("leaves those alone that were opened after it", () =>
    onPool({}, function*({ pool }) {
      yield* pool.retireAll
      yield* pool.withConnection(id)
      yield* settle
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))

  it.effect("closes and opens within the limit, as the server counts", () =>
    onPool(
      { minConnections: 3, maxConnections: 3, backend: { closeDelay: 100, connectDelay: 100 }, startup: "lazy" },
      function*({ fake, pool }) {
        yield* advance("1 second")
        yield* pool.retireAll
        yield* settle
        // One makes room for a dial. When that has succeeded, the others go as well.
        yield* advance(100)
        yield* advance(100)
        yield* advance(100)
        yield* advance(100)
        const { counts, idle } = yield* pool.stats
        assert.deepStrictEqual([idle, fake.peak, counts.retired.superseded], [3, 3, 3])
      }
    ))
})

describe("ConnectionPool: retireAll where nothing can be opened", () => {
  const outage = { retry: Schedule.spaced("1 second"), acquireTimeout: "500 millis" } as const

  it.effect("lends what the minimum needs on, and replaces it when something can be opened", () =>
    onPool({ ...outage, minConnections: 3, maxConnections: 6 }, function*({ gates, pool }) {
      gates.set("connect", "fail")
      yield* pool.retireAll
      yield* settle
      assert.deepInclude(yield* pool.stats, { idle: 3, total: 3 })
      for (let call = 0; call < 3; call++) assert.isAtMost(yield* pool.withConnection(id), 3)
      assert.strictEqual((yield* pool.stats).counts.retired.superseded, 0)
      gates.set("connect", "ok")
      yield* advance("1 second")
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.retired.superseded], [3, 3])
      assert.isAbove(yield* pool.withConnection(id), 3)
    }))

  it.effect("gives up one connection where there is no room to find out", () =>
    onPool({ ...outage, minConnections: 3, maxConnections: 3 }, function*({ gates, pool }) {
      gates.set("connect", "fail")
      yield* pool.retireAll
      yield* settle
      assert.deepInclude(yield* pool.stats, { idle: 2, total: 2 })
      yield* pool.withConnection(id)
      gates.set("connect", "ok")
      yield* advance("1 second")
      assert.deepInclude(yield* pool.stats, { idle: 3, total: 3 })
      assert((yield* pool.connections).every(({ id }) => id > 3))
    }))

  it.effect("takes connections that were lent meanwhile back, as far as the minimum needs them", () =>
    onPool({ ...outage, minConnections: 2, maxConnections: 4 }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 4)
      gates.set("connect", "fail")
      yield* pool.retireAll
      yield* Effect.forEach(borrowers, ({ giveBack }) => giveBack)
      yield* settle
      assert.deepInclude(yield* pool.stats, { idle: 2, total: 2 })
      yield* pool.withConnection(id)
      gates.set("connect", "ok")
      yield* advance("1 second")
      assert((yield* pool.connections).every(({ id }) => id > 4))
    }))

  it.effect("lends none of the old ones to whoever waits while nothing has failed yet", () =>
    onPool({ minConnections: 2, maxConnections: 4 }, function*({ gates, pool }) {
      gates.set("connect", "slow")
      yield* pool.retireAll
      const caller = yield* call(pool)
      assert.isUndefined(caller.exit())
      gates.open("connect")
      yield* settle
      assert.isAbove(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("keeps none without a minimum", () =>
    onPool({ ...outage, maxConnections: 2 }, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      gates.set("connect", "fail")
      yield* pool.retireAll
      yield* settle
      assert.strictEqual((yield* pool.stats).total, 0)
    }))
})

describe("ConnectionPool: setLimit", () => {
  it.effect("lowered retires the coldest idle connections now and lent ones when they come back", () =>
    onPool({ maxConnections: 4 }, function*({ events, listen, pool }) {
      yield* listen
      const borrowers = yield* borrowMany(pool, 4)
      yield* borrowers[2]!.giveBack
      yield* advance(1)
      yield* borrowers[3]!.giveBack
      yield* pool.setLimit(3)
      yield* settle
      assert.deepStrictEqual((yield* pool.connections).map(({ id }) => id), [1, 2, 4])
      yield* pool.setLimit(1)
      yield* settle
      assert.deepInclude(yield* pool.stats, { used: 2, idle: 0, limit: 1, utilization: 100 })
      yield* borrowers[0]!.giveBack
      yield* settle
      assert.deepInclude(yield* pool.stats, { used: 1, total: 1 })
      yield* borrowers[1]!.giveBack
      assert.deepInclude(yield* pool.stats, { idle: 1, total: 1 })
      assert.deepStrictEqual(only(events, "LimitChanged").map(({ limit }) => limit), [3, 1])
      assert.strictEqual((yield* pool.stats).counts.retired.idle, 3)
    }))

  it.effect("raised opens connections for who waits", () =>
    onPool({ maxConnections: 3 }, function*({ pool }) {
      yield* pool.setLimit(1)
      yield* borrow(pool)
      const waiters = yield* callMany(pool, 2)
      assert.strictEqual((yield* pool.stats).pending, 2)
      yield* pool.setLimit(3)
      yield* settle
      for (const { exit } of waiters) assert(Exit.isSuccess(exit()!))
    }))

  it.effect("lowered gives up nothing that is open for dials that may never succeed", () =>
    onPool({ maxConnections: 5 }, function*({ gates, pool }) {
      gates.set("connect", "ok", "ok", "slow")
      const borrowers = yield* borrowMany(pool, 2)
      const waiters = yield* callMany(pool, 3)
      yield* pool.setLimit(2)
      for (const borrower of borrowers) yield* borrower.giveBack
      for (const waiter of waiters) assert.isAtMost(yield* Fiber.join(waiter.fiber), 2)
      assert.deepInclude(yield* pool.stats, { idle: 2, opening: 3 })
      gates.open("connect")
      yield* settle
      assert.deepStrictEqual((yield* pool.connections).map(({ id }) => id).toSorted(), [1, 2])
    }))

  it.effect("below the minimum lowers the minimum as well", () =>
    onPool({ minConnections: 3, maxConnections: 3 }, function*({ fake, pool }) {
      yield* pool.setLimit(1)
      yield* advance("1 minute")
      assert.strictEqual((yield* pool.stats).total, 1)
      const dialled = fake.dialled
      yield* pool.setLimit(3)
      yield* settle
      assert.deepStrictEqual([(yield* pool.stats).idle, fake.dialled], [3, dialled + 2])
    }))

  it.effect("is refused unless it is an integer from 1 to maxConnections", () =>
    onPool({ maxConnections: 4 }, function*({ pool }) {
      for (const limit of [0, -1, 5, 1.5, Number.NaN, Infinity]) {
        const refused = yield* reason(pool.setLimit(limit), "InvalidOption")
        assert.strictEqual(
          refused.message,
          `option limit: must be an integer from 1 to maxConnections (4), got ${limit}`
        )
      }
      assert.strictEqual((yield* pool.stats).limit, 4)
    }))
})

describe("ConnectionPool: warmUp", () => {
  it.effect("opens so many connections and tells how many are open", () =>
    onPool({ maxConnections: 5 }, function*({ pool }) {
      assert.strictEqual(yield* pool.warmUp(3), 3)
      assert.strictEqual((yield* pool.stats).idle, 3)
      assert.strictEqual(yield* pool.warmUp(2), 3)
    }))

  it.effect("by default opens minConnections", () =>
    onPool({ minConnections: 2, maxConnections: 5, startup: "lazy" }, function*({ pool }) {
      assert.strictEqual(yield* pool.warmUp(), 2)
    }))

  it.effect("opens no more than the limit", () =>
    onPool({ maxConnections: 5 }, function*({ pool }) {
      yield* pool.setLimit(2)
      assert.strictEqual(yield* pool.warmUp(10), 2)
    }))

  it.effect("is served by a limit that is lowered meanwhile", () =>
    onPool({ maxConnections: 5 }, function*({ gates, pool }) {
      gates.set("connect", "ok", "ok", "never")
      const warming = yield* Effect.forkScoped(pool.warmUp(5))
      yield* settle
      yield* pool.setLimit(2)
      yield* settle
      assert.strictEqual(yield* Fiber.join(warming), 2)
    }))

  it.effect("raises the minimum only until it is done", () =>
    onPool({ maxConnections: 5, idleTimeout: "5 seconds" }, function*({ pool }) {
      yield* pool.warmUp(3)
      yield* advance("5 seconds")
      assert.strictEqual((yield* pool.stats).total, 0)
    }))

  it.effect("that is interrupted is forgotten", () =>
    onPool(
      { maxConnections: 5, idleTimeout: "5 seconds", backend: { initial: { connect: "slow" } } },
      function*({ gates, pool }) {
        const warming = yield* Effect.forkScoped(pool.warmUp(3))
        yield* settle
        yield* Fiber.interrupt(warming)
        gates.open("connect")
        yield* settle
        yield* advance("5 seconds")
        assert.strictEqual((yield* pool.stats).total, 0)
      }
    ))

  it.effect("fails when the attempts to connect are used up, also where some are open already", () =>
    onPool(
      { maxConnections: 5, retry: Schedule.recurs(1).pipe(Schedule.addDelay(() => Effect.succeed(100))) },
      function*({ gates, pool }) {
        yield* pool.withConnection(id)
        gates.set("connect", "fail")
        const warming = yield* Effect.forkScoped(pool.warmUp(3))
        yield* settle
        yield* Effect.repeat(advance(100), { times: 5 })
        const exit = warming.pollUnsafe()
        assert(exit !== undefined, "it has ended")
        yield* reason(exit, "ConnectFailed")
      }
    ))

  it.effect("is refused unless it is asked for an integer of at least 0", () =>
    onPool({}, function*({ pool }) {
      for (const count of [-1, 1.5, Number.NaN]) {
        assert.include((yield* reason(pool.warmUp(count), "InvalidOption")).message, "must be an integer of at least 0")
      }
    }))

  it.effect("ends with the pool", () =>
    onPool({ backend: { initial: { connect: "never" } } }, function*({ pool }) {
      const warming = yield* Effect.forkScoped(Effect.exit(pool.warmUp(1)))
      yield* settle
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      yield* advance("10 seconds")
      yield* reason(yield* Fiber.join(warming), "PoolClosed")
    }))
})
