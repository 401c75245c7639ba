import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Bench, borrow, eventuallyStats } from "./bench.ts"

/** Leases: what is lent, to how many, and that each lease ends. */
export const leasing = <Lent, R>(bench: Bench<Lent, R>): void => {
  reuse(bench)
  limits(bench)
  ends(bench)
}

const reuse = <Lent, R>({ subject: { revokes, use }, test }: Bench<Lent, R>): void => {
  test("a connection that came back is lent again", {}, (pool) =>
    Effect.gen(function*() {
      const ids = yield* Effect.replicateEffect(pool.withConnection(use), 5)
      assert.strictEqual(new Set(ids).size, 1)
      const { counts } = yield* pool.stats
      assert.strictEqual(counts.opened, 1)
      assert.strictEqual(counts.acquiredAtOnce + counts.acquiredAfterWaiting, 5)
      assert.strictEqual(counts.ended.success, 5)
    }))

  test(
    "a connection that must prove itself before every lease is lent",
    { freshnessWindow: 0 },
    (pool) =>
      Effect.gen(function*() {
        const ids = yield* Effect.replicateEffect(pool.withConnection(use), 3)
        assert.strictEqual(new Set(ids).size, 1)
      })
  )

  test("nothing is opened before somebody asks when minConnections is 0", {}, (pool) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* pool.stats).total, 0)
      yield* pool.withConnection(use)
      assert.strictEqual((yield* pool.stats).total, 1)
    }))

  test("get lends until the scope closes", {}, (pool) =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* use(yield* pool.acquire)
        assert.strictEqual((yield* pool.stats).used, 1)
      }))
      assert.strictEqual((yield* pool.stats).used, 0)
      assert.strictEqual((yield* pool.stats).counts.ended.success, 1)
    }))

  if (revokes !== true) return
  test("the use of a connection after its lease is a defect", {}, (pool) =>
    Effect.gen(function*() {
      const kept = yield* pool.withConnection(Effect.succeed)
      const exit = yield* Effect.exit(use(kept))
      assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause), "the use after the lease did not die")
      yield* pool.withConnection(use)
    }))
}

const limits = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "never more than maxConnections are open, and none is lent twice",
    { maxConnections: 3 },
    (pool) =>
      Effect.gen(function*() {
        const lent = new Set<unknown>()
        const lease = pool.withConnection((connection) =>
          Effect.gen(function*() {
            const id = yield* use(connection)
            assert(!lent.has(id), "lent to two borrowers at once")
            lent.add(id)
            const { total, used } = yield* pool.stats
            assert.isAtMost(total, 3)
            assert.isAtMost(used, 3)
            yield* Effect.sleep(1)
            yield* use(connection)
            lent.delete(id)
          })
        )
        yield* Effect.all(Array.from({ length: 30 }, () => lease), { concurrency: "unbounded" })
        assert.isAtMost((yield* pool.stats).counts.opened, 3)
      })
  )

  test("minConnections are open when the pool is ready", { minConnections: 2 }, (pool) =>
    Effect.gen(function*() {
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual({ idle, opened: counts.opened }, { idle: 2, opened: 2 })
    }))

  test(
    "warmUp opens as many as asked for, and no more than the limit",
    { maxConnections: 3 },
    (pool) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* pool.warmUp(2), 2)
        assert.strictEqual((yield* pool.stats).idle, 2)
        assert.strictEqual(yield* pool.warmUp(2), 2)
        assert.strictEqual(yield* pool.warmUp(100), 3)
        assert.strictEqual((yield* pool.stats).counts.opened, 3)
      })
  )

  test("a lower limit retires idle connections now", { maxConnections: 3 }, (pool) =>
    Effect.gen(function*() {
      yield* pool.warmUp(3)
      yield* pool.setLimit(1)
      yield* eventuallyStats(pool, "one connection is left", ({ total }) => total === 1)
      assert.strictEqual((yield* pool.stats).limit, 1)
      yield* pool.withConnection(use)
      yield* pool.setLimit(3)
      assert.strictEqual(yield* pool.warmUp(3), 3)
    }))
}

const ends = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  const isFree = Effect.fnUntraced(function*(pool: Parameters<Parameters<typeof test>[2]>[0]) {
    assert.strictEqual((yield* pool.stats).used, 0)
    yield* pool.withConnection(use)
  })

  test("a lease ends with the success of its effect", { maxConnections: 1 }, (pool) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* pool.withConnection(() => Effect.succeed("result")), "result")
      yield* isFree(pool)
    }))

  test(
    "a lease ends with the failure of its effect, which passes through untouched",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const failure = { my: "failure" }
        assert.strictEqual(yield* Effect.flip(pool.withConnection(() => Effect.fail(failure))), failure)
        assert.strictEqual((yield* pool.stats).counts.ended.failure, 1)
        yield* isFree(pool)
      })
  )

  test(
    "a lease ends with the defect of its effect, thrown or died with",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const defect = new Error("my defect")
        const thrown = (): Effect.Effect<void> => {
          throw defect
        }
        for (const f of [() => Effect.die(defect), thrown]) {
          const exit = yield* Effect.exit(pool.withConnection(f))
          assert(Exit.isFailure(exit))
          assert.strictEqual(Cause.squash(exit.cause), defect)
        }
        assert.strictEqual((yield* pool.stats).counts.ended.defect, 2)
        yield* isFree(pool)
      })
  )

  test("a lease ends with the interruption of its effect", { maxConnections: 1 }, (pool) =>
    Effect.gen(function*() {
      const borrower = yield* borrow(pool)
      yield* Fiber.interrupt(borrower.fiber)
      assert.strictEqual((yield* pool.stats).counts.ended.interrupt, 1)
      yield* isFree(pool)
    }))

  test(
    "a lease that is interrupted in the middle of a use leaves nothing behind",
    { maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        for (let round = 0; round < 10; round++) {
          const busy = yield* Effect.forkChild(pool.withConnection((connection) => Effect.forever(use(connection))))
          yield* eventuallyStats(pool, "the connection is used", ({ used }) => used === 1)
          yield* Fiber.interrupt(busy)
          yield* isFree(pool)
        }
      })
  )

  test(
    "callers interrupted at any moment leave no lease and no waiter behind",
    { maxConnections: 3 },
    (pool) =>
      Effect.gen(function*() {
        const lease = pool.withConnection((connection) => Effect.andThen(use(connection), Effect.sleep(1)))
        const fibers = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.forkChild(lease))
        for (const [index, fiber] of fibers.entries()) {
          if (index % 3 !== 0) yield* Fiber.interrupt(fiber)
          if (index % 7 === 0) yield* Effect.sleep(1)
        }
        yield* Fiber.awaitAll(fibers)
        const { pending, used } = yield* pool.stats
        assert.deepStrictEqual({ pending, used }, { pending: 0, used: 0 })
        yield* isFree(pool)
      })
  )
}
