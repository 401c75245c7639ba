import { ConnectionPool } from "@effect-pools/core"
import * as GatedConnector from "@effect-pools/testing/GatedConnector"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Random, Schedule, Struct } from "effect"
import { vi } from "vitest"
import {
  advance,
  borrow,
  borrowMany,
  captureLogs,
  id,
  isGone,
  listenTo,
  type Log,
  only,
  reason,
  settle,
  type Setup
} from "./utils/bench.ts"

/** The clock of the test, of which the wall can be set and the steady part left behind or hurried on. */
const warped = Effect.map(Clock.Clock, (clock) => {
  const offset = { wall: 0, steady: 0 }
  const wallNanos = () => clock.currentTimeNanosUnsafe() + BigInt(Math.round(offset.wall * 1e6))
  const wallMillis = () => clock.currentTimeMillisUnsafe() + offset.wall
  const steadyNanos = () => clock.monotonicTimeNanosUnsafe() + BigInt(Math.round(offset.steady * 1e6))
  const warpedClock: Clock.Clock = {
    ...clock,
    sleep: (duration) => clock.sleep(duration),
    currentTimeMillisUnsafe: wallMillis,
    currentTimeMillis: Effect.sync(wallMillis),
    currentTimeNanosUnsafe: wallNanos,
    currentTimeNanos: Effect.sync(wallNanos),
    monotonicTimeNanosUnsafe: steadyNanos,
    monotonicTimeNanos: Effect.sync(steadyNanos)
  }
  return { offset, clock: warpedClock }
})

/** A pool whose clock the test can warp. The clock stands still for everything else. */
const warpedPool = (setup: Setup) =>
  Effect.gen(function*() {
    const { clock, offset } = yield* warped
    const gates = GatedConnector.make(setup.backend)
    const logs: Array<Log> = []
    const { backend: _, stuck: __, ...options } = setup
    const pool = yield* ConnectionPool.make(gates.connector, { minConnections: 0, ...options }).pipe(
      Effect.provideService(Clock.Clock, clock),
      Effect.provide(captureLogs(logs))
    )
    const { events, listen } = listenTo(pool)
    yield* listen
    return { pool, gates, offset, events, logs }
  })

const ended = (pool: ConnectionPool.ConnectionPool<never>, gates: GatedConnector.GatedConnector) =>
  Effect.gen(function*() {
    yield* pool.drain
    yield* isGone(pool)
    assert.strictEqual(gates.fake.leaked, 0)
  })

const allNumbers = (value: unknown): ReadonlyArray<number> =>
  typeof value === "number"
    ? [value]
    : typeof value === "object" && value !== null
    ? Object.values(value).flatMap(allNumbers)
    : []

const isSound = (pool: ConnectionPool.ConnectionPool<never>) =>
  Effect.gen(function*() {
    const numbers = allNumbers([yield* pool.stats, yield* pool.connections, yield* pool.health])
    for (const number of numbers) assert(Number.isFinite(number) && number >= 0, `a number of the pool is ${number}`)
  })

