import { assert, describe, it } from "@effect/vitest"
import { ConnectionBudget, ConnectionPool, type PoolEvent } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Logger, Metric, Scope, Stream } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { Redis } from "effect/persistence"
import type { Report } from "../src/internal/budget/store.ts"
import { advance, settle } from "./utils/bench.ts"

/** A report as the script takes it. */
type Told = Omit<Report, "id" | "label">

interface Scripted {
  readonly told: Array<Told>
  /** How often it was asked for the processes. */
  shown: number
  answer: (told: Told) => Effect.Effect<unknown, Redis.RedisError>
  readonly layer: Redis.Redis["Service"]
}

const nobody: Told = { sequence: 0, total: 0, floor: 0, holds: 0, wants: 0, isKnown: false, isLeaving: false }

/** A store that answers as it is told to. */
const scripted = (): Scripted => {
  const told: Array<Told> = []
  const store: Scripted = {
    told,
    shown: 0,
    answer: (told) => Effect.die(`no answer to ${told.sequence}`),
    layer: Redis.Redis.of({
      send: () => Effect.die("send"),
      subscribe: () => Effect.die("subscribe"),
      reserve: Effect.die("reserve"),
      eval: (script) => (...params) => {
        // A look at the budget asks for the processes too, which is no report.
        if (script.params(...params).length === 3) {
          store.shown++
          return store.answer(nobody) as Effect.Effect<never, Redis.RedisError>
        }
        const [, , , , , sequence, total, floor, holds, wants, isKnown, isLeaving] = script.params(...params).map(
          Number
        )
        const report = {
          sequence: sequence!,
          total: total!,
          floor: floor!,
          holds: holds!,
          wants: wants!,
          isKnown: isKnown === 1,
          isLeaving: isLeaving === 1
        }
        told.push(report)
        return store.answer(report) as Effect.Effect<never, Redis.RedisError>
      }
    })
  }
  return store
}

/** Grants what is wanted up to so many, of so many processes. */
const granting = (most: number, { held = 0, processes = 1, total = 100 } = {}) => ({ floor, wants }: Told) =>
  Effect.succeed([Math.min(Math.max(wants, floor), most), total, held, processes, 0, 1000])

const gone = () => Effect.fail(new Redis.RedisError({ cause: new Error("connection refused") }))

const member = (store: ReturnType<typeof scripted>, options: Partial<ConnectionBudget.FleetOptions> = {}) =>
  Effect.gen(function*() {
    const fake = FakeConnector.make()
    const budget = yield* ConnectionBudget.makeRedis({ name: "db", total: 100, ...options }).pipe(
      Effect.provideService(Redis.Redis, store.layer)
    )
    const pool = yield* ConnectionPool.make(fake.connector, {
      name: "a",
      minConnections: 0,
      maxConnections: 50,
      // Idle connections of these tests are closed for the budget's sake alone.
      idleTimeout: "10 minutes",
      maxLifetime: "1 hour",
      maxLifetimeJitter: 0
    }).pipe(Effect.provideService(ConnectionBudget.ConnectionBudget, budget))
    yield* settle
    return { budget, fake, pool }
  })

const holding = (pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>, count: number) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const fibers = yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.forkScoped(Scope.provide(pool.acquire, scope))
    )
    yield* settle
    yield* advance("100 millis")
    return { fibers, giveBack: Effect.andThen(Scope.close(scope, Exit.void), settle) }
  })

const eventsOf = (pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>) =>
  Effect.gen(function*() {
    const seen: Array<PoolEvent.PoolEvent> = []
    yield* Effect.forkScoped(Stream.runForEach(pool.events, (event) => Effect.sync(() => seen.push(event))))
    yield* settle
    return seen
  })

const logged = () => {
  const lines: Array<string> = []
  return { lines, layer: Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]) }
}

