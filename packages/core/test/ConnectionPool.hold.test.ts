import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { advance, borrow, borrowMany, id, only, onPool, settle } from "./utils/bench.ts"

const numbers = (items: number, loans: number) => ({ items, loans, waiting: 0, invalidated: 0 })

/** Three connections, of which the minimum needs one. */
const three = {
  minConnections: 1,
  maxConnections: 3,
  idleTimeout: "1 hour",
  maxLifetime: "1 day",
  healthCheck: "1 day"
} as const

const openAll = Effect.fnUntraced(function*(pool: Parameters<typeof borrow>[0], count: number) {
  const borrowers = yield* borrowMany(pool, count)
  for (const { giveBack } of borrowers) yield* giveBack
})

describe("ConnectionPool: Effect's Pool", () => {
  it.effect("owns a connection from its arrival to the beginning of its close", () =>
    onPool({ backend: { connectDelay: "1 second", closeDelay: "1 second" } }, function*({ held, pool }) {
      const lease = yield* Effect.forkScoped(
        pool.withConnection((connection) => Effect.andThen(Effect.sleep("1 second"), pool.invalidate(connection)))
      )
      yield* settle
      assert.deepStrictEqual([(yield* pool.stats).opening, held.numbers()], [1, numbers(0, 0)])
      yield* advance("1 second")
      assert.deepStrictEqual([(yield* pool.stats).used, held.numbers()], [1, numbers(1, 1)])
      yield* advance("1 second")
      assert.isDefined(lease.pollUnsafe())
      assert.deepStrictEqual([(yield* pool.stats).closing, held.numbers()], [1, numbers(0, 0)])
    }))

  it.effect("has no operation for a lease of what is at hand, nor for a hand-over to the next in line", () =>
    onPool({ maxConnections: 1 }, function*({ held, pool }) {
      yield* pool.withConnection(id)
      const [item] = held.all[0]!.state.items
      const { release } = item!
      item!.release = () => Effect.die("the loan ended")
      const first = yield* borrow(pool)
      const second = yield* Effect.forkScoped(pool.withConnection(id))
      yield* settle
      yield* first.giveBack
      yield* settle
      assert.isDefined(second.pollUnsafe())
      assert.deepStrictEqual([item!.refCount, held.numbers()], [1, numbers(1, 1)])
      item!.release = release
    }))

  it.effect("has surplus that was long idle at rest, and ends it idleTimeout after its last lease to the millisecond", () =>
    onPool({ ...three, minConnections: 1 }, function*({ events, held, listen, pool }) {
      yield* listen
      yield* openAll(pool, 3)
      assert.deepStrictEqual(held.numbers(), numbers(3, 3))
      yield* advance("50 minutes")
      assert.deepStrictEqual(held.numbers(), numbers(3, 1))
      assert.strictEqual((yield* pool.stats).idle, 3)
      yield* advance(10 * 60_000 - 1)
      assert.deepStrictEqual(held.numbers(), numbers(3, 1))
      yield* advance(1)
      assert.deepStrictEqual(held.numbers(), numbers(1, 1))
      assert.deepStrictEqual(only(events, "Retired").map(({ because }) => because), ["idle", "idle"])
    }))

  it.effect("gives back what rests when load returns, after it has proved itself", () =>
    onPool(three, function*({ fake, held, pool }) {
      yield* openAll(pool, 3)
      yield* advance("50 minutes")
      const before = (yield* pool.stats).counts.validated
      const borrowers = yield* borrowMany(pool, 3)
      assert.deepStrictEqual(held.numbers(), numbers(3, 3))
      assert.strictEqual((yield* pool.stats).counts.validated - before, 3)
      assert.strictEqual(fake.opened, 3)
      for (const { giveBack } of borrowers) yield* giveBack
      // Used just now, they are young again.
      yield* advance("50 minutes")
      assert.strictEqual((yield* pool.stats).idle, 3)
    }))

  it.effect("gives back what rests when the minimum rises or when another of the minimum ends", () =>
    onPool({ ...three, maxConnections: 4 }, function*({ fake, held, pool }) {
      yield* openAll(pool, 3)
      yield* advance("50 minutes")
      assert.deepStrictEqual(held.numbers(), numbers(3, 1))
      const warmest = (yield* pool.connections).find(({ id }) => id === 3)
      assert.strictEqual(yield* pool.retire(warmest!.id), true)
      yield* settle
      assert.deepStrictEqual(held.numbers(), numbers(2, 1))
      const warmUp = yield* Effect.forkScoped(pool.warmUp(4))
      yield* settle
      assert.isDefined(warmUp.pollUnsafe())
      assert.strictEqual(fake.opened, 5)
      assert.strictEqual(held.numbers().items, 4)
    }))

  it.effect("does not count a probe as a use: what rests is as old afterwards as before", () =>
    onPool({ ...three, healthCheck: "25 minutes" }, function*({ held, pool }) {
      yield* openAll(pool, 3)
      yield* advance("52 minutes")
      assert.isAbove((yield* pool.stats).counts.validated, 0)
      assert.deepStrictEqual(held.numbers(), numbers(3, 1))
      yield* advance("8 minutes")
      assert.deepStrictEqual([(yield* pool.stats).idle, held.numbers()], [1, numbers(1, 1)])
    }))

  it.effect("ends what rests at its lifetime, before its time to live", () =>
    onPool(
      { ...three, maxLifetime: "1 hour", maxLifetimeJitter: 0, minConnections: 0 },
      function*({ events, held, listen, pool }) {
        yield* listen
        yield* openAll(pool, 1)
        yield* advance("30 minutes")
        yield* pool.withConnection(id)
        yield* advance("29 minutes")
        assert.deepStrictEqual(held.numbers(), numbers(1, 0))
        yield* advance("1 minute")
        assert.deepStrictEqual(held.numbers(), numbers(0, 0))
        assert.deepStrictEqual(only(events, "Retired").map(({ because }) => because), ["lifetime"])
      }
    ))

  it.effect("ends a thousand that rest at once, and no fiber of it is left waiting", () =>
    onPool(
      { maxConnections: 1_000, idleTimeout: "10 minutes", connectRate: 100_000, healthCheck: "1 day" },
      function*({ fake, held, pool }) {
        yield* Effect.forEach(Array.from({ length: 1_000 }), () => pool.withConnection(() => Effect.sleep(10)), {
          concurrency: "unbounded"
        }).pipe(Effect.forkScoped)
        // Dials begin in portions.
        yield* settle
        yield* settle
        yield* advance("1 second")
        yield* advance("1 minute")
        yield* advance("1 minute")
        assert.deepStrictEqual(held.numbers(), numbers(1_000, 0))
        yield* advance("9 minutes")
        assert.deepStrictEqual([held.numbers(), fake.live], [numbers(0, 0), 0])
      }
    ))

  it.effect("is one for a pool", () =>
    onPool({}, function*({ held, pool }) {
      yield* pool.withConnection(id)
      assert.strictEqual(held.all.length, 1)
      assert.deepStrictEqual([held.all[0]!.config.minSize, held.all[0]!.config.maxSize], [0, 1])
    }))
})
