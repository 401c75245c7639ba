import { assert, describe, it } from "@effect/vitest"
import type { BalancedPool } from "@effect-pools/core"
import { Arbitrary, Array as Arr, Effect, Random, Schema } from "effect"
import { id } from "./utils/bench.ts"
import { hold, leases, onFleet, type Setup } from "./utils/upstreams.ts"

const strategies = ["roundRobin", "leastUsed", "powerOfTwoChoices"] as const

const weight = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
const weights = Arbitrary.array(Arbitrary.schema(weight), { minLength: 1, maxLength: 5 })
const seed = Schema.Int

/** How often each upstream should be chosen, of so many. */
const fair = (weights: ReadonlyArray<number>, of: number): ReadonlyArray<number> => {
  const all = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => of * weight / all)
}

const assertNear = (counts: ReadonlyArray<number>, expected: ReadonlyArray<number>, tolerance: number): void => {
  for (const [index, count] of counts.entries()) {
    assert.approximately(
      count,
      expected[index]!,
      tolerance,
      `${JSON.stringify(counts)} for ${JSON.stringify(expected)}`
    )
  }
}

/** Leases one after the other. */
const inTurn = (setup: Setup, many: number, check: (counts: ReadonlyArray<number>) => void) =>
  onFleet(setup, function*(fleet) {
    for (let lease = 0; lease < many; lease++) yield* fleet.pool.withConnection(id)
    check(yield* leases(fleet))
  })

/** So many leases held at once. */
const atOnce = (setup: Setup, many: number, check: (counts: ReadonlyArray<number>) => void) =>
  onFleet({ ...setup, each: { maxConnections: many, connectRate: 10_000 } }, function*(fleet) {
    yield* Effect.forEach(Arr.range(1, many), () => hold(fleet.pool))
    check(yield* leases(fleet))
  })

describe("BalancedPool: strategies", () => {
  it.effect.prop(
    "roundRobin is never more than one lease off each upstream's share",
    { weights },
    ({ weights }) =>
      inTurn({ weights, strategy: "roundRobin" }, 60, (counts) => assertNear(counts, fair(weights, 60), 1.001)),
    {
      arbitrary: { runs: 30 }
    }
  )

  it.effect("roundRobin spreads a heavy upstream's turns", () =>
    onFleet({ weights: [3, 1], strategy: "roundRobin" }, function*(fleet) {
      const order: Array<string> = []
      for (let lease = 0; lease < 8; lease++) {
        const before = yield* leases(fleet)
        yield* fleet.pool.withConnection(id)
        const now = yield* leases(fleet)
        order.push(now[0]! > before[0]! ? "a" : "b")
      }
      assert.strictEqual(order.join(""), "aabaaaba")
    }))

  it.effect.prop(
    "leastUsed gives each upstream its share of those in flight",
    { weights },
    ({ weights }) =>
      atOnce({ weights, strategy: "leastUsed" }, 60, (counts) => assertNear(counts, fair(weights, 60), weights.length)),
    {
      arbitrary: { runs: 30 }
    }
  )

  it.effect("leastUsed goes where a lease has just ended", () =>
    onFleet({ weights: [1, 1], strategy: "leastUsed" }, function*({ backends, pool }) {
      const held = yield* Effect.forEach(Arr.range(1, 4), () => hold(pool))
      const used = (index: number) => Effect.map(backends[index]!.pool.stats, (stats) => stats.used)
      assert.deepStrictEqual([yield* used(0), yield* used(1)], [2, 2])
      yield* held[0]!.giveBack
      const [a, b] = [yield* used(0), yield* used(1)]
      yield* hold(pool)
      assert.deepStrictEqual([a + b, yield* used(0), yield* used(1)], [3, 2, 2])
    }))

  it.effect.prop(
    "leastUsed takes turns where all are idle",
    { weights },
    ({ weights }) =>
      inTurn({ weights, strategy: "leastUsed" }, 60, (counts) => assertNear(counts, fair(weights, 60), 1.001)),
    {
      arbitrary: { runs: 10 }
    }
  )

  it.effect.prop(
    "powerOfTwoChoices follows the weights where all are idle",
    { weights, seed },
    ({ seed, weights }) => {
      const setup: Setup = { weights, strategy: "powerOfTwoChoices" }
      // Five standard deviations of a binomial distribution at its widest.
      return Random.withSeed(
        inTurn(setup, 400, (counts) => assertNear(counts, fair(weights, 400), 5 * Math.sqrt(400 * 0.25))),
        seed
      )
    },
    { arbitrary: { runs: 15 } }
  )

  // Seeds that stay the same, since one in twenty thousand is off by more than four by chance, and 100 is such a seed.
  it.effect.each(Arr.range(1, 20))(
    "powerOfTwoChoices keeps the load level, with the seed %i",
    (seed) =>
      Random.withSeed(
        atOnce({ weights: [1, 1, 1, 1] }, 100, (counts) => {
          // Chance alone would be off by more than ten now and then; the second choice is what holds it together.
          assertNear(counts, [25, 25, 25, 25], 4)
        }),
        seed
      )
  )

  it.effect("powerOfTwoChoices is the default and the same seed makes the same choices", () =>
    Effect.gen(function*() {
      const run = (strategy: BalancedPool.Strategy | undefined) => {
        let counts: ReadonlyArray<number> = []
        const setup = { weights: [1, 2, 3], strategy }
        return Effect.map(Random.withSeed(inTurn(setup, 50, (all) => void (counts = all)), "seed"), () => counts)
      }
      const runs = [yield* run(undefined), yield* run("powerOfTwoChoices")]
      assert.deepStrictEqual(runs[0], runs[1])
      assert.notDeepEqual(runs[0], yield* run("roundRobin"))
    }))

  it.effect.each(strategies)(
    "%s with one upstream is that upstream",
    (strategy) => inTurn({ weights: [7], strategy }, 5, (counts) => assert.deepStrictEqual(counts, [5]))
  )
})
