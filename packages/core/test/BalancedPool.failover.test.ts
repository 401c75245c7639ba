import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool } from "@effect-pools/core"
import { Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { advance, after, id, only, reason, settle } from "./utils/bench.ts"
import { hold, leases, onFleet, type Setup, states } from "./utils/upstreams.ts"

/** Each upstream in turn, dials that are tried once. */
const inTurn = (setup: Partial<Setup> = {}): Setup => ({
  weights: [1, 1],
  strategy: "roundRobin",
  slowStart: 0,
  ...setup,
  each: { retry: Schedule.recurs(0), ...setup.each }
})

/** Where a connection lent and a dial that takes most of a caller's time make it go on late. */
const oneSlowConnection = inTurn({
  each: { acquireTimeout: "2 seconds", maxConnections: 1, startup: "lazy" },
  backend: { delay: "1500 millis" }
})

describe("BalancedPool: a lease that can't begin", () => {
  it.effect("goes on to the next upstream when dials fail", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      backends[0]!.gates.set("connect", "fail")
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(yield* pool.withShared(id), 1)
      assert.strictEqual((yield* backends[0]!.pool.stats).counts.failed, 1)
    }))

  it.effect("goes on when the breaker is open", () =>
    onFleet(inTurn({ each: { breaker: { minimumDials: 1 } } }), function*(fleet) {
      const { backends, pool } = fleet
      backends[0]!.gates.set("connect", "fail")
      yield* pool.withConnection(id)
      // Not known to the balancer: the upstream is asked, and refuses.
      yield* reason(backends[0]!.pool.withConnection(id), "BreakerOpen")
      yield* pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [0, 2])
    }))

  it.effect("goes on when the queue is full", () =>
    onFleet(inTurn({ each: { maxConnections: 1, pendingLimit: 0 } }), function*({ backends, pool }) {
      yield* hold(backends[0]!.pool)
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual((yield* backends[0]!.pool.stats).counts.refused, 1)
      yield* hold(backends[1]!.pool)
      yield* reason(pool.withConnection(id), "QueueFull")
    }))

  it.effect("goes on when its upstream is paused or drained, waiters of the drained one too", () =>
    onFleet(inTurn({ each: { maxConnections: 1, drainTimeout: "1 second" } }), function*({ backends, pool }) {
      const [a, b] = backends
      yield* a!.pool.pause
      for (let lease = 0; lease < 4; lease++) yield* pool.withConnection(id)
      // Those after the first did not even ask.
      assert.strictEqual((yield* a!.pool.stats).counts.refused, 1)
      yield* a!.pool.resume
      yield* advance("1 second")
      const held = yield* hold(b!.pool)
      yield* hold(a!.pool)
      const waiting = yield* Effect.forkScoped(Effect.all([pool.withConnection(id), pool.withConnection(id)], {
        concurrency: 2
      }))
      yield* settle
      assert.deepStrictEqual([(yield* a!.pool.stats).pending, (yield* b!.pool.stats).pending], [1, 1])
      yield* Effect.forkScoped(a!.pool.drain)
      yield* advance("1 second")
      assert.strictEqual((yield* b!.pool.stats).pending, 2)
      yield* held.giveBack
      assert.deepStrictEqual(yield* Fiber.join(waiting), [1, 1])
    }))

  it.effect("tries each upstream once and fails with the last error", () =>
    onFleet(inTurn({ weights: [1, 1, 1] }), function*({ backends, pool }) {
      for (const { gates } of backends) gates.set("connect", "fail")
      const error = yield* Effect.flip(pool.withConnection(id))
      assert.deepStrictEqual([error.pool, error.reason._tag], ["c", "ConnectFailed"])
      assert.deepStrictEqual(backends.map(({ gates }) => gates.calls("connect")), [1, 1, 1])
    }))

  it.effect("comes last to an upstream that waits in vain, so that its error tells most", () =>
    onFleet(inTurn({ weights: [1, 1, 1] }), function*({ backends, pool }) {
      const [a, b, c] = backends
      a!.gates.set("connect", "fail")
      yield* b!.pool.pause
      yield* c!.pool.drain
      yield* Effect.exit(a!.pool.withConnection(id))
      yield* pool.upstreams
      const error = yield* Effect.flip(pool.withConnection(id))
      assert.deepStrictEqual([error.pool, error.reason._tag], ["a", "ConnectFailed"])
    }))

  it.effect("does not go on when its time is up", () =>
    onFleet(inTurn({ each: { maxConnections: 1, acquireTimeout: "2 seconds" } }), function*({ backends, pool }) {
      for (const backend of backends) yield* hold(backend.pool)
      const late = yield* after("2 seconds", Effect.flip(pool.withConnection(id)))
      assert(late !== undefined && Exit.isSuccess(late))
      assert.deepStrictEqual([late.value.pool, late.value.reason._tag], ["a", "AcquireTimeout"])
    }))

  it.effect("does not go on when its time is up at the second", () =>
    onFleet(
      inTurn({
        weights: [1, 1, 1],
        hedgeAfter: "1 minute",
        each: { acquireTimeout: "2 seconds", startup: "lazy" },
        backend: { initial: { connect: "slowFail" }, delay: "1500 millis" }
      }),
      function*({ backends, pool }) {
        const exit = yield* after("2 seconds", Effect.flip(pool.withConnection(id)))
        assert(exit !== undefined && Exit.isSuccess(exit))
        assert.deepStrictEqual([exit.value.pool, exit.value.reason._tag], ["b", "AcquireTimeout"])
        assert.strictEqual(backends[2]!.gates.calls("connect"), 0)
      }
    ))

  for (const way of ["withConnection", "withShared", "acquire"] as const) {
    it.effect(`ends within acquireTimeout in all, wherever it waits (${way})`, () =>
      onFleet(
        oneSlowConnection,
        function*({ backends: [a, b], pool }) {
          a!.gates.set("connect", "slowFail")
          yield* hold(b!.pool)
          const lease = way === "acquire" ? Effect.scoped(Effect.asVoid(pool.acquire)) : Effect.asVoid(pool[way](id))
          const asked = yield* Effect.forkScoped(Effect.flip(lease))
          yield* settle
          yield* advance("1999 millis")
          assert.deepStrictEqual([asked.pollUnsafe(), (yield* b!.pool.stats).pending], [undefined, 1])
          yield* advance("1 millis")
          const { pool: name, reason } = yield* Fiber.join(asked)
          assert(reason._tag === "AcquireTimeout")
          assert.deepStrictEqual([name, reason.waited, reason.elsewhere], ["b", 2000, 1500])
          const told =
            "no connection within 2000 ms (acquireTimeout), 1500 ms of them at other upstreams, while waiting;"
          assert.include(reason.message, told)
          const { counts, pending, wait } = yield* b!.pool.stats
          assert.deepStrictEqual([counts.timedOut, pending, wait.max], [1, 0, 500])
        }
      ))
  }

  it.effect("that came late to an upstream can't tell whether that one's dials hang", () =>
    onFleet(
      inTurn({
        hedgeAfter: "1 minute",
        each: { acquireTimeout: "2 seconds", startup: "lazy" },
        backend: { delay: "1500 millis" }
      }),
      function*({ backends: [a, b], pool }) {
        a!.gates.set("connect", "slowFail")
        b!.gates.set("connect", "slow")
        const exit = yield* after("2 seconds", Effect.flip(pool.withConnection(id)))
        assert(exit !== undefined && Exit.isSuccess(exit) && exit.value.reason._tag === "AcquireTimeout")
        assert.strictEqual((yield* pool.upstreams)[1]!.state, "in")
      }
    ))

  it.effect("waits at the next upstream no longer than that one's own acquireTimeout", () =>
    onFleet(inTurn({ each: { acquireTimeout: "2 seconds", maxConnections: 1, startup: "lazy" } }), function*(fleet) {
      const { backends: [a, b] } = fleet
      const patient = yield* ConnectionPool.make(a!.gates.connector, {
        name: "patient",
        acquireTimeout: "1 hour",
        minConnections: 0,
        retry: Schedule.recurs(0)
      })
      const pool = yield* BalancedPool.make([{ pool: patient }, { pool: b!.pool }], { strategy: "roundRobin" })
      a!.gates.set("connect", "fail")
      yield* hold(b!.pool)
      const exit = yield* after("2 seconds", Effect.flip(pool.withConnection(id)))
      assert(exit !== undefined && Exit.isSuccess(exit) && exit.value.reason._tag === "AcquireTimeout")
      assert.deepStrictEqual([exit.value.reason.waited, exit.value.reason.elsewhere], [2000, 0])
    }))

  it.effect("may be served at the next upstream in what is left of its time, and then runs as long as it likes", () =>
    onFleet(
      oneSlowConnection,
      function*({ backends: [a, b], pool }) {
        a!.gates.set("connect", "slowFail")
        const held = yield* hold(b!.pool)
        const lease = yield* Effect.forkScoped(pool.withConnection((it) => Effect.delay(id(it), "1 minute")))
        yield* advance("1900 millis")
        yield* held.giveBack
        yield* advance("59 seconds")
        assert.isUndefined(lease.pollUnsafe())
        yield* advance("1 seconds")
        assert.strictEqual(yield* Fiber.join(lease), 1)
      }
    ))

  it.effect("keeps to its time where balanced pools are upstreams of another", () =>
    onFleet(
      inTurn({
        weights: [1, 1, 1],
        each: { acquireTimeout: "2 seconds", maxConnections: 1, startup: "lazy" },
        backend: { delay: "700 millis" }
      }),
      function*({ backends: [a, b, c] }) {
        const options = { strategy: "roundRobin", hedgeAfter: "1 minute" } as const
        const inner = yield* BalancedPool.make([{ pool: b!.pool }, { pool: c!.pool }], { name: "inner", ...options })
        const outer = yield* BalancedPool.make([{ pool: a!.pool }, { pool: inner }], options)
        for (const { gates } of [a!, b!]) gates.set("connect", "slowFail")
        yield* hold(c!.pool)
        const exit = yield* after("2 seconds", Effect.flip(outer.withConnection(id)))
        assert(exit !== undefined && Exit.isSuccess(exit) && exit.value.reason._tag === "AcquireTimeout")
        const { pool: name, reason } = exit.value
        assert.deepStrictEqual([name, reason.waited, reason.elsewhere], ["c", 2000, 1400])
      }
    ))

  it.effect("ends at once when its caller is interrupted", () =>
    onFleet(inTurn({ each: { maxConnections: 1 } }), function*(fleet) {
      yield* hold(fleet.backends[0]!.pool)
      const waiting = yield* Effect.forkScoped(fleet.pool.withConnection(id))
      yield* settle
      assert.deepStrictEqual((yield* fleet.pool.upstreams).map(({ inFlight }) => inFlight), [1, 0])
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual((yield* fleet.pool.upstreams).map(({ inFlight }) => inFlight), [0, 0])
      assert.deepStrictEqual(yield* leases(fleet), [1, 0])
    }))

  it.effect("ends at once when its caller is interrupted while it waits for a scope", () =>
    onFleet(inTurn({ each: { maxConnections: 1 } }), function*({ backends, pool }) {
      yield* hold(backends[0]!.pool)
      const waiting = yield* Effect.forkScoped(Effect.scoped(pool.acquire))
      yield* settle
      waiting.interruptUnsafe()
      yield* settle
      assert.isDefined(waiting.pollUnsafe())
    }))

  it.effect("for a scope goes on too", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      backends[0]!.gates.set("connect", "fail")
      const connection = yield* Effect.scoped(pool.acquireWith({ label: "scoped" }))
      assert.include(backends[1]!.gates.fake.connections, connection)
    }))
})

