import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionBudget, ConnectionPool, PoolError } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Config, ConfigProvider, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { advance, settle } from "./utils/bench.ts"

const hold = (pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>, count: number) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const fibers = yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.forkScoped(Effect.exit(Scope.provide(pool.acquire, scope)))
    )
    yield* settle
    return {
      giveBack: Effect.andThen(Scope.close(scope, Exit.void), settle),
      failed: () => fibers.filter((fiber) => fiber.pollUnsafe()?._tag === "Failure").length
    }
  })

/** Pools of one server under one budget. */
const under = (options: ConnectionBudget.BudgetOptions, fakeOptions?: FakeConnector.Options) =>
  Effect.gen(function*() {
    const budget = yield* ConnectionBudget.make(options)
    const fake = FakeConnector.make(fakeOptions)
    const make = (name: string, poolOptions: ConnectionPool.MakeOptions = {}) =>
      ConnectionPool.make(fake.connector, { name, maxConnections: 10, minConnections: 0, ...poolOptions }).pipe(
        Effect.provideService(ConnectionBudget.ConnectionBudget, budget)
      )
    return { budget, fake, make }
  })

/** Ends pools whose connections take their time to close. */
const ended = (...pools: ReadonlyArray<ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>>) =>
  Effect.gen(function*() {
    yield* Effect.forEach(pools, ({ drain }) => Effect.forkScoped(drain))
    yield* settle
    yield* advance("10 seconds")
  })

const limitOf = (pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>) =>
  Effect.map(pool.stats, ({ limit }) => limit)

