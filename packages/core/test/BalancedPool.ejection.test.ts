import { assert, describe, it } from "@effect/vitest"
import type { BalancedPool } from "@effect-pools/core"
import { Cause, Deferred, Effect, Exit, Fiber, Metric, Schedule } from "effect"
import { advance, id, only, settle } from "./utils/bench.ts"
import { type Fleet, leases, onFleet, type Setup, states } from "./utils/upstreams.ts"

/** Leases in turn, each of which dies if `isSick` says so of its upstream. */
const rounds = ({ backends, pool }: Fleet, many: number, isSick: (upstream: number) => boolean) =>
  Effect.forEach(
    Array.from({ length: many }),
    () =>
      Effect.exit(pool.withConnection((connection) => {
        const index = backends.findIndex(({ gates }) => gates.fake.connections.includes(connection))
        return isSick(index) ? Effect.die(new Error("sick")) : Effect.void
      })),
    { discard: true }
  )

const all = () => true
const only0 = (upstream: number): boolean => upstream === 0

/** A lease that dies is a failure of its upstream. */
const classify: BalancedPool.Classify = (exit) =>
  Exit.isSuccess(exit)
    ? "success"
    : Cause.hasDies(exit.cause) && !Cause.hasInterrupts(exit.cause)
    ? "failure"
    : "ignore"

/** Round robin, so that each upstream has its turn, and full weight at once. */
const plain = { strategy: "roundRobin", slowStart: 0, classify } as const

const twoOf = (setup: Partial<Setup> = {}): Setup => ({ weights: [1, 1], ...plain, ...setup })

