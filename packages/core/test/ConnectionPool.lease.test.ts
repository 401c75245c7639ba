import { PoolError } from "@effect-pools/core"
import type { FakeConnection } from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { advance, borrow, borrowMany, call, callMany, defectOf, id, onPool, reason, settle } from "./utils/bench.ts"

describe("ConnectionPool: a lease", () => {
  it.effect("gives the effect a connection and its result to the caller", () =>
    onPool({}, function*({ fake, pool }) {
      const result = yield* pool.withConnection((connection) => Effect.as(fake.use(connection), connection.id))
      assert.strictEqual(result, 1)
      const { idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used], [1, 0])
    }))

  it.effect("a thousand leases one after the other need one connection", () =>
    onPool({ maxConnections: 5 }, function*({ fake, pool }) {
      yield* Effect.repeat(pool.withConnection((connection) => fake.use(connection)), { times: 999 })
      assert.strictEqual(fake.dialled, 1)
      assert.strictEqual((yield* pool.stats).counts.ended.success, 1000)
    }))

  it.effect("each run of the same effect is a lease of its own, also of runs at once and of one that waited", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      const lease = pool.withConnection((connection) => Effect.as(Effect.sleep("1 second"), connection.id))
      const all = yield* Effect.forkScoped(Effect.all(Array<typeof lease>(4).fill(lease), { concurrency: "unbounded" }))
      yield* settle
      assert.deepStrictEqual([(yield* pool.stats).used, (yield* pool.stats).pending], [2, 2])
      yield* advance("2 seconds")
      assert.deepStrictEqual((yield* Fiber.join(all)).toSorted(), [1, 1, 2, 2])
      assert.strictEqual((yield* pool.stats).counts.ended.success, 4)
    }))

  it.effect("no connection has two borrowers, and never are there more than maxConnections", () =>
    onPool({ maxConnections: 5 }, function*({ fake, pool }) {
      // `use` dies when two use a connection at once, and the bench checks the peak.
      const lease = (index: number) =>
        pool.withConnection((connection) =>
          Effect.andThen(
            fake.use(connection, Effect.sleep(1 + index % 7)),
            index % 10 === 0 ? pool.invalidate(connection) : Effect.void
          )
        )
      const all = yield* Effect.forkScoped(
        Effect.forEach(Array.from({ length: 500 }, (_, index) => index), lease, { concurrency: 100, discard: true })
      )
      yield* settle
      yield* advance("10 seconds")
      yield* Fiber.join(all)
      assert.strictEqual(fake.peak, 5)
      assert.isAtLeast(fake.dialled, 50)
    }))

  it.effect("opens no more connections than callers want at once", () =>
    onPool({ maxConnections: 10 }, function*({ fake, pool }) {
      yield* borrowMany(pool, 3)
      assert.strictEqual(fake.dialled, 3)
      assert.strictEqual((yield* pool.stats).total, 3)
    }))

  it.effect("the connection that came back last is lent first", () =>
    onPool({ maxConnections: 3 }, function*({ pool }) {
      const [first, second, third] = yield* borrowMany(pool, 3)
      yield* third!.giveBack
      yield* first!.giveBack
      yield* second!.giveBack
      assert.strictEqual(yield* pool.withConnection(id), second!.connection.id)
      yield* borrow(pool)
      assert.strictEqual(yield* pool.withConnection(id), first!.connection.id)
    }))

  it.effect("a failure is the caller's own and the connection is back before it is seen", () =>
    onPool({}, function*({ fake, pool }) {
      const error = yield* Effect.flip(pool.withConnection(() => Effect.fail("mine" as const)))
      assert.strictEqual(error, "mine")
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.ended.failure], [1, 1])
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(fake.dialled, 1)
    }))

  it.effect("a defect is the caller's own and the connection is back before it is seen", () =>
    onPool({}, function*({ pool }) {
      const exit = yield* Effect.exit(pool.withConnection(() => Effect.die("bug")))
      assert.strictEqual(defectOf(exit), "bug")
      const { counts, idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, counts.ended.defect], [1, 0, 1])
    }))

  it.effect("a function that throws is a defect of its caller and the connection is back", () =>
    onPool({}, function*({ pool }) {
      const exit = yield* Effect.exit(pool.withConnection((): Effect.Effect<void> => {
        throw new Error("thrown")
      }))
      assert.strictEqual((defectOf(exit) as Error).message, "thrown")
      const { idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used], [1, 0])
    }))

  it.effect("an interrupted lease gives its connection back before the interruption completes", () =>
    onPool({}, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* borrower.interrupt
      const { counts, idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, counts.ended.interrupt], [1, 0, 1])
    }))

  it.effect("an interrupted lease loses its connection when the connector can't reset one", () =>
    onPool({ backend: { reset: false } }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* borrower.interrupt
      yield* settle
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.retired.broken], [0, 1])
      assert.strictEqual(yield* pool.withConnection(id), 2)
    }))

  it.effect("a connection is reset after each lease, also after one that failed", () =>
    onPool({}, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      yield* Effect.exit(pool.withConnection(() => Effect.fail("mine")))
      yield* Effect.exit(pool.withConnection(() => Effect.die("bug")))
      assert.strictEqual(gates.calls("reset"), 3)
    }))

  it.effect("the next borrower waits until the connection is reset", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("reset", "slow", "ok")
      const first = yield* borrow(pool)
      const ending = yield* Effect.forkScoped(first.giveBack)
      yield* settle
      const next = yield* call(pool)
      assert.strictEqual((yield* pool.stats).checking, 1)
      assert.isUndefined(next.exit())
      gates.open("reset")
      yield* Fiber.join(ending)
      assert.strictEqual(yield* Fiber.join(next.fiber), first.connection.id)
    }))

  for (const behaviour of ["fail", "defect", "interrupt", "never", "stuck"] as const) {
    it.effect(`a reset that does "${behaviour}" costs the connection and nobody else`, () =>
      onPool({ resetTimeout: "3 seconds", maxConnections: 2 }, function*({ gates, listen, events, pool }) {
        yield* listen
        gates.set("reset", behaviour, "ok")
        const lease = yield* call(pool)
        // Nobody waits for it but its own borrower.
        assert.strictEqual(yield* pool.withConnection(id), 2)
        yield* advance("3 seconds")
        assert.strictEqual(yield* Fiber.join(lease.fiber), 1)
        yield* settle
        const { counts } = yield* pool.stats
        assert.deepStrictEqual([counts.failedToReset, counts.retired.broken], [1, 1])
        assert.strictEqual(events.filter((event) => event._tag === "ResetFailed").length, 1)
      }))
  }

  it.effect("a connector that says a connection is broken has it retired when it comes back", () =>
    onPool({}, function*({ fake, gates, pool }) {
      yield* pool.withConnection((connection) => Effect.sync(() => fake.cutSilently(connection)))
      yield* settle
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.retired.broken, gates.calls("reset")], [0, 1, 0])
    }))

  it.effect("a connection that broke while it was lent is not handed on", () =>
    onPool({}, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      const next = yield* call(pool)
      fake.break(borrower.connection)
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(next.fiber), 2)
    }))

  it.effect("a connection that broke while it was lent is not replaced when nobody wants one", () =>
    onPool({}, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      fake.break(borrower.connection)
      yield* borrower.giveBack
      yield* settle
      assert.deepStrictEqual([fake.dialled, (yield* pool.stats).total], [1, 0])
    }))

  it.effect("callers are served first come first served, and a newcomer never overtakes", () =>
    onPool({}, function*({ pool }) {
      const order: Array<number> = []
      const enqueue = (index: number) =>
        Effect.andThen(
          Effect.forkScoped(pool.withConnection(() => Effect.sync(() => order.push(index)))),
          settle
        )
      const borrower = yield* borrow(pool)
      for (let index = 0; index < 100; index++) yield* enqueue(index)
      yield* borrower.giveBack
      // It asks while the first in line has its connection and the others wait.
      yield* pool.withConnection(() => Effect.sync(() => order.push(100)))
      assert.deepStrictEqual(order, Array.from({ length: 101 }, (_, index) => index))
    }))

  it.effect("three connections that come back together serve three waiters", () =>
    onPool({ maxConnections: 3 }, function*({ pool }) {
      const borrowers = yield* borrowMany(pool, 3)
      const waiters = yield* callMany(pool, 3)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack, { concurrency: "unbounded" })
      yield* settle
      assert(waiters.every(({ exit }) => exit() !== undefined && Exit.isSuccess(exit()!)))
    }))

  it.effect("a borrower that asks again within its lease is told that it may wait for itself", () =>
    onPool({ acquireTimeout: "5 seconds" }, function*({ pool }) {
      const nested = yield* Effect.forkScoped(
        pool.withConnection(() => Effect.flip(pool.withConnection(id)), { label: "outer" })
      )
      yield* settle
      yield* advance("5 seconds")
      const error = yield* Fiber.join(nested)
      assert(error.reason._tag === "AcquireTimeout")
      assert.isTrue(error.reason.holdsAlready)
      assert.include(error.message, "this fiber holds a connection of the pool already and may wait for itself")
    }))

  it.effect("a caller that holds nothing is not told that it waits for itself", () =>
    onPool({ acquireTimeout: "5 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      yield* advance("5 seconds")
      const timeout = yield* reason(Fiber.join(waiter.fiber), "AcquireTimeout")
      assert.isFalse(timeout.holdsAlready)
    }))
})

