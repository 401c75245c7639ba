import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool, PoolSizing, type PoolStats } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Given, statsOf } from "./support/stats.ts"

const load: PoolSizing.Load = {
  cores: 16,
  memory: 8192,
  serverMaxConnections: 100,
  instances: 1,
  meanQueryTime: "10 millis",
  targetRate: 1000
}

describe("PoolSizing.recommend", () => {
  it("asks for what the rate needs and 30 % more room", () => {
    // 1000 a second for 10 ms each keep 10 connections busy; 10 of 15 are 67 %.
    assert.deepStrictEqual(PoolSizing.recommend(load), {
      minConnections: 3,
      maxConnections: 15,
      because: "demand",
      demand: 15
    })
  })

  it.each<readonly [Partial<PoolSizing.Load>, PoolSizing.Sizing]>([
    [{ cores: 4 }, { minConnections: 2, maxConnections: 9, because: "cores", demand: 15 }],
    [{ memory: 60 }, { minConnections: 2, maxConnections: 6, because: "memory", demand: 15 }],
    [{ serverMaxConnections: 13 }, {
      minConnections: 2,
      maxConnections: 10,
      because: "serverMaxConnections",
      demand: 15
    }]
  ])("is bound by %o, and says so", (given, expected) => {
    assert.deepStrictEqual(PoolSizing.recommend({ ...load, ...given }), expected)
  })

  it("divides among the instances both the rate and what the server bears", () => {
    assert.deepStrictEqual(PoolSizing.recommend({ ...load, targetRate: 10_000, instances: 3 }), {
      minConnections: 2,
      maxConnections: 11,
      because: "cores",
      demand: 48
    })
  })

  it("never recommends a pool without connections, or one that keeps more than it may have", () => {
    const tiny = { ...load, cores: 1, memory: 5, serverMaxConnections: 2, instances: 10, targetRate: 0.1 }
    assert.deepStrictEqual(PoolSizing.recommend(tiny), {
      minConnections: 1,
      maxConnections: 1,
      because: "demand",
      demand: 1
    })
  })

  const positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))

  it.prop("gives sizes that all instances together can have, one connection each at least", {
    cores: positive,
    memory: positive,
    serverMaxConnections: positive,
    instances: positive,
    meanQueryTime: positive,
    targetRate: positive
  }, (load) => {
    const { demand, maxConnections, minConnections } = PoolSizing.recommend(load)
    assert.isTrue(Number.isInteger(minConnections) && Number.isInteger(maxConnections))
    assert.isTrue(1 <= minConnections && minConnections <= maxConnections && maxConnections <= demand)
    assert.isTrue(maxConnections === 1 || maxConnections * load.instances <= load.serverMaxConnections)
  })

  it.each([
    ["cores", 0],
    ["memory", NaN],
    ["serverMaxConnections", -1],
    ["instances", Infinity],
    ["targetRate", 0],
    ["meanQueryTime", 0]
  ])("refuses %s of %s", (name, value) => {
    assert.throws(
      () => PoolSizing.recommend({ ...load, [name]: value }),
      RangeError,
      `${name} must be a finite number greater than 0, got ${value}`
    )
  })
})

/** A pool that has lent a connection so many times, each for so long, and whose callers waited so long in the mean. */
const busy = (leases: number, useTime: number, wait: number, given: Given = {}): PoolStats.PoolStats =>
  statsOf({
    use: { ...statsOf().use, count: leases, mean: useTime },
    wait: { ...statsOf().wait, count: leases, mean: wait },
    ...given,
    counts: { acquiredAtOnce: leases, opened: 2, ...given.counts }
  })

