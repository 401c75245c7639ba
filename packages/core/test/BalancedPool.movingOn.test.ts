import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Array as Arr, Duration, Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { advance, id, only, settle } from "./utils/bench.ts"
import { type Fleet, hold, leases, onFleet, type Setup, states } from "./utils/upstreams.ts"

const inTurn = (setup: Partial<Setup> = {}): Setup => ({
  weights: [1, 1],
  strategy: "roundRobin",
  slowStart: 0,
  ...setup
})

/** So many callers at once, each with the upstream that served it and when. */
const callers = ({ backends, pool }: Fleet, many: number) =>
  Effect.forkScoped(Effect.forEach(
    Arr.range(1, many),
    () =>
      Effect.map(
        Effect.timed(
          pool.withConnection((it) =>
            Effect.as(Effect.sleep(1), backends.findIndex(({ gates }) => gates.fake.connections.includes(it)))
          )
        ),
        ([took, upstream]) => ({ upstream, took: Duration.toMillis(took) })
      ),
    { concurrency: "unbounded" }
  ))

describe("BalancedPool: a caller that waits at an upstream", () => {
  it.effect("that refuses connections goes on after the first attempt", () =>
    onFleet(inTurn({ each: { maxConnections: 20, connectRate: 1_000 } }), function*(fleet) {
      fleet.backends[0]!.gates.set("connect", "fail")
      const all = yield* callers(fleet, 20)
      for (let tick = 0; tick < 10; tick++) yield* advance(2)
      const served = yield* Fiber.join(all)
      assert.deepStrictEqual(served.map(({ upstream }) => upstream), served.map(() => 1))
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
    }))

  it.effect("passes ten that refuse connections without waiting for a second attempt of any", () =>
    onFleet(inTurn({ weights: Arr.replicate(1, 11) }), function*({ backends, pool }) {
      for (const { gates } of backends.slice(0, 10)) gates.set("connect", "fail")
      assert.deepStrictEqual(yield* pool.withConnection(id), 1)
    }))

  for (const way of ["withConnection", "withShared", "acquire"] as const) {
    it.effect(`whose dials are not answered goes where a connection is free (${way})`, () =>
      onFleet(inTurn(), function*(fleet) {
        const { backends: [a], pool } = fleet
        a!.gates.set("connect", "never")
        const lease = way === "acquire" ? Effect.scoped(Effect.asVoid(pool.acquire)) : Effect.asVoid(pool[way](id))
        const first = yield* Effect.forkScoped(lease)
        // The other has no connection yet: one is opened while the caller keeps its place.
        yield* advance("249 millis")
        assert.isUndefined(first.pollUnsafe())
        yield* advance("251 millis")
        assert.isDefined(first.pollUnsafe())
        assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
        // Newcomers know.
        yield* Effect.all([lease, lease, lease])
        assert.deepStrictEqual(yield* leases(fleet), [0, 4])
      }))
  }

  it.effect("whose dials are not answered is served within a tenth of a short acquireTimeout and a half", () =>
    onFleet(inTurn({ each: { acquireTimeout: "1 second", drainTimeout: "1 second" } }), function*(fleet) {
      fleet.backends[0]!.gates.set("connect", "never")
      yield* fleet.backends[1]!.pool.warmUp(1)
      const one = yield* callers(fleet, 1)
      yield* advance("150 millis")
      assert.deepStrictEqual(yield* Fiber.join(one), [{ upstream: 1, took: 101 }])
    }))

  it.effect("goes on after hedgeAfter", () =>
    onFleet(inTurn({ hedgeAfter: "3 seconds" }), function*(fleet) {
      fleet.backends[0]!.gates.set("connect", "never")
      yield* fleet.backends[1]!.pool.warmUp(1)
      const one = yield* callers(fleet, 1)
      yield* advance("2900 millis")
      assert.isUndefined(one.pollUnsafe())
      yield* advance("200 millis")
      assert.deepStrictEqual(yield* Fiber.join(one), [{ upstream: 1, took: 3_001 }])
    }))

  it.effect("takes what its own upstream opens if that comes first", () =>
    onFleet(inTurn({ backend: { delay: "400 millis" } }), function*(fleet) {
      for (const { gates } of fleet.backends) gates.set("connect", "slow")
      const one = yield* callers(fleet, 1)
      yield* advance("1 second")
      assert.deepStrictEqual(yield* Fiber.join(one), [{ upstream: 0, took: 401 }])
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  for (const held of ["a listener", "two hung requests"] as const) {
    it.effect(`that can open nothing beside ${held} goes on`, () =>
      onFleet(inTurn({ each: { maxConnections: 5, connectRate: 1_000 } }), function*(fleet) {
        const { backends: [a, b] } = fleet
        if (held === "a listener") yield* a!.pool.acquireWith({ label: "listener", isLongLived: true })
        else yield* Effect.all([hold(a!.pool), hold(a!.pool)])
        yield* b!.pool.warmUp(1)
        yield* advance("2 seconds")
        a!.gates.set("connect", "fail")
        const all = yield* callers(fleet, 20)
        yield* advance("500 millis")
        const served = yield* Fiber.join(all)
        assert.deepStrictEqual(served.map(({ upstream }) => upstream), served.map(() => 1))
        assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
        const again = yield* callers(fleet, 4)
        yield* advance(10)
        assert.deepStrictEqual((yield* Fiber.join(again)).map(({ upstream }) => upstream), [1, 1, 1, 1])
        // It is asked again and again, and comes back.
        a!.gates.set("connect", "ok")
        yield* advance("1 minute")
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      }))
  }

  it.effect("whose connections are all kept goes where one is free", () =>
    onFleet(inTurn({ each: { maxConnections: 1 } }), function*(fleet) {
      yield* hold(fleet.backends[0]!.pool)
      const one = yield* callers(fleet, 1)
      yield* advance("500 millis")
      assert.deepStrictEqual((yield* Fiber.join(one)).map(({ upstream }) => upstream), [1])
      // A full upstream is not one that can't connect.
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  it.effect("stays where it is as long as nothing is free elsewhere", () =>
    onFleet(inTurn({ each: { maxConnections: 1, acquireTimeout: "5 seconds" } }), function*({ backends, pool }) {
      const held = yield* Effect.forEach(backends, (backend) => hold(backend.pool))
      const waiting = yield* Effect.forkScoped(Effect.all([pool.withConnection(id), pool.withConnection(id)], {
        concurrency: 2
      }))
      yield* advance("3 seconds")
      const pending = Effect.forEach(backends, (backend) => Effect.map(backend.pool.stats, ({ pending }) => pending))
      assert.deepStrictEqual(yield* pending, [1, 1])
      yield* held[0]!.giveBack
      yield* advance("300 millis")
      assert.deepStrictEqual(yield* Fiber.join(waiting), [1, 1])
    }))

  it.effect("goes on at once when its upstream is paused", () =>
    onFleet(inTurn({ each: { maxConnections: 1 } }), function*(fleet) {
      const { backends: [a, b] } = fleet
      const held = [yield* hold(a!.pool), yield* hold(b!.pool)]
      const two = yield* callers(fleet, 2)
      yield* settle
      yield* a!.pool.pause
      yield* settle
      assert.deepStrictEqual([(yield* a!.pool.stats).pending, (yield* b!.pool.stats).pending], [0, 2])
      yield* held[1]!.giveBack
      yield* advance(10)
      assert.deepStrictEqual((yield* Fiber.join(two)).map(({ upstream }) => upstream), [1, 1])
    }))

  it.effect("stays when all upstreams are paused, and is served after resume", () =>
    onFleet(inTurn({ each: { maxConnections: 1 } }), function*(fleet) {
      const held = yield* Effect.forEach(fleet.backends, (backend) => hold(backend.pool))
      const two = yield* callers(fleet, 2)
      yield* settle
      yield* fleet.pool.pause
      yield* advance("1 second")
      assert.strictEqual((yield* fleet.pool.stats).pending, 2)
      yield* Effect.forEach(held, ({ giveBack }) => giveBack)
      yield* fleet.pool.resume
      yield* advance(10)
      assert.strictEqual((yield* Fiber.join(two)).length, 2)
    }))

  it.effect("goes on through a balanced pool that is an upstream", () =>
    onFleet(inTurn({ weights: [1, 1, 1] }), function*(fleet) {
      const [a, b, c] = fleet.backends
      const inner = yield* BalancedPool.make([{ pool: a!.pool }, { pool: b!.pool }], {
        name: "inner",
        strategy: "roundRobin"
      })
      const outer = yield* BalancedPool.make([{ pool: inner }, { pool: c!.pool }], { strategy: "roundRobin" })
      for (const { gates } of [a!, b!]) gates.set("connect", "never")
      yield* c!.pool.warmUp(1)
      const one = yield* Effect.forkScoped(outer.withConnection(id))
      yield* advance("1 second")
      assert.strictEqual(yield* Fiber.join(one), 1)
      assert.deepStrictEqual(yield* leases(fleet), [0, 0, 1])
    }))

  it.effect("is failed with what its upstream says when there is no other", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const pool = yield* ConnectionPool.make(fake.connector, { name: "only", minConnections: 0, maxConnections: 1 })
      const balanced = yield* BalancedPool.make([{ pool }])
      const held = yield* hold(pool)
      const waiting = yield* Effect.forkScoped(balanced.withConnection(id))
      yield* settle
      yield* pool.pause
      yield* advance("1 second")
      assert.isUndefined(waiting.pollUnsafe())
      yield* pool.resume
      yield* held.giveBack
      yield* settle
      assert.strictEqual(yield* Fiber.join(waiting), 1)
    }))

  it.effect("goes back to an upstream it left when no other has a place for it", () =>
    onFleet(
      inTurn({ each: { maxConnections: 1, pendingLimit: 1, acquireTimeout: "5 seconds", retry: Schedule.recurs(0) } }),
      function*(fleet) {
        const { backends: [a, b], pool } = fleet
        a!.gates.set("connect", "slow")
        const held = yield* hold(b!.pool)
        const waiting = yield* Effect.forkScoped(pool.withConnection(id))
        yield* advance("400 millis")
        yield* held.giveBack
        // Taken at once, with one more in the queue, before the caller is sent there.
        const next = yield* Effect.forkScoped(b!.pool.withConnection(() => Effect.sleep("1 second")))
        yield* settle
        yield* advance("400 millis")
        assert.isUndefined(waiting.pollUnsafe())
        a!.gates.open("connect")
        yield* advance("1 second")
        yield* Fiber.join(waiting)
        yield* Fiber.join(next)
      }
    ))
})

describe("BalancedPool: an upstream whose connections break", () => {
  const setup = (strategy: BalancedPool.Strategy, options: Partial<Setup> = {}): Setup => ({
    weights: [1, 1, 1],
    strategy,
    slowStart: 0,
    each: { maxConnections: 20, connectRate: 1_000 },
    ...options
  })

  /** Thirty callers that ask again and again. At the first upstream each connection is cut in its second lease. */
  const load = (fleet: Fleet, millis: number) =>
    Effect.gen(function*() {
      const { gates } = fleet.backends[0]!
      const used = new Set<number>()
      const one = fleet.pool.withConnection((connection) => {
        if (!gates.fake.connections.includes(connection)) return Effect.sleep(20)
        if (!used.has(connection.id)) return Effect.as(Effect.sleep(1), used.add(connection.id))
        gates.fake.break(connection)
        return Effect.fail("cut")
      })
      const again = Effect.forever(Effect.andThen(Effect.ignore(one), Effect.sleep(1)))
      const all = yield* Effect.forkScoped(Effect.all(Arr.replicate(again, 30), { concurrency: "unbounded" }))
      for (let tick = 0; tick < millis; tick++) yield* TestClock.adjust(1)
      yield* Fiber.interrupt(all)
    })

  for (const strategy of ["powerOfTwoChoices", "leastUsed", "roundRobin"] as const) {
    it.effect(`is ejected without classify (${strategy})`, () =>
      onFleet(setup(strategy), function*(fleet) {
        yield* load(fleet, 300)
        assert.strictEqual((yield* fleet.pool.upstreams)[0]!.ejections, 1)
        const [a, b, c] = yield* leases(fleet)
        assert.isBelow(a!, 0.1 * (b! + c!))
      }), 20_000)
  }

  for (const strategy of ["powerOfTwoChoices", "leastUsed"] as const) {
    it.effect(
      `gets the least of the load even if it is not ejected (${strategy})`,
      () =>
        onFleet(setup(strategy, { outlierEjection: false }), function*(fleet) {
          yield* load(fleet, 300)
          const [a, b, c] = yield* leases(fleet)
          assert.isBelow(a!, Math.min(b!, c!))
        }),
      20_000
    )
  }

  it.effect("all at once, as in a restart, has failed once", () =>
    onFleet(setup("roundRobin", { weights: [1, 1], outlierEjection: { consecutiveFailures: 2 } }), function*(fleet) {
      const { gates } = fleet.backends[0]!
      const ask = fleet.pool.withConnection(() => Effect.delay(Effect.fail("cut"), "100 millis"))
      yield* Effect.forkScoped(Effect.forEach(Arr.range(1, 10), () => Effect.exit(ask), { concurrency: 10 }))
      yield* advance("50 millis")
      gates.fake.connections.forEach((connection) => gates.fake.break(connection))
      yield* advance("100 millis")
      assert.strictEqual((yield* fleet.backends[0]!.pool.stats).counts.retired.broken, 5)
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  it.effect("is none whose lease was interrupted or succeeded all the same", () =>
    onFleet(setup("roundRobin", { weights: [1, 1], outlierEjection: { consecutiveFailures: 1 } }), function*(fleet) {
      const cut = (then: Effect.Effect<unknown>) =>
        Effect.exit(fleet.pool.withConnection((connection) => {
          for (const { gates: { fake } } of fleet.backends) {
            if (fake.connections.includes(connection)) fake.break(connection)
          }
          return then
        }))
      yield* cut(Effect.interrupt)
      yield* cut(Effect.void)
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  it.effect("is told to classify", () => {
    const reports: Array<BalancedPool.LeaseReport> = []
    const classify: BalancedPool.Classify = (_, report) => {
      reports.push(report)
      return "ignore"
    }
    return onFleet(setup("roundRobin", { weights: [1, 1], classify }), function*({ backends: [a], pool }) {
      yield* Effect.exit(pool.withConnection((connection) => {
        a!.gates.fake.break(connection)
        return Effect.fail("cut")
      }))
      yield* pool.withConnection(id)
      assert.deepStrictEqual(reports, [{ isBroken: true }, { isBroken: false }])
    })
  })

  it.effect("and defects of a caller's own eject nobody", () =>
    onFleet(setup("roundRobin", { weights: [1, 1, 1, 1] }), function*(fleet) {
      yield* fleet.listen
      for (let lease = 0; lease < 100; lease++) yield* Effect.exit(fleet.pool.withConnection(() => Effect.die("bug")))
      assert.deepStrictEqual(only(fleet.events, "UpstreamEjected"), [])
    }))
})
