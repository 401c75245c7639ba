import { assert, describe, it } from "@effect/vitest"
import { FakeConnector } from "@effect-pools/testing"
import { BalancedPool, ConnectionPool, PoolConfig, PoolError, PoolKind, Traffic } from "@effect-pools/core"
import { Cause, Effect, Exit, Fiber } from "effect"
import { advance, borrow, defectOf, makePool, onPool, type Pool, settle } from "./utils/bench.ts"

/** A caller that holds what it gets for so many milliseconds and writes its name down when it gets it. */
const caller = (
  pool: Pool,
  served: Array<string>,
  name: string,
  { millis = 0, ...options }: Traffic.TrafficOptions & { readonly millis?: number } = {}
) =>
  Effect.forkScoped(
    Traffic.with(
      pool.withConnection(() => Effect.andThen(Effect.sync(() => void served.push(name)), Effect.sleep(millis))),
      options
    )
  ).pipe(Effect.tap(() => settle))

const refused = (exit: Exit.Exit<unknown, unknown>): PoolError.PoolErrorReason | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  return error instanceof PoolError.PoolError ? error.reason : undefined
}

describe("Traffic", () => {
  it.effect("a high caller goes before those that came earlier, and a low one behind", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const first = yield* borrow(pool)
      yield* caller(pool, served, "low", { priority: "low" })
      yield* caller(pool, served, "normal")
      yield* caller(pool, served, "high", { priority: "high" })
      yield* first.giveBack
      yield* settle
      yield* advance(10)
      assert.deepStrictEqual(served, ["high", "normal", "low"])
    }))

  it.effect("those who waited before anybody spoke keep their turn", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const first = yield* borrow(pool)
      yield* caller(pool, served, "a")
      yield* caller(pool, served, "b")
      yield* caller(pool, served, "c", { fairKey: "c" })
      yield* caller(pool, served, "d")
      yield* first.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served.filter((name) => name !== "c"), ["a", "b", "d"])
      assert.strictEqual(served.length, 4)
    }))

  it.effect("a low caller that has waited longer than its slack goes before a high one", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const first = yield* borrow(pool)
      yield* caller(pool, served, "low", { priority: "low" })
      yield* advance("5001 millis")
      yield* caller(pool, served, "high", { priority: "high" })
      yield* first.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served, ["low", "high"])
    }))

  it.effect("what is said around an effect holds for the fibers it starts, and a lease of its own may say otherwise", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const first = yield* borrow(pool)
      yield* caller(pool, served, "normal")
      const lease = (name: string, options?: ConnectionPool.LeaseOptions) =>
        pool.withConnection(() => Effect.sync(() => void served.push(name)), options)
      yield* Effect.forkScoped(
        Traffic.high(Effect.all([lease("inherited"), lease("own", { priority: "low" })], { concurrency: 2 }))
      )
      yield* settle
      yield* first.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served, ["inherited", "normal", "own"])
    }))

  it.effect("callers of one key share with those of another by time, whatever their number", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      for (let count = 0; count < 20; count++) yield* caller(pool, served, "many", { fairKey: "many", millis: 10 })
      for (let count = 0; count < 3; count++) yield* caller(pool, served, "few", { fairKey: "few", millis: 10 })
      for (let step = 0; step < 8; step++) yield* advance(10)
      assert.strictEqual(served.filter((name) => name === "few").length, 3)
      for (let step = 0; step < 20; step++) yield* advance(10)
      assert.strictEqual(served.length, 23)
    }))

  it.effect("a key never holds more than maxShare, even while connections idle", () =>
    onPool({ maxConnections: 4, minConnections: 4, traffic: { maxShare: 0.5 } }, function*({ pool }) {
      yield* settle
      const served: Array<string> = []
      for (let count = 0; count < 4; count++) yield* caller(pool, served, "many", { fairKey: "many", millis: 100 })
      assert.strictEqual((yield* pool.stats).used, 2)
      assert.strictEqual((yield* pool.stats).idle, 2)
      yield* caller(pool, served, "other", { fairKey: "other", millis: 100 })
      assert.strictEqual((yield* pool.stats).used, 3)
      yield* advance(100)
      yield* advance(100)
      assert.strictEqual(served.length, 5)
    }))

  it.effect("the end of a lease serves a caller of its key and one of its priority, as far as connections idle", () =>
    onPool(
      { maxConnections: 4, minConnections: 4, traffic: { maxShare: 0.25, share: { low: 0.25 } } },
      function*({ pool }) {
        yield* settle
        const served: Array<string> = []
        yield* caller(pool, served, "first", { fairKey: "a", priority: "low", millis: 100 })
        yield* caller(pool, served, "of its priority", { fairKey: "b", priority: "low", millis: 100 })
        yield* caller(pool, served, "of its key", { fairKey: "a", millis: 100 })
        assert.deepStrictEqual(served, ["first"])
        yield* advance(100)
        assert.deepStrictEqual(served.toSorted(), ["first", "of its key", "of its priority"])
      }
    ))

  it.effect("a key that held its whole share is served when the limit is raised", () =>
    onPool({ maxConnections: 4, minConnections: 4, traffic: { maxShare: 0.5 } }, function*({ pool }) {
      yield* settle
      yield* pool.setLimit(2)
      yield* settle
      const served: Array<string> = []
      for (let count = 0; count < 2; count++) yield* caller(pool, served, "many", { fairKey: "many", millis: 100 })
      assert.strictEqual((yield* pool.stats).used, 1)
      yield* pool.setLimit(4)
      yield* settle
      assert.strictEqual((yield* pool.stats).used, 2)
      yield* advance(100)
    }))

  it.effect("nobody joins a pool that drains, also where one that waits is held back by its share", () =>
    Effect.gen(function*() {
      const connector = { ...FakeConnector.make().connector, sharers: 2 }
      const pool = yield* ConnectionPool.make(connector, {
        minConnections: 0,
        maxConnections: 1,
        metrics: false,
        traffic: { maxShare: 0.5 }
      })
      const share = (fairKey: string) =>
        Effect.forkScoped(Effect.exit(pool.withShared(() => Effect.sleep(100), { fairKey }))).pipe(
          Effect.tap(() => settle)
        )
      yield* share("a")
      const held = yield* share("a")
      yield* Effect.forkScoped(pool.drain)
      yield* settle
      const late = yield* share("b")
      assert.strictEqual(refused(yield* Fiber.join(late))?._tag, "PoolClosed")
      yield* advance(100)
      yield* advance(100)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(held)))
    }).pipe(Effect.scoped))

  it.effect("a priority never holds more than its share", () =>
    onPool({ maxConnections: 4, traffic: { share: { low: 0.25 } } }, function*({ pool }) {
      const served: Array<string> = []
      for (let count = 0; count < 3; count++) yield* caller(pool, served, "low", { priority: "low", millis: 100 })
      assert.strictEqual((yield* pool.stats).used, 1)
      yield* caller(pool, served, "high", { priority: "high", millis: 100 })
      assert.strictEqual((yield* pool.stats).used, 2)
      for (let step = 0; step < 3; step++) yield* advance(100)
      assert.strictEqual(served.length, 4)
    }))

  it.effect("one that holds a connection already counts as high, since others may wait for it", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      const served: Array<string> = []
      const other = yield* borrow(pool)
      yield* Effect.forkScoped(
        Traffic.low(
          pool.withConnection(() =>
            Effect.andThen(
              Effect.sleep(10),
              pool.withConnection(() => Effect.sync(() => void served.push("nested")))
            )
          )
        )
      )
      yield* settle
      yield* caller(pool, served, "normal")
      yield* advance(10)
      yield* other.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served, ["nested", "normal"])
    }))

  describe("places", () => {
    it.effect("low callers find none where the queue is half full, and high ones find some where it is full", () =>
      onPool({ pendingLimit: 10 }, function*({ pool }) {
        const served: Array<string> = []
        const first = yield* borrow(pool)
        const fill = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => caller(pool, served, "normal", { fairKey: "any" }))
        yield* fill(5)
        const low = yield* Effect.exit(Traffic.low(pool.withConnection(() => Effect.void)))
        assert.deepInclude(refused(low), { _tag: "QueueFull", pending: 5, pendingLimit: 5 })
        yield* fill(5)
        const normal = yield* Effect.exit(pool.withConnection(() => Effect.void))
        assert.deepInclude(refused(normal), { _tag: "QueueFull", pending: 10, pendingLimit: 10 })
        const high = yield* Effect.forkScoped(Traffic.high(pool.withConnection(() => Effect.succeed("served"))))
        yield* settle
        yield* first.giveBack
        yield* settle
        assert.strictEqual(yield* Fiber.join(high), "served")
        yield* advance(10)
      }))
  })

  describe("a deadline", () => {
    it.effect("fails its caller when it is over, and says so", () =>
      onPool({}, function*({ pool }) {
        const first = yield* borrow(pool)
        const late = yield* Effect.forkScoped(
          Effect.exit(Traffic.with(pool.withConnection(() => Effect.void), { deadline: "200 millis" }))
        )
        yield* settle
        yield* advance(199)
        assert.isUndefined(late.pollUnsafe())
        yield* advance(1)
        const timeout = refused(yield* Fiber.join(late))
        assert.deepInclude(timeout, { _tag: "AcquireTimeout", option: "deadline", waited: 200 })
        assert.match(timeout!.message, /no connection within 200 ms \(deadline\)/)
        yield* first.giveBack
      }))

    it.effect("fails its caller before a connection is lent to it that it could not use for as long as leases last", () =>
      onPool({}, function*({ pool }) {
        const served: Array<string> = []
        for (let count = 0; count < 3; count++) {
          yield* caller(pool, served, "before", { fairKey: "a", millis: 100 })
          yield* advance(100)
        }
        yield* caller(pool, served, "now", { fairKey: "a", millis: 100 })
        const late = yield* caller(pool, served, "late", { fairKey: "a", deadline: "150 millis" })
        yield* advance(31)
        assert.deepInclude(refused(yield* Fiber.await(late)), { _tag: "AcquireTimeout", option: "deadline" })
        yield* advance(100)
        assert.notInclude(served, "late")
      }))

    it.effect("in the past fails at once, also where the one around it is longer", () =>
      onPool({}, function*({ pool }) {
        const first = yield* borrow(pool)
        const late = yield* Effect.exit(
          pool.withConnection(() => Effect.void, { deadline: 0 }).pipe(Traffic.with({ deadline: "1 minute" }))
        )
        assert.deepInclude(refused(late), { _tag: "AcquireTimeout", option: "deadline", waited: 0 })
        yield* first.giveBack
      }))

    it.effect("around another that is longer holds", () =>
      onPool({}, function*({ pool }) {
        const first = yield* borrow(pool)
        const late = yield* Effect.forkScoped(
          Effect.exit(
            Traffic.with(pool.withConnection(() => Effect.void), { deadline: "1 minute" }).pipe(
              Traffic.with({ deadline: "1 second" })
            )
          )
        )
        yield* settle
        yield* advance("1 second")
        assert.strictEqual(refused(yield* Fiber.join(late))?._tag, "AcquireTimeout")
        yield* first.giveBack
      }))
  })

  describe("shedding", () => {
    const overloaded = { maxConnections: 2, traffic: { shedAfter: "20 millis" } } as const

    it.effect("refuses normal callers in time, so that those who are let in are served in time", () =>
      onPool(overloaded, function*({ pool }) {
        const exits: Array<Fiber.Fiber<unknown, unknown>> = []
        // Forty callers a second for two connections of ten leases a second each.
        for (let step = 0; step < 400; step++) {
          exits.push(
            yield* Effect.forkScoped(
              pool.withConnection(() => Effect.sleep(100), { fairKey: `caller ${step}` })
            )
          )
          yield* advance(25)
        }
        yield* advance("2 seconds")
        const reasons = yield* Effect.forEach(exits, (fiber) => Effect.map(Fiber.await(fiber), refused))
        const late = reasons.slice(100)
        const served = late.filter((each) => each === undefined).length
        assert.isAbove(served, 0.9 * late.length / 2)
        assert.isTrue(late.some((each) => each?._tag === "Overloaded" && each.isRetryable && each.retryAfter > 0))
        assert.isBelow((yield* pool.stats).wait.p95, 1500)
      }))

    it.effect("refuses nobody with high priority", () =>
      onPool(overloaded, function*({ pool }) {
        const exits: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let step = 0; step < 200; step++) {
          const priority = step % 4 === 0 ? "high" : "low"
          const fiber = yield* Effect.forkScoped(
            pool.withConnection(() => Effect.sleep(100), { priority, fairKey: `caller ${step}` })
          )
          if (priority === "high") exits.push(fiber)
          yield* advance(25)
        }
        yield* advance("2 seconds")
        const reasons = yield* Effect.forEach(exits, (fiber) => Effect.map(Fiber.await(fiber), refused))
        assert.deepStrictEqual(reasons.filter((each) => each !== undefined), [])
      }))
  })

  it.effect("stats tell who waits and holds, by priority and for the busiest keys, and how much is refused", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const none = { high: 0, normal: 0, low: 0 }
      assert.deepStrictEqual((yield* pool.stats).traffic, { level: 0, pending: none, refused: none, keys: [] })
      yield* caller(pool, served, "first", { fairKey: "a", millis: 10 })
      yield* caller(pool, served, "second", { fairKey: "a" })
      yield* caller(pool, served, "third", { priority: "low" })
      yield* caller(pool, served, "fourth", { fairKey: "a", priority: "high" })
      const { traffic } = yield* pool.stats
      assert.deepStrictEqual(traffic.pending, { high: 1, normal: 1, low: 1 })
      assert.deepStrictEqual(traffic.keys[0], { key: "a", pending: 2, used: 1 })
      yield* advance(20)
      assert.strictEqual(served.length, 4)
    }))

  it.effect("clear fails those who wait, or those of one priority, and nobody else", () =>
    onPool({}, function*({ pool }) {
      const served: Array<string> = []
      const first = yield* borrow(pool)
      const low = yield* caller(pool, served, "low", { priority: "low" })
      const normal = yield* caller(pool, served, "normal")
      const high = yield* caller(pool, served, "high", { priority: "high" })
      assert.strictEqual(yield* pool.clear("low"), 1)
      assert.deepInclude(refused(yield* Fiber.await(low)), { _tag: "QueueCleared", isRetryable: true })
      assert.strictEqual(yield* pool.clear(), 2)
      assert.strictEqual(refused(yield* Fiber.await(normal))?._tag, "QueueCleared")
      assert.strictEqual(refused(yield* Fiber.await(high))?._tag, "QueueCleared")
      assert.strictEqual(yield* pool.clear(), 0)
      yield* caller(pool, served, "later")
      yield* first.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served, ["later"])
    }))

  it.effect("orders the line of each upstream of a balanced pool too", () =>
    Effect.gen(function*() {
      const upstream = yield* makePool({ name: "only", maxConnections: 1 })
      const pool = yield* BalancedPool.make([{ pool: upstream }], { name: "all", hedgeAfter: "10 seconds" })
      const served: Array<string> = []
      const first = yield* borrow(upstream)
      yield* caller(pool, served, "low", { priority: "low" })
      yield* caller(pool, served, "normal")
      yield* caller(pool, served, "high", { priority: "high", fairKey: "a" })
      const { traffic } = yield* pool.stats
      assert.deepStrictEqual(traffic.pending, { high: 1, normal: 1, low: 1 })
      yield* first.giveBack
      yield* advance(10)
      assert.deepStrictEqual(served, ["high", "normal", "low"])
    }).pipe(Effect.scoped))

  it.effect("orders callers that share connections too, and counts the room they take", () =>
    Effect.gen(function*() {
      const connector = { ...FakeConnector.make().connector, sharers: 4 }
      const pool = yield* ConnectionPool.make(connector, {
        minConnections: 0,
        maxConnections: 2,
        metrics: false,
        traffic: { maxShare: 0.5 }
      })
      const share = (fairKey: string) =>
        Effect.forkScoped(pool.withShared(() => Effect.sleep(100), { fairKey })).pipe(Effect.tap(() => settle))
      for (let count = 0; count < 6; count++) yield* share("many")
      // Half of eight places.
      const keyed = (key: string) =>
        Effect.map(pool.stats, ({ traffic }) => traffic.keys.find((each) => each.key === key))
      assert.deepInclude(yield* keyed("many"), { used: 4, pending: 2 })
      yield* share("few")
      assert.deepInclude(yield* keyed("few"), { used: 1, pending: 0 })
      yield* advance(100)
      yield* advance(100)
      assert.strictEqual((yield* pool.stats).pending, 0)
    }).pipe(Effect.scoped))

  describe("bad input", () => {
    it.effect("a priority that does not exist, and a deadline that is none, are defects that name the rule", () =>
      onPool({}, function*({ pool }) {
        const first = yield* borrow(pool)
        const priority = yield* Effect.exit(
          Traffic.with(pool.withConnection(() => Effect.void), { priority: "urgent" as "high" })
        )
        assert.match(String(defectOf(priority)), /priority must be "high", "normal" or "low", got urgent/)
        const deadline = yield* Effect.exit(pool.withConnection(() => Effect.void, { deadline: NaN }))
        assert.match(String(defectOf(deadline)), /deadline must be a duration/)
        const key = yield* Effect.exit(pool.withConnection(() => Effect.void, { fairKey: 7 as never }))
        assert.match(String(defectOf(key)), /fairKey must be a text/)
        yield* first.giveBack
      }))

    it.effect("rules that make no sense are refused by their names", () =>
      Effect.gen(function*() {
        const refusals = [
          [{ maxShare: 0 }, "traffic.maxShare"],
          [{ maxShare: 1.5 }, "traffic.maxShare"],
          [{ weights: { a: NaN } }, "traffic.weights"],
          [{ weights: { a: 0 } }, "traffic.weights"],
          [{ share: { low: 2 } }, "traffic.share.low"],
          [{ slack: { urgent: 1 } }, "traffic.slack.urgent"],
          [{ shedAfter: 0 }, "traffic.shedAfter"],
          [{ places: { low: -1 } }, "traffic.places.low"]
        ] as const
        for (const [traffic, option] of refusals) {
          const made = PoolConfig.make(PoolKind.service, "pool", {
            traffic: traffic as PoolConfig.PoolOptions["traffic"]
          })
          const error = yield* Effect.flip(made)
          assert.deepInclude(error.reason, { _tag: "InvalidOption", option })
        }
      }))

    it.effect("a million keys are bounded", () =>
      onPool({ traffic: { maxShare: 0.9 } }, function*({ pool }) {
        for (let key = 0; key < 30_000; key++) {
          yield* pool.withConnection(() => Effect.void, { fairKey: `key ${key}` })
        }
        assert.strictEqual((yield* pool.stats).counts.acquiredAtOnce, 29_999)
      }))
  })
})
