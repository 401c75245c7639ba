import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, PoolConfig, PoolKind, Traffic } from "@effect-pools/core"
import { Effect, Exit, Fiber, Random, Stream } from "effect"
import { advance, borrow, makePool, only, onPool, type Pool, reason, settle } from "./utils/bench.ts"

const run = (pool: Pool, options?: Traffic.TrafficOptions, millis = 0) =>
  Traffic.with(pool.withConnection(() => Effect.sleep(millis)), options ?? {})

/** The part of a hundred callers with keys of their own that are served. */
const servedOf = Effect.fnUntraced(function*(pool: Pool, priority: Traffic.Priority) {
  let served = 0
  for (let key = 0; key < 100; key++) {
    if (Exit.isSuccess(yield* Effect.exit(run(pool, { priority, fairKey: `key ${key}` })))) served++
  }
  return served
})

/** Asks for so many leases of two seconds in each of so many seconds. */
const load = (pool: Pool, priority: Traffic.Priority, callers: number, seconds: number) =>
  Effect.gen(function*() {
    for (let step = 0; step < seconds * callers; step++) {
      yield* Effect.forkScoped(Effect.exit(run(pool, { priority, fairKey: `${priority} ${step}` }, 2_000)))
      yield* advance(1_000 / callers)
    }
  })

const auto = {
  maxConnections: 2,
  minConnections: 1,
  acquireTimeout: 900,
  pendingLimit: 10_000,
  traffic: { degradation: "auto" }
} as const

