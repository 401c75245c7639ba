import { ConnectionPool, type Connector, DialError, type PoolConfig, type PoolEvent } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import { advance, settle } from "./utils/bench.ts"

interface Resource {
  readonly work: Effect.Effect<void>
}

/** A backend that works on so many jobs at once; more of them share its time, and cost it some. */
const withKnee = (knee: number, millis: number): Connector.Connector<Resource> => {
  let working = 0
  const work = Effect.acquireUseRelease(
    Effect.sync(() => ++working),
    (now) =>
      Effect.flatMap(Random.next, (chance) => Effect.sleep(millis * Math.max(1, now / knee) * (0.75 + chance / 2))),
    () => Effect.sync(() => void working--)
  )
  return { connect: () => Effect.succeed({ work }), reset: () => undefined }
}

const options = { metrics: false, startup: "lazy", minConnections: 0, healthCheck: "1 hour" } as const

/** A pool under callers that come back at once. */
const underLoad = Effect.fnUntraced(function*(given: PoolConfig.PoolOptions, callers: number, knee = 20) {
  const pool = yield* ConnectionPool.make(withKnee(knee, 16), { ...options, ...given })
  const events: Array<PoolEvent.PoolEvent> = []
  yield* Effect.forkScoped(
    Stream.runForEach(pool.eventsWith({ leases: false }), (event) => Effect.sync(() => events.push(event)))
  )
  for (let index = 0; index < callers; index++) {
    yield* Effect.forkScoped(Effect.forever(pool.withConnection(({ work }) => work)))
  }
  return { pool, events }
})

const silent = Effect.provide(Logger.layer([]))

describe("ConnectionPool: sizing", () => {
  it.effect.each([4, 12])(
    "from %i connections finds how many a backend can use that works on 8 at a time",
    (start) =>
      Effect.gen(function*() {
        const { events, pool } = yield* underLoad({ maxConnections: 16, sizing: { mode: "apply", start } }, 18, 8)
        assert.strictEqual((yield* pool.stats).limit, start)
        yield* TestClock.adjust("12 seconds")
        const before = (yield* pool.stats).counts.ended.success
        const sizes: Array<number> = []
        for (let second = 0; second < 4; second++) {
          yield* TestClock.adjust("1 second")
          sizes.push((yield* pool.stats).limit)
        }
        const { counts, limit, limitedBy, sizing } = yield* pool.stats
        const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
        assert.isTrue(mean >= 6.4 && mean <= 9.6, sizes.join(" "))
        // 8 at a time for 16 ms each; while another size is tried a little less.
        assert.isAbove((counts.ended.success - before) / 4, 0.9 * 8 / 0.016)
        assert.strictEqual(limitedBy, "sizing")
        assert.deepInclude(sizing, { mode: "apply", min: 1, max: 16, size: limit })
        assert.isAtLeast(sizing!.tried.length, 3)
        const told = events.filter((event) => event._tag === "LimitChanged")
        assert.isAtLeast(told.length, 3)
        assert.deepStrictEqual(told.map(({ limit }) => limit), sizing!.moves.map(({ to }) => to))
        assert.match(
          sizing!.moves.map(({ why }) => why).join(),
          /% throughput for \+?-?\d+ % connections \(\d+ leases a second\)/
        )
      }).pipe(Random.withSeed("knee"), Effect.scoped, silent),
    60_000
  )

  it.effect("that only advises tells what it would try, and changes nothing", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* underLoad({ maxConnections: 10, sizing: { mode: "advise", min: 2 } }, 12)
      yield* TestClock.adjust("3 seconds")
      const full = yield* pool.stats
      assert.deepInclude(full, { limit: 10, limitedBy: "maxConnections" })
      assert.deepInclude(full.sizing, { mode: "advise", size: 10, next: 9, max: 10 })
      yield* pool.setLimit(5)
      yield* TestClock.adjust("7 seconds")
      const { limit, sizing } = yield* pool.stats
      assert.deepStrictEqual([limit, sizing?.size, sizing?.next], [5, 5, 6])
      assert.match(sizing!.why, /^callers wait at 5 \(\d+ leases a second\): would try 6$/)
      assert.deepStrictEqual(sizing!.tried.map(({ size }) => size), [5, 10])
      assert.deepStrictEqual(sizing!.moves, [])
      assert.strictEqual(events.filter(({ _tag }) => _tag === "LimitChanged").length, 1)
    }).pipe(Effect.scoped, silent))

  it.effect("leaves the limit alone for an hour without saturation", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(withKnee(20, 40), {
        ...options,
        maxConnections: 20,
        sizing: { mode: "apply", start: 10 }
      })
      const caller = Effect.forever(Effect.andThen(pool.withConnection(({ work }) => work), Effect.sleep("10 seconds")))
      for (let index = 0; index < 8; index++) yield* Effect.forkScoped(caller)
      const limits = new Set<number>()
      for (let minute = 0; minute < 60; minute++) {
        yield* TestClock.adjust("1 minute")
        limits.add((yield* pool.stats).limit)
      }
      assert.deepStrictEqual(Array.from(limits), [10])
      assert.match((yield* pool.stats).sizing!.why, /is enough/)
    }).pipe(Effect.scoped, silent))
})

