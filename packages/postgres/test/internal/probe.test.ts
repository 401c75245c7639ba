import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { Prober } from "../../src/internal/cluster/probe.ts"

const sample = { timeline: 1, lsn: 1, isStandby: true, systemId: "1", startedAt: "1" }

describe("a probe", () => {
  it.effect("of a server that takes longer to connect to than a probe may take has its answer in the end", () =>
    Effect.gen(function*() {
      const open = yield* Ref.make(0)
      const exits: Array<string> = []
      let dials = 0
      const prober = new Prober({
        connect: () =>
          Effect.acquireRelease(
            Effect.suspend(() => {
              dials++
              return Effect.andThen(Effect.sleep("2500 millis"), Ref.update(open, (n) => n + 1))
            }),
            () => Ref.update(open, (n) => n - 1),
            { interruptible: true }
          ).pipe(Effect.as(Effect.succeed(sample)))
      }, {
        now: () => 0,
        interval: () => 100,
        timeout: 1_000,
        dialTimeout: 5_000,
        isUnref: false,
        onAnswer: (exit) => void exits.push(Exit.isSuccess(exit) ? "answer" : "none")
      })
      const running = yield* Effect.forkChild(prober.run, { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([exits.slice(0, 3), dials], [["none", "none", "answer"], 1])
      yield* Fiber.interrupt(running)
      yield* prober.end
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(open), 0)
    }))
})