describe("ConnectionBudget", () => {
  it.effect("lets its pools have as many as they may while there is enough for all", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ total: 20 })
      const a = yield* make("a")
      const b = yield* make("b")
      assert.deepInclude(yield* a.stats, { limit: 10, limitedBy: "maxConnections" })
      assert.deepInclude(yield* b.stats, { limit: 10, limitedBy: "maxConnections" })
    }))

  it.effect("never lets its pools have more than its total together, those that close included", () =>
    Effect.gen(function*() {
      const { fake, make } = yield* under({ total: 8 }, { closeDelay: "2 seconds", connectDelay: "1 second" })
      const a = yield* make("a")
      const b = yield* make("b")
      const first = yield* hold(a, 10)
      yield* advance("1 second")
      // One is kept for the floor of the other.
      assert.strictEqual(fake.live, 7)
      const second = yield* hold(b, 10)
      yield* advance("1 second")
      yield* first.giveBack
      for (let step = 0; step < 20; step++) {
        yield* advance("500 millis")
        assert.isAtMost(fake.live, 8)
      }
      assert.isAtMost(fake.peak, 8)
      assert.strictEqual((yield* b.stats).used, 7)
      yield* second.giveBack
      yield* ended(a, b)
    }))

  it.effect("gives a pool that wants more what an idle one has, and the other the more it wants", () =>
    Effect.gen(function*() {
      const { fake, make } = yield* under({ total: 10 })
      const a = yield* make("a")
      const b = yield* make("b")
      const first = yield* hold(a, 9)
      yield* first.giveBack
      assert.deepInclude(yield* a.stats, { total: 9, idle: 9 })
      const second = yield* hold(b, 9)
      yield* advance("10 seconds")
      assert.deepInclude(yield* b.stats, { used: 9, pending: 0 })
      assert.deepInclude(yield* a.stats, { total: 1 })
      assert.isAtMost(fake.peak, 10)
      const third = yield* hold(a, 9)
      yield* second.giveBack
      yield* advance("10 seconds")
      assert.deepInclude(yield* a.stats, { used: 9, pending: 0 })
      yield* third.giveBack
    }))

  it.effect("shares evenly between pools that both want all, as their leases end", () =>
    Effect.gen(function*() {
      const { fake, make } = yield* under({ total: 10 })
      const a = yield* make("a")
      const b = yield* make("b")
      const use = (pool: typeof a) =>
        Effect.forkScoped(Effect.forever(pool.withConnection(() => Effect.sleep("100 millis"))))
      for (let n = 0; n < 10; n++) yield* use(a)
      yield* advance("2 seconds")
      for (let n = 0; n < 10; n++) yield* use(b)
      yield* advance("2 seconds")
      assert.deepStrictEqual([yield* limitOf(a), yield* limitOf(b)], [5, 5])
      assert.isAtMost(fake.peak, 10)
    }))

  it.effect("keeps a floor for each pool, which opens it at once whatever the others do", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ total: 10, floor: 2 })
      const a = yield* make("a")
      const b = yield* make("b")
      yield* hold(a, 10)
      assert.strictEqual((yield* a.stats).used, 8)
      yield* hold(b, 2)
      assert.deepInclude(yield* b.stats, { used: 2, pending: 0 })
    }))

  it.effect("opens the minimum of a pool as soon as others have given it up", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ total: 10 })
      const a = yield* make("a")
      const first = yield* hold(a, 10)
      const making = yield* Effect.forkScoped(make("b", { minConnections: 4 }))
      yield* advance("2 seconds")
      assert.isUndefined(making.pollUnsafe())
      yield* first.giveBack
      yield* advance("2 seconds")
      const b = yield* Fiber.join(making)
      assert.strictEqual((yield* b.stats).total, 4)
    }))

  it.effect("waits with a warm-up for what others may give up as long as a caller would, and then tells what is open", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ total: 6 })
      const a = yield* make("a")
      const b = yield* make("b", { acquireTimeout: "5 seconds" })
      yield* hold(a, 5)
      const exits: Array<unknown> = []
      yield* Effect.forkScoped(Effect.map(Effect.exit(b.warmUp(4)), (exit) => exits.push(exit)))
      yield* advance("4900 millis")
      assert.deepStrictEqual(exits, [])
      yield* advance("100 millis")
      assert.deepStrictEqual(exits, [Exit.succeed(1)])
    }))

  it.effect("gives back what a pool had when the pool ends", () =>
    Effect.gen(function*() {
      const { budget, fake, make } = yield* under({ total: 10 }, { closeDelay: "1 second" })
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(make("a"), scope)
      const b = yield* make("b")
      const first = yield* hold(a, 9)
      yield* first.giveBack
      const second = yield* hold(b, 10)
      yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* advance("3 seconds")
      assert.deepInclude(yield* b.stats, { used: 10, limit: 10 })
      assert.deepStrictEqual((yield* budget.stats).pools.map(({ name }) => name), ["b"])
      assert.isAtMost(fake.peak, 10)
      yield* second.giveBack
      yield* ended(b)
    }))

  it.effect("binds the upstreams of a balanced pool, each as a pool of its own", () =>
    Effect.gen(function*() {
      const { fake, make } = yield* under({ total: 6 })
      const balanced = yield* BalancedPool.make([{ pool: yield* make("a") }, { pool: yield* make("b") }])
      yield* hold(balanced, 20)
      yield* advance("3 seconds")
      assert.strictEqual(fake.live, 6)
      const { budget, used } = yield* balanced.stats
      assert.strictEqual(used, 6)
      assert.deepInclude(budget, { name: "budget", total: 6, grant: 6, othersHold: 0, others: 0 })
    }))

  it.effect("binds the pools that it is provided to, and no others", () =>
    Effect.gen(function*() {
      class Db extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()("test/Db") {}
      class Cache extends ConnectionPool.Service<Cache, FakeConnector.FakeConnection>()("test/Cache") {}
      const options = { minConnections: 0, maxConnections: 10 }
      const budget = ConnectionBudget.layerConfig({ name: "db", total: Config.Int("TOTAL") })
      const pools = Layer.mergeAll(
        Db.layer(FakeConnector.make().connector, options).pipe(Layer.provideMerge(budget)),
        Cache.layer(FakeConnector.make().connector, options)
      )
      const config = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ TOTAL: "4" }))
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* Db.stats).limit, 4)
        assert.deepInclude(yield* Cache.stats, { limit: 10, limitedBy: "maxConnections" })
        assert.isUndefined((yield* Cache.stats).budget)
        const all = yield* ConnectionBudget.ConnectionBudget.use((budget) => budget.stats)
        assert.deepInclude(all, { name: "db", total: 4, granted: 4, has: 0, store: "own", processes: 1 })
        assert.deepStrictEqual(all.pools, [{ name: "test/Db", grant: 4, has: 0, wants: 1 }])
      }).pipe(Effect.provide(Layer.provide(pools, config)))
    }))

  it.effect("tells a pool what it is granted, and names the budget as what holds it down", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ name: "db", total: 10 })
      const a = yield* make("a")
      const b = yield* make("b")
      yield* hold(a, 9)
      yield* hold(b, 5)
      yield* advance("500 millis")
      const { budget, limitedBy } = yield* b.stats
      assert.strictEqual(limitedBy, "budget")
      assert.deepStrictEqual(budget, {
        name: "db",
        total: 10,
        grant: 1,
        wants: 5,
        othersHold: 9,
        others: 1,
        store: "own",
        members: [
          { name: "a", grant: 9, wants: 9, isSelf: false },
          { name: "b", grant: 1, wants: 5, isSelf: true }
        ]
      })
      const { diagnosis } = yield* b.health
      assert.deepInclude(diagnosis, {
        cause: "budgetSpent",
        text: "the budget “db” holds this pool at 1 of 10 connections: 1 other pool or process holds 9 of its 10; " +
          "4 callers wait"
      })
    }))

  it.effect("warns if its pools are of several kinds, since each server needs a budget of its own", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const log = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      yield* Effect.gen(function*() {
        const { make } = yield* under({ total: 10 })
        yield* make("a")
        yield* make("b", { kind: { name: "redis" } })
        yield* advance("1 second")
      }).pipe(Effect.provide(log))
      assert.match(lines.join(), /its pools are of several kinds \(service, redis\)/)
    }))

  it.effect("warns of a second one of its name that counts its own pools, whatever the totals are", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const log = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      yield* Effect.gen(function*() {
        yield* ConnectionBudget.make({ name: "db", total: 10 })
        yield* ConnectionBudget.make({ name: "reports", total: 10 })
        yield* Effect.scoped(ConnectionBudget.make({ name: "once", total: 10 }))
        yield* ConnectionBudget.make({ name: "once", total: 10 })
        assert.deepStrictEqual(lines, [])
        yield* ConnectionBudget.make({ name: "db", total: 5 })
      }).pipe(Effect.provide(log))
      assert.lengthOf(lines, 1)
      assert.match(lines.join(), /there is a budget of this name already, .* the server may see the sum/)
    }))

  it.effect("refuses what can't be a budget, by the name of the option and the rule", () =>
    Effect.gen(function*() {
      const refusal = (options: unknown) =>
        Effect.map(
          Effect.flip(Effect.scoped(ConnectionBudget.make(options as ConnectionBudget.BudgetOptions))),
          ({ message }) => message
        )
      for (const total of [NaN, 0, -1, 1.5, Infinity, "10", undefined, null]) {
        assert.match(yield* refusal({ total }), /option total: must be an integer of at least 1/)
      }
      for (const floor of [NaN, -1, 0.5]) {
        assert.match(yield* refusal({ total: 10, floor }), /option floor: must be an integer of at least 0/)
      }
      assert.match(yield* refusal({ total: 2, floor: 3 }), /option floor: must be at most total \(2\), got 3/)
      for (const name of ["", "a\nb", "x".repeat(201), "\u0000"]) {
        assert.match(yield* refusal({ total: 2, name }), /option name: must be a text of 1 to 200 characters/)
      }
      assert.match(yield* refusal({ totl: 2, total: 2 }), /option totl: is not an option.*total/)
    }))

  it.effect("refuses a pool for whose floor there is no room", () =>
    Effect.gen(function*() {
      const { make } = yield* under({ name: "db", total: 10 })
      yield* make("a", { minConnections: 6 })
      const { message, reason } = yield* Effect.flip(make("b", { minConnections: 5 }))
      assert.instanceOf(reason, PoolError.InvalidOption)
      assert.match(
        message,
        /option total: of the budget “db” must be at least the sum .*: 11 with this pool's 5, got 10/
      )
      assert.strictEqual((yield* (yield* make("c")).stats).limit, 4)
    }))
})