describe("BalancedPool: ejection", () => {
  it.effect("five failures in a row eject an upstream for thirty seconds", () =>
    onFleet(twoOf(), function*(fleet) {
      yield* fleet.listen
      yield* rounds(fleet, 8, only0)
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      yield* rounds(fleet, 2, only0)
      assert.deepStrictEqual(yield* states(fleet), ["ejected", "in"])
      const before = yield* leases(fleet)
      yield* rounds(fleet, 4, only0)
      assert.deepStrictEqual(yield* leases(fleet), [before[0]!, before[1]! + 4])
      yield* advance("10 seconds")
      const [info] = yield* fleet.pool.upstreams
      assert.deepInclude(info!, {
        state: "ejected",
        effectiveWeight: 0,
        ejections: 1,
        ejectedBecause: "consecutiveFailures",
        ejectedFor: 10_000,
        returnsIn: 20_000
      })
      yield* advance("20 seconds")
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      assert.deepStrictEqual(
        [...only(fleet.events, "UpstreamEjected"), ...only(fleet.events, "UpstreamReturned")],
        [
          {
            _tag: "UpstreamEjected",
            pool: "all",
            at: 0,
            upstream: "a",
            because: "consecutiveFailures",
            forMillis: 30_000
          },
          { _tag: "UpstreamReturned", pool: "all", at: 30_000, upstream: "a" }
        ]
      )
    }))

  it.effect("an ejection is logged and counted", () =>
    onFleet(twoOf({ outlierEjection: { consecutiveFailures: 1 } }), function*(fleet) {
      yield* rounds(fleet, 1, only0)
      yield* settle
      assert.deepInclude(fleet.logs, {
        level: "Warn",
        text: "upstream a is ejected for 30000 ms (consecutiveFailures)",
        pool: "all"
      })
      const metrics = yield* Metric.snapshot
      const counted = metrics.find(({ id }) => id === "service_pool_ejections_total")
      assert.deepInclude(counted?.attributes, { pool: "all", upstream: "a" })
    }))

  it.effect("without metrics it is not counted", () =>
    onFleet(twoOf({ each: { metrics: false }, outlierEjection: { consecutiveFailures: 1 } }), function*(fleet) {
      yield* rounds(fleet, 1, only0)
      yield* settle
      assert.deepStrictEqual(yield* states(fleet), ["ejected", "in"])
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }))

  it.effect("an ejection that is over makes room for the next", () =>
    onFleet(
      twoOf({ outlierEjection: { consecutiveFailures: 1, baseEjectionTime: "1 second" } }),
      function*(fleet) {
        yield* advance("500 millis")
        // The lease of the first upstream fails when the second is back and nobody has had reason to look at it.
        const late = Effect.andThen(Effect.sleep("1200 millis"), Effect.die(new Error("late")))
        yield* Effect.forkScoped(Effect.exit(fleet.pool.withConnection(() => late)))
        yield* settle
        yield* rounds(fleet, 1, (upstream) => upstream === 1)
        assert.deepStrictEqual(yield* states(fleet), ["in", "ejected"])
        yield* advance("1200 millis")
        assert.deepStrictEqual(yield* states(fleet), ["ejected", "in"])
      }
    ))

  it.effect("too large a share of failures ejects", () =>
    onFleet(
      twoOf({ outlierEjection: { failureRate: 0.4, minimumLeases: 10, interval: "5 seconds" } }),
      function*(fleet) {
        // Two of five fail, never five in a row.
        let turn = 0
        const isSick = (upstream: number) => upstream === 0 && turn++ % 5 < 2
        yield* rounds(fleet, 19, isSick)
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
        yield* rounds(fleet, 2, isSick)
        assert.deepStrictEqual(yield* states(fleet), ["ejected", "in"])
        assert.strictEqual((yield* fleet.pool.upstreams)[0]!.ejectedBecause, "failureRate")
      }
    ))

  it.effect("a share of failures is that of one interval", () =>
    onFleet(
      twoOf({ outlierEjection: { minimumLeases: 4, failureRate: 0.5, interval: "5 seconds" } }),
      function*(fleet) {
        yield* rounds(fleet, 6, only0)
        yield* advance("5 seconds")
        yield* rounds(fleet, 1, only0)
        yield* rounds(fleet, 9, () => false)
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      }
    ))

  it.effect("each ejection in a row lasts a base time longer, up to the longest", () =>
    onFleet(
      twoOf({
        outlierEjection: { consecutiveFailures: 1, baseEjectionTime: "10 seconds", maxEjectionTime: "25 seconds" }
      }),
      function*(fleet) {
        yield* fleet.listen
        for (const wait of [10, 20, 25]) {
          yield* rounds(fleet, 2, only0)
          yield* advance(`${wait} seconds`)
        }
        yield* settle
        assert.deepStrictEqual(only(fleet.events, "UpstreamEjected").map(({ forMillis }) => forMillis), [
          10_000,
          20_000,
          25_000
        ])
        assert.strictEqual(only(fleet.events, "UpstreamReturned").length, 3)
      }
    ))

  it.effect.each([[2, 0.5, 1], [3, 0.5, 1], [4, 0.5, 2], [4, 0.1, 1], [4, 1, 4], [1, 1, 0]])(
    "of %i upstreams with maxEjectedShare %f at most %i are ejected at once",
    ([upstreams, maxEjectedShare, most]) =>
      onFleet({
        weights: Array.from({ length: upstreams! }, () => 1),
        ...plain,
        outlierEjection: { consecutiveFailures: 1, maxEjectedShare: maxEjectedShare! }
      }, function*(fleet) {
        yield* rounds(fleet, 20, all)
        const ejected = (yield* states(fleet)).filter((state) => state === "ejected")
        assert.strictEqual(ejected.length, most)
      })
  )

  it.effect("no ejection at all with outlierEjection false", () =>
    onFleet(twoOf({ outlierEjection: false, classify: undefined }), function*(fleet) {
      yield* rounds(fleet, 40, all)
      assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
    }))

  it.effect("when too few are available, ejection is ignored", () =>
    onFleet({ weights: [1, 1, 1], ...plain, outlierEjection: { consecutiveFailures: 1 } }, function*(fleet) {
      yield* rounds(fleet, 3, only0)
      yield* fleet.backends[1]!.pool.pause
      yield* advance("1 second")
      assert.deepStrictEqual(yield* states(fleet), ["ejected", "unavailable", "in"])
      assert.deepStrictEqual((yield* fleet.pool.upstreams).map(({ effectiveWeight }) => effectiveWeight), [1, 0, 1])
      const before = yield* leases(fleet)
      yield* rounds(fleet, 10, () => false)
      const [a, b, c] = yield* leases(fleet)
      assert.deepStrictEqual([a! + c!, b], [before[0]! + before[2]! + 10, before[1]])
      assert.strictEqual((yield* fleet.backends[1]!.pool.stats).counts.refused, 0)
      assert.approximately(a! - before[0]!, 5, 1)
    }))

  it.effect("with panicThreshold 0 ejected upstreams are used only when no other is left", () =>
    onFleet(
      { weights: [1, 1, 1], ...plain, panicThreshold: 0, outlierEjection: { consecutiveFailures: 1 } },
      function*(fleet) {
        yield* rounds(fleet, 3, only0)
        yield* fleet.backends[1]!.pool.pause
        yield* advance("1 second")
        const before = yield* leases(fleet)
        yield* rounds(fleet, 10, () => false)
        assert.deepStrictEqual(yield* leases(fleet), [before[0]!, before[1]!, before[2]! + 10])
        yield* fleet.backends[2]!.pool.pause
        yield* advance("1 second")
        yield* fleet.pool.withConnection(id)
        assert.deepStrictEqual(yield* leases(fleet), [before[0]! + 1, before[1]!, before[2]! + 10])
      }
    ))

  it.effect("with all ejected all are used", () =>
    onFleet(
      twoOf({ panicThreshold: 0, outlierEjection: { consecutiveFailures: 1, maxEjectedShare: 1 } }),
      function*(fleet) {
        yield* rounds(fleet, 2, all)
        assert.deepStrictEqual(yield* states(fleet), ["ejected", "ejected"])
        yield* rounds(fleet, 10, () => false)
        assert.deepStrictEqual(yield* leases(fleet), [6, 6])
      }
    ))

  it.effect("an upstream that returns gets its share little by little", () =>
    onFleet({
      weights: [2, 2],
      ...plain,
      slowStart: "10 seconds",
      outlierEjection: { consecutiveFailures: 1, baseEjectionTime: "1 second" }
    }, function*(fleet) {
      yield* rounds(fleet, 1, only0)
      yield* advance("1 second")
      const weightOf = (index: number) => Effect.map(fleet.pool.upstreams, (all) => all[index]!.effectiveWeight)
      assert.deepStrictEqual(yield* states(fleet), ["warming", "in"])
      assert.strictEqual(yield* weightOf(0), 0.2)
      const before = yield* leases(fleet)
      yield* rounds(fleet, 44, () => false)
      const after = yield* leases(fleet)
      assert.approximately(after[0]! - before[0]!, 4, 1)
      yield* advance("5 seconds")
      assert.strictEqual(yield* weightOf(0), 1)
      yield* advance("5 seconds")
      assert.deepStrictEqual([yield* weightOf(0), yield* states(fleet)], [2, ["in", "in"]])
    }))

  it.effect("an upstream gets leases from the moment its time is up", () =>
    onFleet(
      twoOf({ outlierEjection: { consecutiveFailures: 1, baseEjectionTime: "1 second" } }),
      function*(fleet) {
        yield* advance("500 millis")
        yield* rounds(fleet, 1, only0)
        yield* advance("999 millis")
        yield* rounds(fleet, 2, only0)
        assert.deepStrictEqual(yield* leases(fleet), [1, 2])
        yield* advance(1)
        yield* rounds(fleet, 2, () => false)
        assert.deepStrictEqual(yield* leases(fleet), [2, 3])
      }
    ))

  it.effect("a lease from before the return says nothing about the upstream after it", () =>
    onFleet(
      twoOf({ outlierEjection: { consecutiveFailures: 2, baseEjectionTime: "1 second" } }),
      function*(fleet) {
        const late = yield* Deferred.make<void>()
        const old = yield* Effect.forkScoped(
          Effect.exit(
            fleet.pool.withConnection(() => Effect.andThen(Deferred.await(late), Effect.die(new Error("late"))))
          )
        )
        yield* settle
        yield* rounds(fleet, 4, only0)
        yield* advance("1 second")
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
        yield* Deferred.succeed(late, undefined)
        yield* Fiber.join(old)
        yield* rounds(fleet, 1, only0)
        yield* rounds(fleet, 1, only0)
        assert.deepStrictEqual(yield* states(fleet), ["in", "in"])
      }
    ))
})