describe("ConnectionPool: the clock", () => {
  for (const [what, wall] of [["forward", 3_600_000], ["back", -3_600_000]] as const) {
    it.effect(`a wall clock that is set an hour ${what} expires nothing and makes idle connections prove themselves`, () =>
      Effect.gen(function*() {
        const { events, gates, logs, offset, pool } = yield* warpedPool({
          maxConnections: 3,
          freshnessWindow: "1 minute"
        })
        const borrowers = yield* borrowMany(pool, 3)
        yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
        offset.wall = wall
        assert.strictEqual((yield* pool.stats).idle, 3)
        assert.strictEqual(yield* pool.withConnection(id), 3)
        assert.strictEqual(gates.calls("validate"), 1)
        yield* settle
        assert.deepStrictEqual(only(events, "ClockLeapt").map(({ by }) => by), [wall])
        assert(logs.some(({ text }) => text.includes(`the clock leapt by ${wall} ms`)))
        yield* advance("1 minute")
        assert.strictEqual((yield* pool.stats).total, 3)
        yield* isSound(pool as never)
        yield* ended(pool as never, gates)
      }))
  }

  it.effect("a suspended process, whose steady clock stood still, finds its connections suspected but not expired", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({
        minConnections: 3,
        maxConnections: 3,
        freshnessWindow: "1 hour"
      })
      offset.wall = 8 * 3_600_000
      gates.fake.cutSilently(gates.fake.connections[2]!)
      assert.strictEqual(
        yield* pool.withConnection((connection) => Effect.as(gates.fake.use(connection), connection.id)),
        2
      )
      assert.strictEqual((yield* pool.stats).counts.retired.idle, 0)
      yield* settle
      yield* ended(pool as never, gates)
    }))

  it.effect("a leap ends no lease, suspects no leak and times nobody out", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({
        maxConnections: 1,
        leakTimeout: "10 seconds",
        acquireTimeout: "20 seconds"
      })
      const borrower = yield* borrow(pool)
      const waiter = yield* Effect.forkScoped(pool.withConnection(id))
      yield* settle
      offset.wall = 3_600_000
      yield* advance("1 second")
      const { counts, oldestWaiter, pending } = yield* pool.stats
      assert.deepStrictEqual([pending, counts.timedOut, counts.leaksSuspected, oldestWaiter], [1, 0, 0, 1000])
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(waiter), 1)
      yield* ended(pool as never, gates)
    }))

  it.effect("a caller that computed for long waits from the moment in which it asks", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({ maxConnections: 1, acquireTimeout: "3 seconds" })
      const end = yield* Deferred.make<void>()
      // It gives its connection to the next, computes, and asks again, all in one turn of the event loop.
      const compute = Effect.sync(() => {
        offset.wall += 5000
        offset.steady += 5000
      })
      const twice = yield* Effect.forkScoped(
        pool.withConnection(() => Deferred.await(end)).pipe(
          Effect.andThen(compute),
          Effect.andThen(pool.withConnection(id))
        )
      )
      yield* settle
      const hold = (millis: number) => Effect.forkScoped(pool.withConnection(() => Effect.sleep(millis)))
      const others = [yield* hold(200), yield* hold(2000)]
      yield* advance(2500)
      yield* Deferred.succeed(end, undefined)
      yield* settle
      yield* advance(2200)
      for (const other of others) yield* Fiber.join(other)
      assert.strictEqual(yield* Fiber.join(twice), 1)
      yield* ended(pool as never, gates)
    }))

  it.effect("a breaker that is open ends in its time when the wall clock is set back", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({
        retry: Schedule.recurs(0),
        breaker: { minimumDials: 1, openDuration: "5 seconds" }
      })
      gates.set("connect", "fail", "ok")
      yield* reason(pool.withConnection(id), "BreakerOpen")
      offset.wall = -3_600_000
      yield* advance("6 seconds")
      assert.strictEqual(yield* pool.withConnection(id), 1)
      yield* ended(pool as never, gates)
    }))

  it.effect("dials keep their pace when the wall clock is set back", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({ maxConnections: 2, connectRate: 1 })
      yield* pool.withConnection(id)
      offset.wall = -3_600_000
      for (let dial = 2; dial < 6; dial++) {
        yield* pool.retireAll
        const caller = yield* Effect.forkScoped(pool.withConnection(id))
        yield* settle
        yield* advance("1 second")
        assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed(dial))
      }
      yield* ended(pool as never, gates)
    }))

  it.effect("a process that was stopped for a minute, as both clocks tell, expires what is due and no more", () =>
    Effect.gen(function*() {
      const { events, gates, offset, pool } = yield* warpedPool({ maxConnections: 1, idleTimeout: "2 minutes" })
      yield* pool.withConnection(id)
      offset.wall = 60_000
      offset.steady = 60_000
      assert.strictEqual((yield* pool.stats).idle, 1)
      assert.deepInclude((yield* pool.connections)[0], { idleFor: 60_000 })
      assert.strictEqual(only(events, "ClockLeapt").length, 0)
      yield* ended(pool as never, gates)
    }))

  it.effect("a clock that strobes under load gives no negative number, no NaN and no expiry", () =>
    Effect.gen(function*() {
      const { gates, offset, pool } = yield* warpedPool({ maxConnections: 2, healthCheck: "1 second" })
      for (let tick = 0; tick < 200; tick++) {
        offset.wall = [0, 700, -700, 90_000, -90_000, 3][tick % 6]!
        const lease = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(5)))
        yield* settle
        yield* advance(10)
        yield* Fiber.join(lease)
        yield* isSound(pool as never)
      }
      const { counts, use } = yield* pool.stats
      assert.strictEqual(counts.opened, 1)
      assert.isAtMost(use.max, 1000)
      offset.wall = 0
      yield* ended(pool as never, gates)
    }))

  it.effect("limits of thirty days do not fire before", () =>
    Effect.gen(function*() {
      const { gates, pool } = yield* warpedPool({
        maxConnections: 1,
        idleTimeout: "30 days",
        maxLifetime: "31 days",
        maxLifetimeJitter: 0,
        healthCheck: "30 days",
        leakTimeout: "30 days"
      })
      yield* pool.withConnection(id)
      yield* advance("29 days")
      assert.strictEqual((yield* pool.stats).idle, 1)
      yield* advance("1 day")
      assert.strictEqual((yield* pool.stats).total, 0)
      yield* ended(pool as never, gates)
    }))

  it.live("no timer is longer than timers can be, so that none fires at once", () =>
    Effect.gen(function*() {
      const timers = vi.spyOn(globalThis, "setTimeout")
      yield* Effect.addFinalizer(() => Effect.sync(() => timers.mockRestore()))
      const gates = GatedConnector.make()
      const days = {
        idleTimeout: "30 days",
        maxLifetime: "60 days",
        healthCheck: "30 days",
        leakTimeout: "30 days"
      } as const
      const pool = yield* ConnectionPool.make(gates.connector, { minConnections: 1, maxConnections: 1, ...days })
      yield* pool.withConnection(id)
      yield* Effect.yieldNow
      for (const [, delay] of timers.mock.calls) assert.isAtMost(delay ?? 0, 2 ** 31 - 1)
      assert.isAbove(timers.mock.calls.length, 0)
      yield* pool.drain
      assert.strictEqual(gates.fake.leaked, 0)
    }))

  it.effect("a pool under the test clock is deterministic", () =>
    Effect.gen(function*() {
      const run = Effect.gen(function*() {
        const { events, gates, pool } = yield* warpedPool({
          maxConnections: 3,
          idleTimeout: "7 seconds",
          healthCheck: "2 seconds"
        })
        gates.set("connect", "ok", "fail", "slow", "ok")
        gates.set("validate", "ok", "fail", "ok")
        const start = yield* Clock.currentTimeMillis
        for (let caller = 0; caller < 20; caller++) {
          yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(caller * 37 % 100)))
          yield* advance(11)
        }
        gates.open("connect")
        yield* advance("30 seconds")
        yield* pool.drain
        yield* settle
        return events.map((event) => [event.at - start, Struct.omit(event, ["at"])])
      })
      const rounded = (_: string, value: unknown) => typeof value === "number" ? Math.round(value) : value
      const story = (seed: string) =>
        Effect.map(Effect.scoped(Random.withSeed(run, seed)), (events) =>
          events.map((event) => JSON.stringify(event, rounded)))
      const first = yield* story("one")
      assert.isAbove(first.length, 50)
      assert.deepStrictEqual(yield* story("one"), first)
      assert.notDeepEqual(yield* story("two"), first)
    }))
})