describe("degradation", () => {
  it.effect("set by hand refuses low callers, at level 4 normal ones too, and never high ones", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      const served = () => Effect.all([servedOf(pool, "low"), servedOf(pool, "normal"), servedOf(pool, "high")])
      assert.deepStrictEqual(yield* served(), [100, 100, 100])
      for (const level of [1, 2, 3] as const) {
        yield* pool.degrade(level)
        const [low, normal, high] = yield* served()
        assert.isBelow(low, 15, `level ${level}`)
        assert.deepStrictEqual([normal, high], [100, 100], `level ${level}`)
      }
      yield* pool.degrade(4)
      const [low, normal, high] = yield* served()
      assert.isBelow(low, 15)
      assert.isBelow(normal, 15)
      assert.isAbove(normal, 0, "somebody must find out whether all is well again")
      assert.strictEqual(high, 100)
      yield* pool.degrade("auto")
      assert.deepStrictEqual(yield* served(), [100, 100, 100])
    }))

  it.effect("tells whom it refuses why, and when to come again", () =>
    onPool({}, function*({ pool }) {
      yield* pool.degrade(1)
      // One caller in twenty is let in: of two with keys of their own one at least is refused.
      const low = (fairKey: string) => run(pool, { priority: "low", fairKey })
      const isFirstIn = Exit.isSuccess(yield* Effect.exit(low("a")))
      const overloaded = yield* reason(low(isFirstIn ? "b" : "a"), "Overloaded")
      assert.deepInclude(overloaded, { _tag: "Overloaded", priority: "low", because: "degradation", level: 1 })
      assert.match(overloaded.message, /level 1 of degradation: 95 % of callers with low priority are refused/)
      assert.isTrue(overloaded.isRetryable)
    }))

  it.effect("is told by stats, by its changes and by an event", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      const seen: Array<Traffic.Level> = []
      yield* Effect.forkScoped(
        Stream.runForEach(pool.degradationChanges, (level) => Effect.sync(() => seen.push(level)))
      )
      yield* settle
      yield* pool.degrade(3)
      yield* settle
      yield* pool.degrade(3)
      yield* pool.degrade("auto")
      yield* settle
      assert.deepStrictEqual(seen, [0, 3, 0])
      assert.strictEqual(yield* pool.degradation, 0)
      assert.deepStrictEqual(
        only(events, "DegradationChanged").map(({ from, isManual, level }) => [from, level, isManual]),
        [[0, 3, true], [3, 0, false]]
      )
      yield* pool.degrade(2)
      const { traffic } = yield* pool.stats
      assert.deepInclude(traffic, { level: 2, refused: { high: 0, normal: 0, low: 0.95 } })
    }))

  it.effect("fails low callers that wait already when it rises", () =>
    onPool({}, function*({ pool }) {
      const holder = yield* borrow(pool)
      const waiting = yield* Effect.forEach(Array.from({ length: 20 }), (_, key) =>
        Effect.forkScoped(Effect.exit(run(pool, { priority: "low", fairKey: `key ${key}` }))))
      const normal = yield* Effect.forkScoped(Effect.exit(run(pool)))
      yield* settle
      yield* pool.degrade(1)
      yield* settle
      assert.isAbove(
        waiting.filter((fiber) =>
          fiber.pollUnsafe() !== undefined
        ).length,
        10
      )
      assert.isUndefined(normal.pollUnsafe())
      yield* holder.giveBack
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(normal)))
    }))

  it.effect("bounds the wait of normal callers from level 3 on, and not that of high ones", () =>
    onPool({ traffic: { degradedWait: "300 millis" } }, function*({ pool }) {
      const holder = yield* borrow(pool)
      yield* pool.degrade(3)
      const normal = yield* Effect.forkScoped(reason(run(pool), "AcquireTimeout"))
      const high = yield* Effect.forkScoped(Effect.exit(run(pool, { priority: "high" })))
      yield* settle
      yield* advance(299)
      assert.isUndefined(normal.pollUnsafe())
      yield* advance(1)
      assert.deepInclude(yield* Fiber.join(normal), { option: "traffic.degradedWait", waited: 300 })
      yield* advance("10 seconds")
      assert.isUndefined(high.pollUnsafe())
      yield* holder.giveBack
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(high)))
    }))

  it.effect("refuses nobody who holds a connection already, whatever the level, in a limit of its own either", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      yield* pool.degrade(1)
      const inLimit = Effect.forEach(
        Array.from({ length: 50 }),
        (_, key) => Effect.timeout(run(pool, { priority: "low", fairKey: `nested ${key}` }), "1 second")
      )
      const nested = Effect.andThen(
        Effect.forEach(Array.from({ length: 50 }), (_, key) => run(pool, { priority: "low", fairKey: `${key}` })),
        inLimit
      )
      const low = Array.from(
        { length: 50 },
        (_, key) => Traffic.with(Effect.exit(pool.withConnection(() => nested)), { priority: "low", fairKey: `${key}` })
      )
      const exits = yield* Effect.all(low)
      assert.isAbove(exits.filter(Exit.isSuccess).length, 0)
      const own = yield* Effect.exit(Traffic.high(pool.withConnection(() => nested)))
      assert.isTrue(Exit.isSuccess(own))
    }))

  it.effect("rises by itself while normal callers fail, no further than 3, and falls when they are served", () =>
    onPool(auto, function*({ pool }) {
      yield* load(pool, "normal", 5, 10)
      assert.strictEqual(yield* pool.degradation, 3)
      yield* advance("15 seconds")
      assert.strictEqual(yield* pool.degradation, 2)
      yield* advance("20 seconds")
      assert.strictEqual(yield* pool.degradation, 0)
    }))

  it.effect("rises to 4 for high callers that fail", () =>
    onPool(auto, function*({ pool }) {
      yield* load(pool, "high", 10, 8)
      assert.strictEqual(yield* pool.degradation, 4)
      yield* advance("4 minutes")
      assert.strictEqual(yield* pool.degradation, 0)
    }))

  it.effect("stays at 0 for low callers and callers whose own work fails, and by default for everybody", () =>
    Effect.gen(function*() {
      yield* onPool(auto, function*({ pool }) {
        yield* load(pool, "low", 5, 5)
        yield* advance("5 seconds")
        assert.strictEqual(yield* pool.degradation, 0)
        for (let count = 0; count < 50; count++) {
          yield* Effect.exit(pool.withConnection(() => Effect.fail("mine")))
          yield* advance(100)
        }
        assert.strictEqual(yield* pool.degradation, 0)
      })
      yield* onPool({ ...auto, traffic: {} }, function*({ pool }) {
        yield* load(pool, "high", 10, 4)
        yield* advance("5 seconds")
        assert.strictEqual(yield* pool.degradation, 0)
      })
    }))

  it.effect("set by hand stays until it is given back to the pool", () =>
    onPool(auto, function*({ pool }) {
      yield* pool.degrade(0)
      yield* load(pool, "high", 10, 4)
      assert.strictEqual(yield* pool.degradation, 0)
      yield* pool.degrade("auto")
      assert.isAbove(yield* pool.degradation, 0)
      yield* advance("5 minutes")
    }))

  it.effect("of a balanced pool is that of the upstream that is worst off, and is set for all", () =>
    Effect.gen(function*() {
      const a = yield* makePool({ name: "a" })
      const b = yield* makePool({ name: "b" })
      const pool = yield* BalancedPool.make([{ pool: a }, { pool: b }], { name: "both" })
      const seen: Array<Traffic.Level> = []
      yield* Effect.forkScoped(
        Stream.runForEach(pool.degradationChanges, (level) => Effect.sync(() => seen.push(level)))
      )
      yield* settle
      yield* b.degrade(2)
      yield* settle
      assert.strictEqual(yield* pool.degradation, 2)
      assert.strictEqual((yield* pool.stats).traffic.level, 2)
      yield* pool.degrade(3)
      yield* settle
      assert.deepStrictEqual([yield* a.degradation, yield* b.degradation], [3, 3])
      assert.deepStrictEqual(seen.filter((level, index) => level !== seen[index - 1]), [0, 2, 3])
    }).pipe(Effect.scoped))

  it.effect("refuses a level that does not exist, and options that make no sense, by their names", () =>
    onPool({}, function*({ pool }) {
      for (const level of [5, -1, 1.5, NaN, "high"]) {
        assert.deepInclude(yield* reason(pool.degrade(level as 1), "InvalidOption"), { option: "level" })
      }
      const options = [
        [{ degradation: "on" }, "traffic.degradation"],
        [{ degradedWait: 0 }, "traffic.degradedWait"],
        [{ retryBudget: 1.5 }, "traffic.retryBudget"],
        [{ retryBudget: NaN }, "traffic.retryBudget"]
      ] as const
      for (const [traffic, option] of options) {
        const made = PoolConfig.make(PoolKind.service, "pool", { traffic: traffic as never })
        assert.deepInclude((yield* Effect.flip(made)).reason, { _tag: "InvalidOption", option })
      }
    }))
})