describe("BalancedPool: a lease that went on to an upstream", () => {
  it.effect("is judged from the time it came there", () =>
    onFleet(
      twoOf({
        each: { retry: Schedule.recurs(0) },
        backend: { delay: "2 seconds" },
        outlierEjection: { consecutiveFailures: 2, baseEjectionTime: "1 second" }
      }),
      function*(fleet) {
        const { backends, listen, pool } = fleet
        yield* listen
        yield* advance("500 millis")
        yield* rounds(fleet, 4, (upstream) => upstream === 1)
        assert.deepStrictEqual(yield* states(fleet), ["in", "ejected"])
        yield* backends[0]!.pool.retireAll
        backends[0]!.gates.set("connect", "slowFail")
        // Both ask while the other upstream is ejected, and get there after its return.
        const sick = pool.withConnection(() => Effect.die(new Error("sick")))
        yield* Effect.forkScoped(Effect.all([sick, sick].map(Effect.exit), { concurrency: 2 }))
        yield* advance("2 seconds")
        const ejected = only(fleet.events, "UpstreamEjected").map(({ upstream }) => upstream)
        assert.deepStrictEqual(ejected, ["b", "b"])
      }
    ))
})

describe("BalancedPool: what counts as a failure", () => {
  const strict = (setup: Partial<Setup> = {}): Setup => twoOf({ outlierEjection: { consecutiveFailures: 1 }, ...setup })
  const ejected = (fleet: Fleet) =>
    Effect.map(states(fleet), (all) => all.filter((state) => state === "ejected").length)

  it.effect("by default nothing that a caller's own effect ends with, not even a defect", () =>
    onFleet(strict({ classify: undefined }), function*(fleet) {
      yield* Effect.exit(fleet.pool.withConnection(() => Effect.fail("mine")))
      yield* Effect.exit(fleet.pool.withConnection(() => Effect.interrupt))
      yield* Effect.exit(fleet.pool.withConnection(() => Effect.die("bug")))
      yield* Effect.exit(fleet.pool.withShared(() => Effect.die("bug")))
      yield* Effect.exit(Effect.scoped(Effect.andThen(fleet.pool.acquire, Effect.die("bug"))))
      assert.strictEqual(yield* ejected(fleet), 0)
    }))

  it.effect("what is ignored does not break a run of failures", () =>
    onFleet({ weights: [1, 1], ...plain, outlierEjection: { consecutiveFailures: 2 } }, function*(fleet) {
      // Each effect is for the upstream `a`; in between comes one for `b`.
      for (const effect of [Effect.die("bug"), Effect.fail("mine"), Effect.die("bug")]) {
        yield* Effect.exit(fleet.pool.withConnection(() => effect))
        yield* fleet.pool.withConnection(id)
      }
      assert.strictEqual(yield* ejected(fleet), 1)
    }))

  it.effect("classify judges every lease that began, by the exit of the caller's own effect", () => {
    const seen: Array<Exit.Exit<unknown, unknown>> = []
    const classify = (exit: Exit.Exit<unknown, unknown>) => {
      seen.push(exit)
      return Exit.isSuccess(exit) && exit.value === 503 ? "failure" : "success"
    }
    return onFleet(strict({ classify }), function*(fleet) {
      yield* Effect.exit(fleet.pool.withConnection(() => Effect.die("bug")))
      yield* Effect.exit(fleet.pool.withShared(() => Effect.interrupt))
      yield* Effect.exit(fleet.pool.withConnection(() => Effect.fail("mine")))
      assert.strictEqual(yield* ejected(fleet), 0)
      yield* fleet.pool.withConnection(() => Effect.succeed(503))
      assert.strictEqual(yield* ejected(fleet), 1)
      assert.strictEqual(seen.length, 4)
    })
  })

  it.effect("a scoped lease is judged by how its scope ends", () =>
    onFleet(strict(), function*(fleet) {
      yield* Effect.scoped(fleet.pool.acquire)
      assert.strictEqual(yield* ejected(fleet), 0)
      yield* Effect.exit(Effect.scoped(Effect.andThen(fleet.pool.acquire, Effect.die("bug"))))
      assert.strictEqual(yield* ejected(fleet), 1)
    }))

  it.effect("a classify that throws has nothing against the upstream", () =>
    onFleet(
      strict({
        classify: () => {
          throw new Error("bug")
        }
      }),
      function*(fleet) {
        assert.isNumber(yield* fleet.pool.withConnection(id))
        assert.strictEqual(yield* ejected(fleet), 0)
      }
    ))

  it.effect("a refused caller counts for nothing", () =>
    onFleet(strict(), function*(fleet) {
      yield* fleet.backends[0]!.pool.pause
      for (let lease = 0; lease < 6; lease++) yield* fleet.pool.withConnection(id)
      assert.strictEqual(yield* ejected(fleet), 0)
      assert.deepStrictEqual(yield* states(fleet), ["unavailable", "in"])
    }))
})
