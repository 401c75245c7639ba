import { ConnectionPool, ResourcePool } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule } from "effect"
import { advance, call, callMany, captureLogs, id, onPool, reason, settle } from "./utils/bench.ts"

const attempts = (times: number, spacing: number) => Schedule.spaced(spacing).pipe(Schedule.upTo({ times: times - 1 }))

describe("ConnectionPool: an outage while somebody holds a connection for long", () => {
  const setup = {
    maxConnections: 5,
    retry: attempts(2, 100),
    breaker: { minimumDials: 4 },
    acquireTimeout: "5 seconds"
  } as const

  it.effect("fails callers as fast as one in which nobody holds any, and health says unhealthy", () =>
    onPool(setup, function*({ gates, pool }) {
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { isLongLived: true, label: "listener" }))
      yield* settle
      gates.set("connect", "fail")
      const callers = yield* callMany(pool, 3)
      yield* advance(100)
      for (const { reason } of callers) assert.strictEqual(reason()?._tag, "ConnectFailed")
      yield* call(pool)
      yield* advance(500)
      yield* reason(pool.withConnection(id), "BreakerOpen")
      assert.strictEqual((yield* pool.health).status, "unhealthy")
      assert.strictEqual((yield* pool.stats).outOfReach, 1)
    }))

  it.effect("fails them as well, where it is held for longer than any caller waits", () =>
    onPool(setup, function*({ gates, pool }) {
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      yield* settle
      gates.set("connect", "fail")
      const first = yield* call(pool)
      yield* advance("1 second")
      assert.isUndefined(first.exit())
      yield* advance("5 seconds")
      const late = yield* call(pool)
      yield* advance("1 second")
      assert.include(["ConnectFailed", "BreakerOpen"], late.reason()?._tag)
    }))

  it.effect("lets them wait for a lease that is to end, as before", () =>
    onPool(setup, function*({ gates, pool }) {
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { isLongLived: true }))
      const short = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("2 seconds")))
      yield* settle
      gates.set("connect", "fail")
      const caller = yield* call(pool)
      yield* advance("1 second")
      assert.isUndefined(caller.exit())
      yield* advance("1 second")
      yield* Fiber.join(short)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(caller.fiber)))
    }))
})

describe("ConnectionPool: a dial", () => {
  it.effect("that tries for an open breaker is waited for by one caller, and the others fail at once", () =>
    onPool(
      {
        breaker: { minimumDials: 2, openDuration: "1 second" },
        retry: attempts(9, 100),
        connectTimeout: "2 seconds",
        backend: { initial: { connect: "fail" } }
      },
      function*({ gates, pool }) {
        yield* call(pool)
        yield* advance(100)
        gates.set("connect", "never")
        yield* advance("1 second")
        const first = yield* call(pool)
        assert.isUndefined(first.exit())
        assert.strictEqual(gates.running("connect"), 1)
        for (let newcomer = 0; newcomer < 20; newcomer++) {
          yield* advance(50)
          const { retryAfter } = yield* reason(pool.withConnection(id), "BreakerOpen")
          assert.isAbove(retryAfter, 0)
        }
        gates.set("connect", "ok")
        yield* advance("3 seconds")
        assert.strictEqual((yield* Effect.exit(pool.withConnection(id)))._tag, "Success")
      }
    ))

  it.effect("is not made any more when those who wanted it have been served", () =>
    onPool({ maxConnections: 300, connectRate: 50 }, function*({ fake, pool }) {
      yield* Effect.forEach(
        Array.from({ length: 300 }),
        () => Effect.forkScoped(pool.withConnection(() => Effect.sleep(1)))
      )
      yield* advance(100)
      assert.strictEqual((yield* pool.stats).pending, 0)
      const dialled = fake.dialled
      yield* advance("10 seconds")
      assert.strictEqual(fake.dialled, dialled)
      assert.isAtMost(dialled, 60)
      assert.strictEqual((yield* pool.stats).opening, 0)
    }))

  it.effect("is not made any more when those who wanted it were interrupted", () =>
    onPool({ maxConnections: 300, connectRate: 50, backend: { connectDelay: 500 } }, function*({ fake, pool }) {
      const callers = yield* Effect.forEach(
        Array.from({ length: 300 }),
        () => Effect.forkScoped(pool.withConnection(id))
      )
      yield* advance(100)
      yield* Fiber.interruptAll(callers)
      yield* advance("10 seconds")
      assert.isAtMost(fake.dialled, 60)
      assert.strictEqual((yield* pool.stats).opening, 0)
    }))

  it.effect("for the minimum is made however slow connectRate is", () =>
    onPool({ minConnections: 5, maxConnections: 10, connectRate: 1, startup: "lazy" }, function*({ pool }) {
      yield* advance("10 seconds")
      assert.strictEqual((yield* pool.stats).idle, 5)
    }))
})

