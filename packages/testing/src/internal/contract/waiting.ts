import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Bench, borrow, eventuallyStats, queueUp, refusal } from "./bench.ts"

/** The queue: its order, its limits, and that a caller may leave it. */
export const waiting = <Lent, R>(bench: Bench<Lent, R>): void => {
  order(bench)
  refusals(bench)
  pausing(bench)
}

const order = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test("waiters are served in the order they came", { maxConnections: 1 }, (pool) =>
    Effect.gen(function*() {
      const first = yield* borrow(pool)
      const served: Array<number> = []
      const waiters = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        queueUp(pool, (connection) => Effect.andThen(use(connection), Effect.sync(() => served.push(n)))))
      yield* first.giveBack
      yield* Fiber.joinAll(waiters)
      assert.deepStrictEqual(served, [1, 2, 3, 4, 5])
      assert.strictEqual((yield* pool.stats).counts.opened, 1)
    }))

  test(
    "who gives a connection back and asks again goes behind those who wait",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const first = yield* borrow(pool)
        const served: Array<string> = []
        const waiter = yield* queueUp(pool, () => Effect.sync(() => served.push("waiter")))
        yield* first.giveBack
        yield* pool.withConnection(() => Effect.sync(() => served.push("again")))
        yield* Fiber.join(waiter)
        assert.deepStrictEqual(served, ["waiter", "again"])
      })
  )

  test("a cancelled waiter passes its turn to the next", { maxConnections: 1 }, (pool) =>
    Effect.gen(function*() {
      const first = yield* borrow(pool)
      const served: Array<number> = []
      const wait = (n: number) => queueUp(pool, () => Effect.sync(() => served.push(n)))
      const waiters = [yield* wait(1), yield* wait(2), yield* wait(3)] as const
      yield* Fiber.interrupt(waiters[0])
      assert.strictEqual((yield* pool.stats).pending, 2)
      yield* first.giveBack
      yield* Fiber.join(waiters[1])
      yield* Fiber.join(waiters[2])
      assert.deepStrictEqual(served, [2, 3])
      assert.strictEqual((yield* pool.stats).counts.interrupted, 1)
    }))

  test("the interruption of a caller does not stop the dial it caused", {}, (pool) =>
    Effect.gen(function*() {
      const caller = yield* Effect.forkChild(pool.withConnection(use), { startImmediately: true })
      yield* eventuallyStats(pool, "a dial has begun", ({ total }) => total > 0)
      yield* Fiber.interrupt(caller)
      yield* eventuallyStats(pool, "the connection is idle", ({ idle, used }) => idle === 1 && used === 0)
      yield* pool.withConnection(use)
    }))
}

const refusals = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test("a caller gives up at its acquireTimeout, and is told why", {
    maxConnections: 1,
    acquireTimeout: "300 millis",
    connectTimeout: "300 millis"
  }, (pool) =>
    Effect.gen(function*() {
      const holder = yield* borrow(pool, "the holder")
      const reason = yield* refusal(pool.withConnection(use), "AcquireTimeout")
      assert.strictEqual(reason.step, "waiting")
      assert.isAtLeast(reason.waited, 290)
      assert.isAtMost(reason.waited, 600)
      assert.strictEqual(reason.stats.used, 1)
      assert.deepStrictEqual(reason.holders.map(({ label }) => label), ["the holder"])
      assert.include(reason.message, "the holder")
      yield* holder.giveBack
      yield* pool.withConnection(use)
      const { counts, pending } = yield* pool.stats
      assert.deepStrictEqual({ pending, timedOut: counts.timedOut }, { pending: 0, timedOut: 1 })
    }))

  test(
    "a caller beyond pendingLimit is refused at once",
    { maxConnections: 1, pendingLimit: 1 },
    (pool) =>
      Effect.gen(function*() {
        const holder = yield* borrow(pool)
        const waiter = yield* queueUp(pool, use)
        const reason = yield* refusal(pool.withConnection(use), "QueueFull")
        assert.deepStrictEqual([reason.pending, reason.pendingLimit], [1, 1])
        yield* holder.giveBack
        yield* Fiber.join(waiter)
        assert.strictEqual((yield* pool.stats).counts.refused, 1)
      })
  )

  test(
    "pendingLimit 0 lets nobody wait for another's connection",
    { maxConnections: 1, pendingLimit: 0 },
    (pool) =>
      Effect.gen(function*() {
        const holder = yield* borrow(pool)
        yield* refusal(pool.withConnection(use), "QueueFull")
        yield* holder.giveBack
        yield* pool.withConnection(use)
      })
  )
}

const pausing = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test("a paused pool does not lend what is idle", {}, (pool) =>
    Effect.gen(function*() {
      yield* pool.warmUp(1)
      yield* pool.pause
      yield* refusal(pool.withConnection(use), "PoolPaused")
      yield* refusal(Effect.scoped(pool.acquire), "PoolPaused")
      yield* pool.resume
      yield* pool.withConnection(use)
    }))

  test(
    "a paused pool refuses newcomers and lends nothing until it is resumed",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const holder = yield* borrow(pool)
        const waiter = yield* queueUp(pool, use)
        yield* pool.pause
        assert.strictEqual((yield* pool.stats).state, "paused")
        yield* refusal(pool.withConnection(use), "PoolPaused")
        yield* use(holder.connection)
        yield* holder.giveBack
        yield* Effect.sleep(30)
        assert.strictEqual((yield* pool.stats).pending, 1)
        yield* pool.resume
        assert(Exit.isSuccess(yield* Fiber.await(waiter)))
        assert.strictEqual((yield* pool.stats).state, "open")
        yield* pool.withConnection(use)
      })
  )
}
