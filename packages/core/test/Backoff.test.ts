import { assert, describe, it } from "@effect/vitest"
import { Backoff } from "@effect-pools/core"
import { Effect, Schedule } from "effect"

const delays = (backoff: Backoff.Backoff, count: number) =>
  Effect.replicateEffect(Effect.map(backoff.next(0, "down"), (delay) => [delay, backoff.hasEnded]), count)

describe("Backoff", () => {
  it.effect("gives the delays of the schedule, and begins anew after the last once more", () =>
    Effect.gen(function*() {
      const backoff = new Backoff.Backoff(Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 2 })))
      assert.deepStrictEqual(yield* delays(backoff, 4), [[1000, false], [2000, false], [2000, true], [1000, false]])
    }))

  it.effect("begins anew when things went well", () =>
    Effect.gen(function*() {
      const backoff = new Backoff.Backoff(Schedule.exponential("1 second"))
      assert.deepStrictEqual(yield* delays(backoff, 2), [[1000, false], [2000, false]])
      backoff.reset()
      assert.deepStrictEqual(yield* delays(backoff, 1), [[1000, false]])
    }))

  it.effect("gives an hour at most, whatever the schedule says", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(new Backoff.Backoff(Schedule.spaced(Infinity)), 1), [[3_600_000, false]])
    }))
})
