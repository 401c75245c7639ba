import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect } from "effect"
import { reason } from "./utils/bench.ts"

type Options = BalancedPool.Options

const upstreams = (names: ReadonlyArray<string>, weight?: number) =>
  Effect.forEach(names, (name) =>
    Effect.map(
      ConnectionPool.make(FakeConnector.make().connector, { name, minConnections: 0 }),
      (pool) => ({ pool, weight })
    ))

const refusal = (options: unknown, names = ["a", "b"], weight?: number) =>
  Effect.gen(function*() {
    const making = BalancedPool.make(yield* upstreams(names, weight), options as Options)
    const { option, rule } = yield* reason(making, "InvalidOption")
    return `${option} ${rule}`
  })

const refused: ReadonlyArray<readonly [options: unknown, error: string]> = [
  [{ strategie: "roundRobin" }, "strategie is not an option of a balanced pool (did you mean \"strategy\"?)"],
  [{ toString: 1 }, "toString is not an option of a balanced pool"],
  [
    { strategy: "random" },
    "strategy must be \"roundRobin\" or \"leastUsed\" or \"powerOfTwoChoices\", got \"random\""
  ],
  [{ strategy: "toString" }, "strategy must be"],
  [{ name: "" }, "name must be a text of 1 to 200 characters without control characters, got \"\""],
  [{ name: "a\nb" }, "name must be"],
  [{ classify: "failure" }, "classify must be a function, got \"failure\""],
  [{ panicThreshold: -0.1 }, "panicThreshold must be a number from 0 to 1, got -0.1"],
  [{ panicThreshold: 1.1 }, "panicThreshold must be"],
  [{ slowStart: -1 }, "slowStart must be a finite duration of at least 0"],
  [{ slowStart: "Infinity" }, "slowStart must be"],
  [
    { slowStart: {} },
    "slowStart must be a finite duration of at least 0, such as \"30 seconds\" or 0, got a value of type object"
  ],
  [{ hedgeAfter: 0 }, "hedgeAfter must be a finite duration greater than 0"],
  [{ outlierEjection: true }, "outlierEjection must be false or an object, got true"],
  [{ outlierEjection: null }, "outlierEjection must be false or an object"],
  [{ outlierEjection: { consecutiveErrors: 1 } }, "outlierEjection.consecutiveErrors is not an option"],
  [{ outlierEjection: { intervall: 1 } }, "intervall is not an option of a balanced pool (did you mean \"interval\"?)"],
  [
    { outlierEjection: { consecutiveFailures: 0 } },
    "outlierEjection.consecutiveFailures must be an integer of at least 1"
  ],
  [{ outlierEjection: { consecutiveFailures: 1.5 } }, "outlierEjection.consecutiveFailures must be"],
  [
    { outlierEjection: { failureRate: 0 } },
    "outlierEjection.failureRate must be a number greater than 0 and at most 1"
  ],
  [{ outlierEjection: { failureRate: NaN } }, "outlierEjection.failureRate must be"],
  [{ outlierEjection: { minimumLeases: 0 } }, "outlierEjection.minimumLeases must be"],
  [{ outlierEjection: { interval: 0 } }, "outlierEjection.interval must be a finite duration greater than 0"],
  [{ outlierEjection: { baseEjectionTime: "0 seconds" } }, "outlierEjection.baseEjectionTime must be"],
  [{ outlierEjection: { maxEjectionTime: Infinity } }, "outlierEjection.maxEjectionTime must be"],
  [
    { outlierEjection: { maxEjectionTime: "10 seconds" } },
    "outlierEjection.maxEjectionTime must not be less than baseEjectionTime (30000 ms), got 10000 ms"
  ],
  [{ outlierEjection: { maxEjectedShare: 0 } }, "outlierEjection.maxEjectedShare must be"],
  [{ outlierEjection: { maxEjectedShare: 1.5 } }, "outlierEjection.maxEjectedShare must be"],
  [
    { outlierEjection: false, classify: () => "success" },
    "classify has no effect when outlierEjection is false"
  ],
  [{ outlierEjection: false, panicThreshold: 0 }, "panicThreshold has no effect when outlierEjection is false"]
]

describe("BalancedPool: options", () => {
  it.effect.each(refused)("%o is refused", ([options, error]) =>
    Effect.gen(function*() {
      assert.include(yield* refusal(options), error)
    }))

  it.effect("without upstreams there is no pool", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal({}, []), "upstreams must be at least one")
    }))

  it.effect("the names of the upstreams and of the pool must differ", () =>
    Effect.gen(function*() {
      const rule = "upstreams must differ in name from each other and from the balanced pool"
      assert.include(yield* refusal({}, ["a", "b", "a"]), `${rule}, "a" is there twice`)
      assert.include(yield* refusal({ name: "b" }), `${rule}, "b" is there twice`)
    }))

  it.effect.each([-1, NaN, Infinity, 5e-324, 1e308])("the weight %f is refused", (weight) =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({}, ["a"], weight),
        `weight must be 0 or a number from 0.000001 to 1000000, got ${weight} for "a"`
      )
    }))

  it.effect("what is undefined is as if it were not there, and a longer baseEjectionTime moves the longest", () =>
    Effect.gen(function*() {
      const pool = yield* BalancedPool.make(yield* upstreams(["a"]), {
        name: undefined,
        strategy: undefined,
        outlierEjection: { baseEjectionTime: "1 hour", maxEjectionTime: undefined },
        classify: undefined,
        panicThreshold: undefined,
        slowStart: undefined,
        hedgeAfter: undefined
      })
      assert.strictEqual(pool.name, "balanced pool")
      assert.deepStrictEqual((yield* pool.upstreams).map(({ weight }) => weight), [1])
    }))

  it.effect("changing the options afterwards has no effect", () =>
    Effect.gen(function*() {
      const list = [...yield* upstreams(["a"])]
      const pool = yield* BalancedPool.make(list)
      list.pop()
      assert.strictEqual((yield* pool.upstreams).length, 1)
    }))
})
