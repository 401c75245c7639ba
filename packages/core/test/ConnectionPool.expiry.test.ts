import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random, Schedule } from "effect"
import { advance, borrow, borrowMany, call, id, only, onPool, settle } from "./utils/bench.ts"

/** The minimum may idle for as long as it lives. */
const lifelong = { idleTimeout: "20 seconds", maxLifetime: "1 minute", maxLifetimeJitter: 0 } as const

describe("ConnectionPool: idleTimeout", () => {
  it.effect("an idle connection is retired when its time is up, to the millisecond", () =>
    onPool({ idleTimeout: "20 seconds" }, function*({ pool }) {
      yield* advance("7 seconds")
      yield* pool.withConnection(id)
      yield* advance(19_999)
      assert.strictEqual((yield* pool.stats).idle, 1)
      yield* advance(1)
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.retired.idle], [0, 1])
    }))

  it.effect("a use begins the time anew", () =>
    onPool({ idleTimeout: "20 seconds" }, function*({ fake, pool }) {
      for (let lease = 0; lease < 10; lease++) {
        yield* pool.withConnection(id)
        yield* advance("15 seconds")
      }
      assert.strictEqual(fake.dialled, 1)
    }))

  it.effect("a lent connection does not idle", () =>
    onPool({ idleTimeout: "20 seconds" }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* advance("1 minute")
      yield* borrower.giveBack
      yield* advance(19_999)
      assert.strictEqual((yield* pool.stats).idle, 1)
    }))

  it.effect("a pool that grew shrinks to its minimum", () =>
    onPool({ minConnections: 2, maxConnections: 50, idleTimeout: "20 seconds" }, function*({ pool }) {
      const borrowers = yield* borrowMany(pool, 50)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("20 seconds")
      const { idle, total } = yield* pool.stats
      assert.deepStrictEqual([idle, total], [2, 2])
    }))

  for (const maxConnections of [2, 4]) {
    it.effect(`what the minimum needs is kept without a lease, where there may be ${maxConnections}`, () =>
      onPool({ minConnections: 2, maxConnections, idleTimeout: "20 seconds", maxLifetime: "1 hour" }, function*(
        { fake, gates, pool }
      ) {
        yield* advance("30 minutes")
        const { counts, idle, total } = yield* pool.stats
        assert.deepStrictEqual([idle, total, fake.dialled, counts.retired.idle], [2, 2, 2, 0])
        assert.isAbove(gates.calls("validate"), 10)
      }))
  }

  it.effect("what the minimum needs is renewed at its lifetime, and the replacement is open before it goes", () =>
    onPool({ ...lifelong, minConnections: 2, maxConnections: 4 }, function*({ gates, pool }) {
      gates.set("connect", "slow")
      yield* advance("60 seconds")
      assert.deepInclude(yield* pool.stats, { idle: 2, opening: 2 })
      gates.open("connect")
      yield* settle
      const { counts, idle, total } = yield* pool.stats
      assert.deepStrictEqual([idle, total, counts.opened, counts.retired.lifetime], [2, 2, 4, 2])
      assert.deepStrictEqual((yield* pool.connections).map(({ id }) => id), [3, 4])
    }))

  it.effect("a pool of which all connections are the minimum renews each at its lifetime, one after the other", () =>
    onPool({ ...lifelong, minConnections: 2, maxConnections: 2 }, function*({ fake, pool }) {
      yield* advance("2 seconds")
      for (let period = 1; period <= 3; period++) {
        yield* advance("61 seconds")
        assert.deepStrictEqual([fake.dialled, (yield* pool.stats).idle], [2 + 2 * period, 2])
      }
    }))

  it.effect("of four connections the two that the load needs stay and the others go", () =>
    onPool({ maxConnections: 4, idleTimeout: "20 seconds" }, function*({ pool }) {
      const borrowers = yield* borrowMany(pool, 4)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      for (let round = 0; round < 10; round++) {
        const [first, second] = yield* borrowMany(pool, 2)
        yield* advance("4 seconds")
        yield* first!.giveBack
        yield* second!.giveBack
      }
      assert.strictEqual((yield* pool.stats).total, 2)
      assert.strictEqual((yield* pool.stats).counts.opened, 4)
    }))

  it.effect("one that is being probed when housekeeping looks goes when its time is up", () =>
    onPool({ maxConnections: 2, idleTimeout: "20 seconds", healthCheck: 19_500 }, function*({ gates, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* advance("5 seconds")
      yield* first!.giveBack
      yield* advance("5 seconds")
      yield* second!.giveBack
      gates.set("validate", "slow", "ok")
      // Housekeeping looks at 20 s; the first is due at 25 s and the second at 30 s.
      yield* advance("10 seconds")
      assert.deepInclude(yield* pool.stats, { checking: 1, idle: 1 })
      gates.open("validate")
      yield* advance("5 seconds")
      assert.deepStrictEqual((yield* pool.connections).map(({ id }) => id), [2])
    }))

  it.effect("one that is being probed when its time is up goes soon after", () =>
    onPool({ maxConnections: 2, idleTimeout: "20 seconds", healthCheck: 19_500 }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 2)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      gates.set("validate", "slow", "ok")
      yield* advance("20 seconds")
      assert.deepInclude(yield* pool.stats, { checking: 1, idle: 0 })
      gates.open("validate")
      yield* advance("1 second")
      assert.strictEqual((yield* pool.stats).total, 0)
    }))
})

