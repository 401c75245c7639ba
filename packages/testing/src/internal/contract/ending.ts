import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Bench, borrow, eventuallyStats, queueUp, refusal } from "./bench.ts"

/** The end of a pool: in bounded time, and told. */
export const ending = <Lent, R>(bench: Bench<Lent, R>): void => {
  draining(bench)
  outOfTime(bench)
  together(bench)
}

const draining = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "a drain refuses newcomers, serves the queue and waits for borrowers",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const holder = yield* borrow(pool)
        const waiters = [yield* queueUp(pool, use), yield* queueUp(pool, use)]
        const drain = yield* Effect.forkScoped(pool.drain)
        yield* eventuallyStats(pool, "the pool is draining", ({ state }) => state === "draining")
        yield* refusal(pool.withConnection(use), "PoolClosed")
        yield* use(holder.connection)
        yield* holder.giveBack
        yield* Fiber.joinAll(waiters)
        const report = yield* Fiber.join(drain)
        const { abandoned, closed, closesTimedOut, refused, served } = report
        assert.deepStrictEqual({ abandoned, closed, closesTimedOut, refused, served }, {
          abandoned: [],
          closed: 1,
          closesTimedOut: 0,
          refused: 0,
          served: 2
        })
        assert.isAtLeast(report.returned, 1)
        assert.deepStrictEqual(yield* pool.drain, report, "a second drain gives the same report")
      })
  )

  test("a drained pool refuses callers with PoolClosed", {}, (pool) =>
    Effect.gen(function*() {
      yield* pool.withConnection(use)
      yield* pool.drain
      yield* refusal(pool.withConnection(use), "PoolClosed")
      yield* refusal(Effect.scoped(pool.acquire), "PoolClosed")
      yield* refusal(pool.warmUp(1), "PoolClosed")
      const { state, total } = yield* pool.stats
      assert.deepStrictEqual({ state, total }, { state: "closed", total: 0 })
      assert.deepStrictEqual(yield* pool.connections, [])
    }))

  test("a pool that was never used drains", {}, (pool) =>
    Effect.gen(function*() {
      const { closed, took } = yield* pool.drain
      assert.strictEqual(closed, 0)
      assert.isBelow(took, 500)
    }))
}

const outOfTime = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  const stubborn = { maxConnections: 1, drainTimeout: "100 millis" } as const

  test("a drain ends at drainTimeout and names who held on", stubborn, (pool) =>
    Effect.gen(function*() {
      const holder = yield* borrow(pool, "the holder")
      const waiter = yield* queueUp(pool, use)
      const report = yield* pool.drain
      assert.isAtLeast(report.took, 90)
      assert.isBelow(report.took, 1500)
      assert.deepStrictEqual(report.abandoned.map(({ label }) => label), ["the holder"])
      assert.strictEqual(report.refused, 1)
      assert.strictEqual((yield* refusal(Fiber.join(waiter), "PoolClosed"))._tag, "PoolClosed")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(use(holder.connection))), "its connection is closed under it")
      yield* holder.giveBack
    }))

  test("the interruption of who called drain does not stop it", stubborn, (pool) =>
    Effect.gen(function*() {
      const holder = yield* borrow(pool)
      const drain = yield* Effect.forkChild(pool.drain)
      yield* eventuallyStats(pool, "the pool is draining", ({ state }) => state === "draining")
      yield* Fiber.interrupt(drain)
      yield* eventuallyStats(pool, "the pool is closed", ({ state }) => state === "closed")
      yield* holder.giveBack
    }))
}

const together = <Lent, R>({ subject, test }: Bench<Lent, R>): void => {
  test("two pools do not touch each other", { name: "one" }, (one) =>
    Effect.gen(function*() {
      const other = yield* subject.make({ name: "other", minConnections: 0, maxConnections: 1 })
      yield* one.withConnection(subject.use)
      const borrower = yield* borrow(other)
      assert.deepStrictEqual([one.name, other.name], ["one", "other"])
      assert.deepStrictEqual([(yield* one.stats).used, (yield* other.stats).used], [0, 1])
      yield* one.drain
      yield* subject.use(borrower.connection)
      yield* borrower.giveBack
      yield* other.withConnection(subject.use)
    }))
}
