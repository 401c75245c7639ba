import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { drainAll } from "../src/internal/drain.ts"
import type { ManagedPool } from "../src/internal/managedPool.ts"

const poolThat = (drain: Effect.Effect<void>): ManagedPool =>
  ({
    name: "pool",
    drain: Effect.as(drain, { abandoned: [] }),
    connections: Effect.succeed([])
  }) as unknown as ManagedPool

describe("the deadline of a drain", () => {
  it.effect("does not move when somebody sets the wall clock", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let leap = 0
      const wall = () => clock.currentTimeMillisUnsafe() + leap
      const set = Object.create(clock, {
        currentTimeMillisUnsafe: { value: wall },
        currentTimeMillis: { value: Effect.sync(wall) }
      }) as Clock.Clock
      for (const by of [3_600_000, -3_600_000]) {
        leap = 0
        const leaping = poolThat(Effect.sync(() => {
          leap = by
        }))
        const slow = poolThat(Effect.sleep("1 second"))
        const stuck = poolThat(Effect.never)
        const draining = yield* Effect.forkChild(
          Effect.provideService(drainAll([[leaping], [slow], [stuck]], 30_000), Clock.Clock, set),
          { startImmediately: true }
        )
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(draining.pollUnsafe())
        yield* TestClock.adjust("1 second")
        const { pools, took } = yield* Fiber.join(draining)
        assert.deepStrictEqual(pools.map(({ report }) => report !== undefined), [true, true, false])
        assert.strictEqual(took, 30_000)
      }
    }))
})