describe("ConnectionPool: whose a lease is", () => {
  const nested = (around: (inner: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>) =>
    onPool({ maxConnections: 1, acquireTimeout: "1 second" }, function*({ pool }) {
      const outer = yield* Effect.forkScoped(
        pool.withConnection(() => around(Effect.mapError(pool.withConnection(id), (error) => error)))
      )
      yield* settle
      yield* advance("1 second")
      const timeout = yield* reason(Fiber.join(outer), "AcquireTimeout")
      assert.isTrue(timeout.holdsAlready)
      assert.include(timeout.message, "may wait for itself")
    })

  it.effect("is told where the inner one is taken under a limit", () => nested(Effect.timeout("1 minute")))
  it.effect("is told where several are taken together", () =>
    nested((inner) => Effect.all([inner, Effect.never], { concurrency: 2 })))
  it.effect("is told where it is taken in a race", () => nested((inner) => Effect.raceFirst(inner, Effect.never)))

  it.effect("of equal plain values, each is invalidated by its own borrower alone", () =>
    Effect.gen(function*() {
      const pool = yield* ResourcePool.make({ acquire: Effect.succeed("token"), minConnections: 0, maxConnections: 3 })
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      yield* settle
      yield* pool.withConnection((token) => pool.invalidate(token))
      yield* pool.withConnection((token) => Effect.timeout(pool.invalidate(token), "1 second"))
      yield* settle
      assert.deepStrictEqual((yield* pool.connections).map(({ id, state }) => [id, state]), [[1, "used"]])
    }).pipe(Effect.provide(captureLogs([]))))
})

describe("ConnectionPool: equal objects", () => {
  it.effect("may be invalidated by anybody", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ connect: () => Effect.sync(() => ({})), reset: () => undefined }, {
        minConnections: 0
      })
      yield* pool.withConnection((connection) => Effect.andThen(Effect.forkScoped(pool.invalidate(connection)), settle))
      yield* settle
      assert.strictEqual((yield* pool.stats).counts.retired.invalidated, 1)
    }))
})

describe("ConnectionPool: connectRate", () => {
  it.effect("is named to whoever waits for it in vain", () =>
    onPool({ maxUses: 1, maxConnections: 10, connectRate: 2, acquireTimeout: "1 second" }, function*({ pool }) {
      const callers = yield* callMany(pool, 20)
      yield* advance("1 second")
      const last = yield* reason(Fiber.join(callers[19]!.fiber), "AcquireTimeout")
      assert.include(last.message, "wait for their turn: at most 2 begin in a second (connectRate)")
      assert.notInclude(last.message, "firewall")
    }))

  it.effect("must let the minimum open within startupTimeout", () =>
    Effect.gen(function*() {
      const make = (options: ConnectionPool.MakeOptions) =>
        Effect.scoped(ConnectionPool.make({ connect: () => Effect.sync(() => ({})) }, options))
      const few = { minConnections: 700, maxConnections: 700, connectRate: 50 } as const
      const { option, rule } = yield* reason(make(few), "InvalidOption")
      assert.strictEqual(option, "minConnections")
      assert.strictEqual(rule, "can't be open within startupTimeout (10000 ms) at connectRate 50, got 700")
      yield* make({ ...few, startup: "lazy" })
    }))
})

describe("ResourcePool: resources of which each may die alone", () => {
  const crash = (areIndependent: boolean) =>
    Effect.gen(function*() {
      let made = 0
      const pool = yield* ResourcePool.make({
        acquire: Effect.sync(() => ({ id: ++made, isDead: false })),
        isBroken: ({ isDead }) => isDead,
        minConnections: 4,
        maxConnections: 4,
        areIndependent
      })
      yield* Effect.exit(pool.withConnection((worker) => {
        worker.isDead = true
        return Effect.fail("crashed")
      }))
      yield* Effect.all(Array.from({ length: 4 }, () => pool.withConnection(() => Effect.sleep(1))), { concurrency: 4 })
        .pipe(Effect.forkScoped)
      yield* advance(10)
      return made
    }).pipe(Effect.provide(captureLogs([])))

  it.effect("are replaced one for one where they are independent", () =>
    Effect.map(crash(true), (made) => assert.strictEqual(made, 5)))
  it.effect("are all replaced where they are not and can't prove themselves", () =>
    Effect.map(crash(false), (made) => assert.isAbove(made, 5)))
})

describe("ConnectionPool: a burst", () => {
  it.effect("on a cold pool dials once for each caller that waits, and no more", () =>
    onPool({ maxConnections: 50, backend: { connectDelay: 100 } }, function*({ fake, pool }) {
      yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.forkScoped(pool.withConnection(id)))
      yield* advance(100)
      assert.deepStrictEqual([fake.dialled, (yield* pool.stats).pending], [30, 0])
      yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.forkScoped(pool.withConnection(id)))
      yield* advance(100)
      assert.strictEqual(fake.dialled, 30)
    }))

  it.effect(
    "of thousands on stale connections takes no time that grows with their square",
    () =>
      Effect.gen(function*() {
        const took = (count: number) =>
          Effect.gen(function*() {
            const pool = yield* ConnectionPool.make({
              connect: () => Effect.sync(() => ({})),
              validate: () => Effect.sleep(1),
              reset: () => undefined
            }, {
              minConnections: 0,
              maxConnections: count,
              connectRate: 100_000,
              pendingLimit: 100_000,
              freshnessWindow: 300,
              idleTimeout: "1 hour",
              healthCheck: "1 hour",
              metrics: false
            })
            const warming = yield* Effect.forkScoped(pool.warmUp(count))
            yield* advance(100)
            yield* Fiber.join(warming)
            yield* advance("1 second")
            // The time of this process: another may take the processor's.
            const before = process.cpuUsage()
            yield* Effect.forEach(
              Array.from({ length: count }),
              () => Effect.forkScoped(pool.withConnection(() => Effect.void))
            )
            // Proofs begin in portions.
            while ((yield* pool.stats).counts.ended.success < count) yield* advance(1)
            yield* advance(10)
            const { system, user } = process.cpuUsage(before)
            return user + system
          })
        yield* took(500)
        const few = yield* took(1_000)
        const many = yield* took(6_000)
        // Six times as many take some six times as long; the square would be 36 times.
        assert.isBelow(many, 18 * few)
      }).pipe(Effect.provide(captureLogs([]))),
    60_000
  )
})