describe("BalancedPool: a lease that began", () => {
  it.effect("never goes on, not even with the error of a pool", () =>
    onFleet(inTurn(), function*({ backends, pool }) {
      yield* backends[1]!.pool.pause
      let began = 0
      const inner = yield* Effect.flip(pool.withConnection(() => {
        began++
        return backends[1]!.pool.withConnection(id)
      }))
      assert.deepStrictEqual([began, inner.reason._tag], [1, "PoolPaused"])
    }))

  it.effect("never goes on when the function that makes its effect throws", () =>
    onFleet(inTurn(), function*({ pool }) {
      let began = 0
      const exit = yield* Effect.exit(pool.withConnection((): Effect.Effect<void> => {
        began++
        throw new Error("bug")
      }))
      assert.deepStrictEqual([began, Exit.isFailure(exit)], [1, true])
    }))
})

describe("BalancedPool: an upstream that can't connect", () => {
  it.effect("is left alone until its pool can, and the balancer keeps trying", () =>
    onFleet(inTurn(), function*(fleet) {
      const { backends, pool } = fleet
      const [a] = backends
      a!.gates.set("connect", "fail")
      yield* pool.withConnection(id)
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
      const asked = (yield* a!.pool.stats).counts.failed
      for (let lease = 0; lease < 5; lease++) yield* pool.withConnection(id)
      assert.strictEqual((yield* a!.pool.stats).counts.failed, asked)
      const dialled = a!.gates.calls("connect")
      yield* advance("1 minute")
      assert.isAbove(a!.gates.calls("connect"), dialled)
      a!.gates.set("connect", "ok")
      yield* advance("1 minute")
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      assert.strictEqual((yield* leases(fleet))[0], 1)
    }))

  it.effect("is found out by its pool's numbers before a caller is failed", () =>
    onFleet(
      inTurn({ each: { retry: Schedule.spaced("10 minutes"), acquireTimeout: "1 hour" } }),
      function*(fleet) {
        const { backends, pool } = fleet
        backends[0]!.gates.set("connect", "fail")
        yield* Effect.forkScoped(backends[0]!.pool.withConnection(id))
        yield* settle
        yield* advance("1 second")
        for (let lease = 0; lease < 4; lease++) yield* pool.withConnection(id)
        assert.deepStrictEqual(yield* leases(fleet), [0, 4])
      }
    ))

  it.effect("is found out by a caller whose dial hung for all of its time", () =>
    onFleet(inTurn({ each: { acquireTimeout: "500 millis" } }), function*(fleet) {
      fleet.backends[0]!.gates.set("connect", "never", "ok")
      yield* after("500 millis", fleet.pool.withConnection(id))
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
    }))

  it.effect("is not one whose connections are all lent when a caller's time is up", () =>
    onFleet(
      inTurn({
        each: { maxConnections: 1, acquireTimeout: "500 millis" },
        outlierEjection: { consecutiveFailures: 1 }
      }),
      function*(fleet) {
        yield* hold(fleet.backends[0]!.pool)
        yield* after("500 millis", fleet.pool.withConnection(id))
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      }
    ))

  it.effect("gets leases from the moment its pool has a connection", () =>
    onFleet(inTurn(), function*(fleet) {
      const { backends, pool } = fleet
      const { gates } = backends[0]!
      gates.set("connect", "fail", "slow")
      yield* pool.withConnection(id)
      while (gates.running("connect") === 0) yield* advance("1 second")
      gates.open("connect")
      yield* settle
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      assert.deepStrictEqual(yield* leases(fleet), [1, 2])
    }))

  it.effect("is tried by one at a time, and not while its pool is paused", () =>
    onFleet(inTurn(), function*({ backends }) {
      const [a, b] = backends
      let warmUps = 0
      const warmUp = (count?: number) => Effect.andThen(Effect.sync(() => warmUps++), a!.pool.warmUp(count))
      const pool = yield* BalancedPool.make([{ pool: { ...a!.pool, warmUp } }, { pool: b!.pool }], {
        strategy: "roundRobin"
      })
      a!.gates.set("connect", "fail", "never")
      yield* a!.pool.pause
      yield* Effect.exit(a!.pool.warmUp(1))
      yield* pool.upstreams
      yield* advance("5 seconds")
      assert.strictEqual(warmUps, 0)
      yield* a!.pool.resume
      yield* advance("5 seconds")
      assert.strictEqual(warmUps, 1)
    }))

  it.effect("is not one that has a connection while further dials fail", () =>
    onFleet(inTurn(), function*(fleet) {
      const { gates, pool } = fleet.backends[0]!
      const held = yield* hold(pool)
      gates.set("connect", "fail")
      const waiting = yield* Effect.forkScoped(pool.withConnection(id))
      yield* advance("1 second")
      assert.isAbove((yield* pool.stats).counts.failedToOpen, 0)
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      yield* held.giveBack
      yield* Fiber.join(waiting)
    }))

  it.effect("is not one that could not long ago, and is empty now", () =>
    onFleet(inTurn(), function*({ backends }) {
      const { gates, pool } = backends[0]!
      gates.set("connect", "fail", "ok")
      yield* Effect.exit(pool.withConnection(id))
      yield* advance("10 seconds")
      yield* pool.withConnection(id)
      yield* pool.retireAll
      yield* settle
      assert.strictEqual((yield* pool.stats).total, 0)
      const balanced = yield* BalancedPool.make([{ pool }])
      assert.deepStrictEqual((yield* balanced.upstreams).map(({ state }) => state), ["in"])
    }))

  it.effect("comes back with little load", () =>
    onFleet(inTurn({ slowStart: "20 seconds" }), function*(fleet) {
      fleet.backends[0]!.gates.set("connect", "fail", "ok")
      yield* fleet.pool.withConnection(id)
      while ((yield* states(fleet))[0] === "unavailable") yield* advance("1 second")
      assert.deepStrictEqual(yield* states(fleet), ["warming", "in"])
      yield* advance("20 seconds")
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  it.effect("counts once however many callers waited for it, and once more each time it begins anew", () =>
    onFleet(
      inTurn({
        each: { retry: Schedule.recurs(0), maxConnections: 10 },
        hedgeAfter: "1 minute",
        backend: { delay: "1 second" },
        outlierEjection: { consecutiveFailures: 2 }
      }),
      function*(fleet) {
        yield* fleet.listen
        const { gates } = fleet.backends[0]!
        for (const ejections of [0, 1]) {
          gates.set("connect", "slowFail")
          yield* Effect.forkScoped(Effect.all(Array.from({ length: 12 }, () => fleet.pool.withConnection(id)), {
            concurrency: "unbounded"
          }))
          yield* advance("1 second")
          assert.strictEqual(only(fleet.events, "UpstreamEjected").length, ejections)
          gates.set("connect", "ok")
          while ((yield* states(fleet))[0] === "unavailable") yield* advance("1 second")
          yield* fleet.pool.retireAll
          yield* settle
        }
      }
    ))

  it.effect("tells how many connections nobody can wait for, of all upstreams together", () =>
    onFleet(inTurn({ weights: [1, 1, 1], each: { maxConnections: 2 } }), function*({ backends, pool }) {
      for (const { pool: own } of backends) {
        yield* Effect.forkScoped(own.withConnection(() => Effect.never, { isLongLived: true }))
      }
      yield* settle
      assert.strictEqual((yield* pool.stats).outOfReach, 0)
      for (const { gates, pool: own } of backends.slice(0, 2)) {
        gates.set("connect", "fail")
        yield* Effect.forkScoped(Effect.exit(own.withConnection(id)))
      }
      yield* settle
      assert.strictEqual((yield* pool.stats).outOfReach, 2)
    }))

  it.effect("costs a caller no more than its acquireTimeout when all dials hang", () =>
    onFleet(
      inTurn({
        each: { acquireTimeout: "2 seconds", connectTimeout: "1 second", drainTimeout: "1 second" },
        backend: { initial: { connect: "never" } }
      }),
      function*({ pool }) {
        const [took, exit] = yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkScoped(Effect.timed(Effect.exit(pool.withConnection(id))))
          yield* advance("10 seconds")
          return yield* Fiber.join(fiber)
        })
        assert(Exit.isFailure(exit))
        assert.isAtMost(Duration.toMillis(took), 4_000)
      }
    ))
})