describe("ConnectionBudget in a fleet", () => {
  it.effect("asks the store when it wants more, and opens what it is granted", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10)
      const { budget, fake, pool } = yield* member(store)
      yield* holding(pool, 20)
      assert.strictEqual(fake.live, 10)
      assert.deepInclude(yield* pool.stats, { used: 10, pending: 10, limitedBy: "budget" })
      store.answer = granting(100)
      yield* advance("2 seconds")
      assert.strictEqual(fake.live, 20)
      assert.deepInclude(yield* budget.stats, { total: 100, has: 20, store: "shared" })
      assert.isTrue(store.told.every(({ holds }, at) => at === 0 || holds <= 100))
    }))

  it.effect("reports what it gave up only when the sockets are closed, and then at once", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10)
      const { fake, pool } = yield* member(store)
      const leases = yield* holding(pool, 10)
      yield* advance("5 seconds")
      store.answer = granting(4)
      yield* advance("5 seconds")
      assert.strictEqual(fake.live, 10)
      assert.strictEqual(store.told.at(-1)!.holds, 10)
      const before = store.told.length
      yield* leases.giveBack
      yield* advance("200 millis")
      assert.strictEqual(fake.live, 4)
      assert.isAbove(store.told.length, before)
      assert.strictEqual(store.told.at(-1)!.holds, 4)
    }))

  it.effect("reports every 4 to 5 seconds while nothing changes", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10)
      yield* member(store)
      yield* advance("10 seconds")
      const before = store.told.length
      yield* advance("60 seconds")
      assert.isAtLeast(store.told.length - before, 12)
      assert.isAtMost(store.told.length - before, 15)
    }))

  it.effect("asks who shares it for those who look at a pool, and not for a scrape of its metrics or an error", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10)
      const { pool } = yield* member(store)
      yield* holding(pool, 10)
      yield* advance("20 seconds")
      store.shown = 0
      for (let second = 0; second < 20; second++) {
        const text = yield* PrometheusMetrics.format()
        assert.match(text, /service_pool_budget_granted\{pool="a"\} 10/)
        yield* advance("1 second")
      }
      assert.strictEqual(store.shown, 0)
      // In the worst hour each process has callers whose time is up: their errors must not burden the store.
      const late = yield* Effect.forkScoped(Effect.exit(pool.acquire))
      yield* advance("40 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(late)))
      assert.strictEqual(store.shown, 0)
      yield* pool.stats
      yield* advance("6 seconds")
      assert.isAtLeast(store.shown, 1)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("keeps what it has while the store is away, opens no more than it was granted, and fails no lease", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(20, { processes: 10 })
      const { lines, layer } = logged()
      yield* Effect.gen(function*() {
        const { budget, fake, pool } = yield* member(store)
        const events = yield* eventsOf(pool)
        const leases = yield* holding(pool, 20)
        yield* advance("6 seconds")
        store.answer = gone
        yield* advance("6 seconds")
        assert.strictEqual((yield* budget.stats).store, "away")
        const more = yield* holding(pool, 5)
        assert.strictEqual(fake.live, 20)
        yield* leases.giveBack
        for (const fiber of more.fibers) yield* Fiber.join(fiber)
        // The lease is over: what is open stays, and no more than an even part is opened.
        yield* advance("20 seconds")
        assert.strictEqual(fake.live, 20)
        yield* pool.retireAll
        yield* more.giveBack
        yield* advance("2 seconds")
        yield* holding(pool, 25)
        assert.strictEqual(fake.live, 10)
        store.answer = granting(30, { processes: 10 })
        yield* advance("6 seconds")
        assert.strictEqual(fake.live, 25)
        assert.deepStrictEqual(
          events.filter(({ _tag }) => _tag.startsWith("Budget")).map(({ _tag }) => _tag),
          ["BudgetStoreLost", "BudgetStoreBack"]
        )
        assert.strictEqual((yield* pool.stats).counts.timedOut, 0)
      }).pipe(Effect.provide(layer))
      assert.strictEqual(lines.filter((line) => line.includes("can't be asked")).length, 1)
      assert.match(lines.join("\n"), /the store can't be asked: .*connection refused/)
      assert.match(lines.join("\n"), /the store is back after \d+ ms/)
    }))

  it.effect("opens the floors of its pools if it begins while the store is away", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = gone
      const { fake, pool } = yield* member(store, { floor: 3 })
      yield* holding(pool, 10)
      assert.strictEqual(fake.live, 3)
      store.answer = granting(10)
      yield* advance("5 seconds")
      assert.strictEqual(fake.live, 10)
    }))

  it.effect("opens its floors when its lease is over, if the store was lost before it granted these", () =>
    Effect.gen(function*() {
      const store = scripted()
      // Others hold everything when it begins, and would have given up enough.
      store.answer = granting(0, { held: 100, processes: 2 })
      const { fake, pool } = yield* member(store, { floor: 3 })
      yield* holding(pool, 10)
      assert.strictEqual(fake.live, 0)
      store.answer = gone
      yield* advance("10 seconds")
      assert.strictEqual(fake.live, 0)
      yield* advance("10 seconds")
      assert.strictEqual(fake.live, 3)
    }))

  it.effect("does not ask for more than the total, however many callers wait", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10, { total: 10 })
      const { pool } = yield* member(store, { total: 10 })
      yield* holding(pool, 40)
      assert.deepInclude(yield* pool.stats, { used: 10, pending: 30 })
      const before = store.told.length
      yield* advance("20 seconds")
      assert.isAtMost(store.told.length - before, 5)
    }))

  it.effect.each([
    { processes: 20, atOnce: "all" },
    { processes: 2_000, atOnce: "a few" }
  ])(
    "asks in a fleet of $processes that is loaded at once: $atOnce in the first 100 ms, all within a second",
    (fleet) =>
      Effect.gen(function*() {
        const stores = Array.from({ length: 20 }, scripted)
        const members = yield* Effect.forEach(stores, (store) => {
          store.answer = granting(1, { processes: fleet.processes, total: 10_000 })
          return member(store, { total: 10_000 })
        })
        yield* advance("50 millis")
        yield* Effect.forEach(members, ({ pool }) => Effect.forkScoped(Effect.replicateEffect(pool.acquire, 3)))
        yield* settle
        yield* advance("100 millis")
        const asked = () => stores.filter(({ told }) => told.some(({ wants }) => wants > 1)).length
        if (fleet.atOnce === "all") assert.strictEqual(asked(), 20)
        else assert.isBelow(asked(), 10)
        yield* advance("1 second")
        assert.strictEqual(asked(), 20)
      }).pipe(Effect.scoped)
  )

  it.effect("waits for an answer a second at most, and takes nonsense for none", () =>
    Effect.gen(function*() {
      const nonsense: ReadonlyArray<unknown> = [
        null,
        "OK",
        [],
        [1, 2],
        [1, 2, 3, 4, 5, "six"],
        [-1, 100, 0, 1, 0, 1000],
        [NaN, 100, 0, 1, 0, 1000],
        [Infinity, 100, 0, 1, 0, 1000],
        { grant: 5 }
      ]
      for (
        const answer of [...nonsense.map((each) => () => Effect.succeed(each)), () => Effect.never, () => {
          throw new Error("thrown")
        }]
      ) {
        const store = scripted()
        store.answer = granting(5)
        const { lines, layer } = logged()
        yield* Effect.gen(function*() {
          const { budget, pool } = yield* member(store)
          yield* holding(pool, 5)
          store.answer = answer
          yield* advance("20 seconds")
          assert.deepInclude(yield* budget.stats, { store: "away", has: 5 })
          assert.deepInclude(yield* pool.stats, { used: 5, state: "open" })
          const exit = yield* Effect.exit(budget.processes).pipe(Effect.timeout("2 seconds"), Effect.forkScoped)
          yield* advance("2 seconds")
          const failure = yield* Fiber.join(exit)
          assert.isTrue(Exit.isFailure(failure), `processes fails with ${String(answer)}`)
          // Where the lease ends, the pool need not wait for a store that never answers.
          store.answer = granting(5)
          yield* advance("5 seconds")
        }).pipe(Effect.scoped, Effect.provide(layer))
        assert.strictEqual(lines.filter((line) => line.includes("can't be asked")).length, 1, String(answer))
      }
    }))

  it.effect("never takes more than the store says is the total, and says once that totals differ", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = () => Effect.succeed([90, 30, 0, 2, 0, 1000])
      const { lines, layer } = logged()
      yield* Effect.gen(function*() {
        const { budget, fake, pool } = yield* member(store)
        yield* holding(pool, 50)
        yield* advance("20 seconds")
        assert.strictEqual(fake.live, 30)
        assert.deepInclude(yield* budget.stats, { total: 30, granted: 30 })
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(lines, [
        "another process says that its total is 30, this one says 100: the smaller counts"
      ])
    }))

  it.effect("gives back everything when it ends, after its pools have", () =>
    Effect.gen(function*() {
      const store = scripted()
      store.answer = granting(10)
      yield* Effect.scoped(Effect.flatMap(member(store), ({ pool }) => holding(pool, 3)))
      assert.deepInclude(store.told.at(-1), { isLeaving: true })
      assert.strictEqual(store.told.filter(({ isLeaving }) => isLeaving).length, 1)
      assert.isTrue(store.told.every(({ sequence }, at) => sequence === at + 1))
    }))
})