describe("ConnectionPool: get", () => {
  it.effect("lends a connection until the scope closes", () =>
    onPool({}, function*({ fake, pool }) {
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* pool.acquire
        yield* fake.use(connection)
        assert.strictEqual((yield* pool.stats).used, 1)
      }))
      const { counts, idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, counts.ended.success], [1, 0, 1])
    }))

  it.effect("ends the lease the way its scope ends", () =>
    onPool({}, function*({ pool }) {
      yield* Effect.exit(Effect.scoped(Effect.andThen(pool.acquire, Effect.fail("mine"))))
      yield* Effect.exit(Effect.scoped(Effect.andThen(pool.acquire, Effect.die("bug"))))
      const { counts } = yield* pool.stats
      assert.deepStrictEqual(counts.ended, { success: 0, failure: 1, defect: 1, interrupt: 0 })
    }))

  it.effect("in a scope that is closed already gives the connection back at once", () =>
    onPool({}, function*({ pool }) {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Scope.provide(pool.acquire, scope)
      const { idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used], [1, 0])
    }))

  it.effect("races and timeouts around it leave nothing lent", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      const race = Effect.scoped(Effect.raceFirst(Effect.andThen(pool.acquire, Effect.sleep(1)), Effect.yieldNow))
      const timeout = Effect.scoped(Effect.timeoutOption(Effect.andThen(pool.acquire, Effect.sleep(5)), 3))
      const all = yield* Effect.forkScoped(
        Effect.all(Array.from({ length: 500 }, (_, index) => index % 2 === 0 ? race : timeout), {
          concurrency: 20,
          discard: true
        })
      )
      yield* settle
      yield* advance("10 seconds")
      yield* Fiber.join(all)
      yield* settle
      const { pending, used } = yield* pool.stats
      assert.deepStrictEqual([pending, used], [0, 0])
    }))

  it.effect("an interruption while it waits takes nothing from the pool", () =>
    onPool({}, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const scope = yield* Scope.make()
      const waiter = yield* Effect.forkScoped(Scope.provide(pool.acquire, scope))
      yield* settle
      yield* Fiber.interrupt(waiter)
      yield* borrower.giveBack
      const { counts, idle, pending, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, pending, counts.interrupted], [1, 0, 0, 1])
    }))
})