describe("ConnectionPool: maxLifetime", () => {
  const old = { maxLifetime: "30 seconds", idleTimeout: "30 seconds", maxLifetimeJitter: 0 } as const

  it.effect("an idle connection is retired at its lifetime, however lately it was used", () =>
    onPool(old, function*({ events, listen, pool }) {
      yield* listen
      yield* pool.withConnection(id)
      yield* advance("20 seconds")
      yield* pool.withConnection(id)
      yield* advance(9_999)
      assert.strictEqual((yield* pool.stats).idle, 1)
      yield* advance(1)
      assert.strictEqual((yield* pool.stats).total, 0)
      assert.deepStrictEqual(only(events, "Retired").map(({ because }) => because), ["lifetime"])
      assert.deepStrictEqual(only(events, "Closed").map(({ lived }) => lived), [30_000])
    }))

  it.effect("it never ends a lease: the connection goes when it comes back", () =>
    onPool(old, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      yield* advance("2 minutes")
      yield* fake.use(borrower.connection)
      assert.deepInclude(yield* pool.stats, { used: 1, total: 1 })
      const waiter = yield* call(pool)
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 2)
      assert.strictEqual((yield* pool.stats).counts.retired.lifetime, 1)
    }))

  it.effect("a connection that came back shortly before its lifetime ended is not lent after it", () =>
    onPool({ ...old, leakTimeout: "5 minutes" }, function*({ pool }) {
      yield* advance("5 seconds")
      const borrower = yield* borrow(pool)
      // Housekeeping looks at 30 s, while it is lent, and it comes back before it is due at 35 s.
      yield* advance("26 seconds")
      yield* borrower.giveBack
      yield* advance("3999 millis")
      assert.strictEqual((yield* pool.stats).idle, 1)
      yield* advance(1)
      assert.strictEqual((yield* pool.stats).total, 0)
    }))

  it.effect("one that the minimum needs is replaced before it goes", () =>
    onPool({ ...old, minConnections: 1, maxConnections: 2 }, function*({ gates, pool }) {
      gates.set("connect", "slow")
      yield* advance("30 seconds")
      assert.deepInclude(yield* pool.stats, { idle: 1, opening: 1 })
      gates.open("connect")
      yield* settle
      assert.deepStrictEqual((yield* pool.connections).map(({ id }) => id), [2])
    }))

  it.effect("in an outage what has expired serves on, lease after lease, until its replacement is open", () =>
    onPool(
      { ...old, minConnections: 1, maxConnections: 2, retry: Schedule.spaced("1 second") },
      function*({ fake, gates, pool }) {
        gates.set("connect", "fail")
        yield* advance("5 minutes")
        for (let lease = 0; lease < 5; lease++) {
          assert.strictEqual(
            yield* pool.withConnection((connection) => Effect.as(fake.use(connection), connection.id)),
            1
          )
          yield* advance("1 second")
        }
        assert.strictEqual((yield* pool.stats).idle, 1)
        gates.set("connect", "ok")
        yield* advance("10 seconds")
        const [connection, ...others] = yield* pool.connections
        assert.isAbove(connection!.id, 1)
        assert.strictEqual(others.length, 0)
        assert.strictEqual((yield* pool.stats).counts.retired.lifetime, 1)
      }
    ))

  it.effect("connections opened together do not end together", () =>
    onPool({ ...old, maxConnections: 5, maxLifetimeJitter: 0.5 }, function*({ events, listen, pool }) {
      yield* listen
      const borrowers = yield* borrowMany(pool, 5)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("30 seconds")
      const lives = only(events, "Closed").map(({ lived }) => lived)
      assert.strictEqual(new Set(lives).size, 5)
      for (const lived of lives) {
        assert.isAtLeast(lived, 15_000)
        assert.isAtMost(lived, 30_000)
      }
    }).pipe(Random.withSeed("lifetimes")))

  it.effect("at a jitter of 1 a lifetime is any share of maxLifetime", () =>
    onPool({ ...old, maxConnections: 3, maxLifetimeJitter: 1 }, function*({ events, listen, pool }) {
      yield* listen
      const borrowers = yield* borrowMany(pool, 3)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("30 seconds")
      assert.deepStrictEqual(only(events, "Closed").map(({ connection, lived }) => [connection, lived]), [
        [3, 7_500],
        [2, 15_000],
        [1, 30_000]
      ])
    }).pipe(Effect.provideService(Random.Random, chances(0, 0.5, 0.75))))

  it.effect("at a jitter of 1 the shortest of lifetimes do not keep the pool busy", () =>
    onPool({ ...old, minConnections: 1, maxConnections: 2, maxLifetimeJitter: 1 }, function*({ fake, pool }) {
      yield* advance("30 seconds")
      assert.strictEqual(yield* pool.withConnection(({ id }) => Effect.succeed(id > 1)), true)
      // The house is visited no more often than each hundredth of maxLifetime.
      assert.isAtMost(fake.opened, 102)
    }).pipe(Effect.provideService(Random.Random, chances())))

  it.effect("the same seed gives the same lifetimes", () =>
    Effect.gen(function*() {
      const lives = (seed: string) =>
        Effect.gen(function*() {
          const seen: Array<number> = []
          yield* onPool({ ...old, maxConnections: 3, maxLifetimeJitter: 0.5 }, function*({ events, listen, pool }) {
            yield* listen
            const borrowers = yield* borrowMany(pool, 3)
            yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
            yield* advance("30 seconds")
            seen.push(...only(events, "Closed").map(({ lived }) => Math.round(lived)))
          })
          return seen
        }).pipe(Random.withSeed(seed))
      const first = yield* lives("one")
      assert.deepStrictEqual(yield* lives("one"), first)
      assert.notDeepEqual(yield* lives("two"), first)
    }))
})

/** Chance that gives these numbers, and then what is next to 1. */
const chances = (...numbers: Array<number>): Random.Random => ({
  nextDoubleUnsafe: () => numbers.shift() ?? 1 - Number.EPSILON,
  nextIntUnsafe: () => 0
})

describe("ConnectionPool: maxUses", () => {
  it.effect("a connection is retired after so many leases", () =>
    onPool({ maxUses: 3 }, function*({ pool }) {
      const served: Array<number> = []
      for (let lease = 0; lease < 7; lease++) {
        served.push(yield* pool.withConnection(id))
        yield* settle
      }
      assert.deepStrictEqual(served, [1, 1, 1, 2, 2, 2, 3])
      assert.strictEqual((yield* pool.stats).counts.retired.lifetime, 2)
    }))

  it.effect("a caller that was interrupted before it touched the connection counts as no use", () =>
    onPool({ maxUses: 2 }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* Effect.all([borrower.giveBack, waiter.interrupt], { concurrency: "unbounded" })
      yield* settle
      assert.isAtMost((yield* pool.connections)[0]!.uses, 2)
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))
})