/** A backend that has room for so many connections. */
const full = () => {
  const server = { room: 4, open: 0, refused: 0 }
  const connector: Connector.Connector<{ readonly signals: Connector.Signals }> = {
    connect: (signals) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (server.open < server.room) return Effect.sync(() => void server.open++)
          server.refused++
          return Effect.fail(
            new DialError.DialError({
              address: "db:5432",
              message: "sorry, too many clients already",
              code: "53300",
              isRetryable: true,
              refusal: "capacity"
            })
          )
        }),
        () => Effect.sync(() => void server.open--)
      ).pipe(Effect.as({ signals })),
    validate: () => Effect.void,
    reset: () => undefined
  }
  return { server, connector }
}

describe("ConnectionPool: a server that says it is full", () => {
  const make = Effect.fnUntraced(function*(given: PoolConfig.PoolOptions = {}) {
    const { connector, server } = full()
    const pool = yield* ConnectionPool.make(connector, {
      ...options,
      maxConnections: 10,
      acquireTimeout: "1 minute",
      ...given
    })
    return { pool, server }
  })

  it.effect("brings the limit to what it has taken, and nobody who waits fails for it", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* make()
      const callers = yield* Effect.forEach(
        Array.from({ length: 30 }),
        () => Effect.forkScoped(pool.withConnection(() => Effect.sleep("1 second")))
      )
      yield* settle
      assert.deepInclude(yield* pool.stats, { limit: 4, limitedBy: "server", used: 4, pending: 26 })
      yield* advance("1 second")
      assert.deepInclude(yield* pool.stats, { limit: 4, used: 4, total: 4 })
      yield* TestClock.adjust("20 seconds")
      for (const caller of callers) assert.isTrue(Exit.isSuccess(caller.pollUnsafe()!))
      const { counts } = yield* pool.stats
      assert.deepInclude(counts, { timedOut: 0, refused: 0, failed: 0 })
      // Those under way together were refused together, and none was tried while the limit was held down.
      assert.isAtMost(server.refused, 10)
    }).pipe(Effect.scoped, silent))

  it.effect("lets it rise step by step after 30 seconds, until the server says so again", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* make()
      for (let index = 0; index < 12; index++) {
        yield* Effect.forkScoped(Effect.forever(pool.withConnection(() => Effect.sleep("1 second"))))
      }
      const limits: Array<number> = []
      yield* settle
      const refused = server.refused
      for (let second = 0; second < 45; second++) {
        yield* advance("1 second")
        limits.push((yield* pool.stats).limit)
      }
      // A step up is tried after 30 seconds, and taken back by the refusal that comes at once.
      assert.deepStrictEqual(limits, Array.from({ length: 45 }, () => 4))
      assert.strictEqual(server.refused, refused + 1)
      server.room = 20
      yield* TestClock.adjust("2 minutes")
      yield* settle
      assert.deepInclude(yield* pool.stats, { limit: 10, limitedBy: "maxConnections", used: 10 })
    }).pipe(Effect.scoped, silent))

  it.effect("says so on an open connection, for as long as it asks", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* make({ minConnections: 2, maxConnections: 6 })
      server.room = 6
      const fibers = yield* Effect.forEach(
        Array.from({ length: 5 }),
        () => Effect.forkScoped(pool.withConnection(({ signals }) => Effect.as(Effect.sleep("1 second"), signals)))
      )
      yield* settle
      yield* advance("1 second")
      const signals = yield* Fiber.join(fibers[0]!)
      for (let index = 0; index < 3; index++) signals.onFull!({ said: "status 429", took: 100, retryAfter: 60_000 })
      yield* settle
      assert.deepInclude(yield* pool.stats, { limit: 4, limitedBy: "server", total: 4 })
      const { diagnosis } = yield* pool.health
      assert.strictEqual(diagnosis?.cause, "serverFull")
      assert.include(diagnosis?.text, "status 429")
      for (let index = 0; index < 5; index++) {
        yield* advance("1 second")
        signals.onFull!({ said: "status 429", took: 10 })
      }
      assert.strictEqual((yield* pool.stats).limit, 2)
      yield* advance("50 seconds")
      assert.strictEqual((yield* pool.stats).limit, 2)
      yield* advance("20 seconds")
      assert.deepInclude(yield* pool.stats, { limit: 6, limitedBy: "maxConnections" })
    }).pipe(Effect.scoped, silent))
})