describe("ConnectionPool: misuse and retirement", () => {
  it.effect("a connection used after its lease is a defect", () =>
    onPool({ backend: { lends: true } }, function*({ fake, pool }) {
      const kept = yield* pool.withConnection((connection) => Effect.succeed(connection))
      const defect = defectOf(yield* Effect.exit(fake.use(kept)))
      assert.include(String(defect), "used after its lease")
      // The next borrower of the same connection has a view of its own.
      yield* pool.withConnection((connection) => fake.use(connection))
    }))

  it.effect("an invalidated connection is retired when it comes back, and not before", () =>
    onPool({}, function*({ fake, pool }) {
      yield* pool.withConnection((connection) =>
        Effect.gen(function*() {
          yield* pool.invalidate(connection)
          yield* pool.invalidate(connection)
          yield* fake.use(connection)
        })
      )
      yield* settle
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.retired.invalidated], [0, 1])
      assert.strictEqual(yield* pool.withConnection(id), 2)
    }))

  it.effect("to invalidate what one does not hold is a defect and changes nothing", () =>
    onPool({}, function*({ pool }) {
      const kept = yield* pool.withConnection((connection) => Effect.succeed(connection))
      const foreign: FakeConnection = { id: 1, isOpen: true, isBroken: false, isBusy: false, isRevoked: false, uses: 0 }
      for (const connection of [kept, foreign]) {
        const defect = defectOf(yield* Effect.exit(pool.invalidate(connection)))
        assert.instanceOf(defect, PoolError.PoolMisuse)
        assert.include(String(defect), "invalidate takes a connection of this pool during its lease")
      }
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.retired.invalidated], [1, 0])
    }))

  it.effect("retire by id takes an idle connection now", () =>
    onPool({}, function*({ pool }) {
      yield* pool.withConnection(id)
      assert.isTrue(yield* pool.retire(1))
      yield* settle
      const { counts, total } = yield* pool.stats
      assert.deepStrictEqual([total, counts.retired.invalidated], [0, 1])
      assert.isFalse(yield* pool.retire(1))
      assert.isFalse(yield* pool.retire(99))
    }))

  it.effect("retire by id takes a lent connection when it comes back", () =>
    onPool({}, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      assert.isTrue(yield* pool.retire(1))
      yield* settle
      yield* fake.use(borrower.connection)
      yield* borrower.giveBack
      yield* settle
      assert.strictEqual((yield* pool.stats).total, 0)
    }))

  it.effect("retire by id takes a connection that is being opened once it is open", () =>
    onPool({}, function*({ gates, pool }) {
      gates.set("connect", "slow", "ok")
      const caller = yield* call(pool)
      assert.isTrue(yield* pool.retire(1))
      gates.open("connect")
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("a lease that ends late, after its connection was taken away, ends once and frees nothing twice", () =>
    onPool({ leakTimeout: "1 second", reclaimTimeout: "2 seconds" }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      yield* advance("2 seconds")
      const second = yield* borrow(pool)
      assert.strictEqual(second.connection.id, 2)
      yield* borrower.giveBack
      const { counts, total, used } = yield* pool.stats
      assert.deepStrictEqual([total, used, counts.ended.success, counts.retired.invalidated], [1, 1, 1, 1])
    }))

  it.effect("a scope that is closed twice ends its lease once", () =>
    onPool({}, function*({ pool }) {
      const scope = yield* Scope.make()
      yield* Scope.provide(pool.acquire, scope)
      yield* Scope.close(scope, Exit.void)
      yield* Scope.close(scope, Exit.void)
      const { counts, idle, total, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used, total, counts.ended.success], [1, 0, 1, 1])
    }))

  it.effect("what a connector throws when it lends is a defect of the borrower, and the connection is not lost", () =>
    onPool({}, function*({ gates, pool }) {
      // A step that the bench's connector lacks, added for this test alone.
      Object.assign(gates.connector, {
        lend: () => {
          throw new Error("no view")
        }
      })
      const exit = yield* Effect.exit(pool.withConnection(id))
      assert.include(String(defectOf(exit)), "no view")
      const { idle, used } = yield* pool.stats
      assert.deepStrictEqual([idle, used], [1, 0])
    }))

  it.effect("an interruption at any point of a lease leaves the numbers right", () =>
    onPool({ maxConnections: 3 }, function*({ fake, pool }) {
      const ends: Array<Deferred.Deferred<void>> = []
      for (let steps = 0; steps < 200; steps++) {
        const end = yield* Deferred.make<void>()
        ends.push(end)
        const fiber = yield* Effect.forkScoped(
          pool.withConnection((connection) => fake.use(connection, Effect.yieldNow)).pipe(
            Effect.ensuring(Deferred.succeed(end, undefined))
          )
        )
        for (let turn = 0; turn < steps % 8; turn++) yield* Effect.yieldNow
        const exit = yield* Fiber.interrupt(fiber).pipe(Effect.andThen(Fiber.await(fiber)))
        assert(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause))
        assert.deepStrictEqual([(yield* pool.stats).used, (yield* pool.stats).pending], [0, 0])
      }
      yield* settle
      const { checking, closing, idle, opening, total } = yield* pool.stats
      assert.strictEqual(total, idle + opening + checking + closing)
    }))
})