describe("PoolSizing.advise", () => {
  it("knows the queue's textbook values", () => {
    // 1000 a second for 2 ms: 2 connections are busy, and of 3 all are at 4 callers of 9.
    const { arrivalRate, forecasts, load, useTime } = PoolSizing.advise({
      stats: busy(10_000, 2, 0),
      over: "10 seconds"
    })
    assert.deepStrictEqual([arrivalRate, useTime, load], [1000, 2, 2])
    const [three] = forecasts
    assert.strictEqual(three?.connections, 3)
    assert.closeTo(three?.waiting ?? 0, 4 / 9, 1e-12)
    assert.closeTo(three?.wait ?? 0, 8 / 9, 1e-12)
    assert.closeTo(three?.wait95 ?? 0, 2 * Math.log(4 / 9 / 0.05), 1e-12)
    assert.closeTo(three?.utilization ?? 0, 200 / 3, 1e-12)
  })

  it("advises the smallest size that keeps the target", () => {
    const stats = busy(10_000, 20, 0, { limit: 40 })
    const advice = PoolSizing.advise({ stats, over: "10 seconds" })
    const at = (connections: number) =>
      advice.forecasts.find((forecast) => forecast.connections === connections)?.wait95 ?? NaN
    assert.strictEqual(advice.load, 20)
    assert.isAtMost(at(advice.connections), 10)
    assert.isAbove(at(advice.connections - 1), 10)
    const relaxed = PoolSizing.advise({ stats, over: "10 seconds", targetWait: "1 second" })
    assert.isBelow(relaxed.connections, advice.connections)
  })

  it("judges the time since an earlier reading alone", () => {
    const since = busy(1_000_000, 500, 300)
    const stats = busy(1_010_000, (1_000_000 * 500 + 10_000 * 2) / 1_010_000, (1_000_000 * 300 + 10_000) / 1_010_000)
    const { load, measuredWait, useTime } = PoolSizing.advise({ stats, since, over: "10 seconds" })
    assert.closeTo(useTime, 2, 1e-6)
    assert.closeTo(load, 2, 1e-6)
    assert.closeTo(measuredWait, 1, 1e-6)
  })

  it("a pool that is too small has a queue without end", () => {
    const { caveats, connections, current } = PoolSizing.advise({
      stats: busy(10_000, 10, 500, { limit: 5 }),
      over: "10 seconds"
    })
    assert.deepStrictEqual([current.wait, current.utilization], [Infinity, 100])
    assert.isAbove(connections, 10)
    assert.match(caveats.join(), /5 connections are 100 % busy/)
  })

  it("advises no more than what the pool has measured to help", () => {
    const tried = [[10, 500], [20, 990], [22, 1000], [30, 1001]].map(([size, rate]) => ({
      size: size!,
      rate: rate!,
      at: 0
    }))
    const sizing = { mode: "apply", min: 1, max: 40, size: 20, next: 20, why: "", rate: 990, tried, moves: [] } as const
    const stats = busy(10_000, 25, 30, { limit: 40, sizing })
    const { caveats, connections, knee } = PoolSizing.advise({ stats, over: "10 seconds" })
    assert.deepStrictEqual([connections, knee], [20, 20])
    assert.match(caveats.join(), /with more than 20 the backend gave no more/)
    const rising = { ...sizing, tried: tried.slice(0, 2) }
    const still = PoolSizing.advise({ stats: busy(10_000, 25, 30, { limit: 40, sizing: rising }), over: "10 seconds" })
    assert.deepStrictEqual([still.knee, still.connections > 25], [undefined, true])
    const failing = { ...sizing, tried: tried.map(({ at, size }) => ({ at, size, rate: 0 })) }
    const none = PoolSizing.advise({ stats: busy(10_000, 25, 30, { limit: 40, sizing: failing }), over: "10 seconds" })
    assert.deepStrictEqual([none.knee, none.connections > 25], [undefined, true])
  })

  it("a pool nobody used keeps its size", () => {
    const { caveats, connections } = PoolSizing.advise({ stats: statsOf({ limit: 7 }), over: "1 minute" })
    assert.strictEqual(connections, 7)
    assert.match(caveats.join(), /0 leases are too few/)
  })

  it.each<readonly [string, Given, RegExp]>([
    ["callers that got nothing", { counts: { timedOut: 300, refused: 200 } }, /500 of 10500 callers got no connection/],
    ["dials", { counts: { opened: 2000 } }, /2000 connections were opened for 10000 leases/],
    [
      "waits that the theory does not explain",
      { limit: 10, wait: { ...statsOf().wait, count: 10_000, mean: 50 } },
      /in bursts/
    ]
  ])("warns of %s", (_, given, expected) => {
    const { caveats } = PoolSizing.advise({ stats: busy(10_000, 2, 0, given), over: "10 seconds" })
    assert.strictEqual(caveats.length, 1)
    assert.match(caveats[0]!, expected)
  })

  it("refuses a since that is no earlier reading of the same pool, such as one from before a restart", () => {
    const [stats, since] = [busy(10, 2, 0), busy(10_000, 2, 0)]
    assert.throws(() => PoolSizing.advise({ stats, since, over: "1 minute" }), RangeError, /^since must be an earlier/)
    const turnedAway = statsOf({ counts: { timedOut: 1 } })
    assert.throws(() => PoolSizing.advise({ stats, since: turnedAway, over: "1 minute" }), RangeError, /^since must/)
  })

  it("refuses an over so short that no pool could have been that busy, instead of going through all sizes", () => {
    const stats = busy(10_000, 2, 0)
    assert.throws(
      () => PoolSizing.advise({ stats, over: "1 nano" }),
      RangeError,
      /^over is too short: 20000000000 conn/
    )
  })

  it.each([["over", 0], ["over", Infinity], ["targetWait", 0]])("refuses %s of %s", (name, value) => {
    assert.throws(
      () => PoolSizing.advise({ stats: statsOf(), over: 1000, [name]: value }),
      RangeError,
      new RegExp(`^${name} must be a finite number greater than 0`)
    )
  })

  it.effect("expects what a pool measures whose callers come by chance", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const pool = yield* ConnectionPool.make(fake.connector, {
        minConnections: 3,
        maxConnections: 3,
        pendingLimit: 10_000,
        leakTimeout: "1 hour",
        idleTimeout: "1 hour",
        maxLifetime: "10 hours"
      })
      // The same numbers in each run.
      let seed = 1
      const exponential = (mean: number): number => {
        seed = (seed * 48_271) % 2_147_483_647
        return -mean * Math.log(seed / 2_147_483_647)
      }
      const since = yield* pool.stats
      let at = 0
      for (let caller = 0; caller < 4000; caller++) {
        const useTime = exponential(100)
        at += exponential(45)
        yield* Effect.forkScoped(Effect.delay(pool.withConnection(() => Effect.sleep(useTime)), at))
      }
      yield* TestClock.adjust(at)
      const { caveats, current, load, measuredWait } = PoolSizing.advise({ stats: yield* pool.stats, since, over: at })
      assert.closeTo(load, 2.2, 0.2)
      assert.deepStrictEqual(caveats, [])
      assert.closeTo(measuredWait / current.wait, 1, 0.3)
    }).pipe(Effect.scoped))
})