describe("retries", () => {
  it.effect("are admitted for a part of the leases that end well, and ten at first", () =>
    onPool({ traffic: { retryBudget: 0.1 } }, function*({ pool }) {
      const retries = (count: number) =>
        Effect.map(
          Effect.forEach(Array.from({ length: count }), () =>
            Effect.exit(pool.withConnection(() =>
              Effect.fail("no")
            )).pipe(
              Effect.map((exit) => Exit.isFailure(exit) && !String(exit).includes("retries")),
              Traffic.with({ isRetry: true })
            )),
          (admitted) => admitted.filter((each) => each).length
        )
      assert.strictEqual(yield* retries(30), 10)
      for (let count = 0; count < 50; count++) yield* run(pool)
      assert.strictEqual(yield* retries(30), 5)
      const refused = yield* reason(run(pool, { isRetry: true }), "Overloaded")
      assert.deepInclude(refused, { because: "retries", isRetryable: false })
      assert.match(refused.message, /traffic\.retryBudget/)
      yield* run(pool)
    }))

  it.effect("that wait count too", () =>
    onPool({ traffic: { retryBudget: 0 } }, function*({ pool }) {
      const holder = yield* borrow(pool)
      assert.deepInclude(yield* reason(run(pool, { isRetry: true }), "Overloaded"), { because: "retries" })
      yield* holder.giveBack
    }))

  it.effect("are made by Traffic.retry when a pool gave no connection, twice as long apart each time", () =>
    onPool({ acquireTimeout: 50 }, function*({ pool }) {
      const holder = yield* borrow(pool)
      let asked = 0
      const asking = Effect.suspend(() => {
        asked++
        return run(pool)
      })
      const fiber = yield* Effect.forkScoped(
        Traffic.retry(asking, { times: 2, delay: 100 }).pipe(Effect.provideService(Random.Random, {
          nextIntUnsafe: () => 0,
          nextDoubleUnsafe: () => 1
        }))
      )
      yield* settle
      yield* advance(50 + 99)
      assert.strictEqual(asked, 1)
      yield* advance(1)
      assert.strictEqual(asked, 2)
      yield* advance(50 + 199)
      assert.strictEqual(asked, 2)
      yield* advance(1)
      assert.strictEqual(asked, 3)
      yield* holder.giveBack
      yield* settle
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
    }))

  it.effect("are not made for a caller's own failure, nor past its deadline", () =>
    onPool({ acquireTimeout: 50 }, function*({ pool }) {
      let asked = 0
      const own = Effect.suspend(() => {
        asked++
        return pool.withConnection(() => Effect.fail("mine"))
      })
      assert.strictEqual(yield* Effect.flip(Traffic.retry(own)), "mine")
      assert.strictEqual(asked, 1)
      const holder = yield* borrow(pool)
      const fiber = yield* Effect.forkScoped(
        Effect.flip(run(pool).pipe(Traffic.retry({ delay: "10 seconds" }), Traffic.with({ deadline: "1 second" })))
      )
      yield* settle
      yield* advance(50)
      assert.isDefined(fiber.pollUnsafe())
      yield* holder.giveBack
    }))
})
