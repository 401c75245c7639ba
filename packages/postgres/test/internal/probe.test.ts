import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { Prober } from "../../src/internal/cluster/probe.ts"

const sample = { timeline: 1, lsn: 1, isStandby: true, systemId: "1", startedAt: "1" }

/** Asks every 100 ms, allows a dial 5 s and an answer 1 s, and notes how each attempt ends. */
const optionsOf = (exits: Array<string>): ConstructorParameters<typeof Prober>[1] => ({
  now: () => 0,
  interval: () => 100,
  timeout: 1_000,
  dialTimeout: 5_000,
  isUnref: false,
  onAnswer: (exit) => void exits.push(Exit.isSuccess(exit) ? "answer" : "none")
})

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
      }, optionsOf(exits))
      const running = yield* Effect.forkChild(prober.run, { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([exits.slice(0, 3), dials], [["none", "none", "answer"], 1])
      yield* Fiber.interrupt(running)
      yield* prober.end
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(open), 0)
    }))

  it.effect("has its time for the answer beside that for the dial", () =>
    Effect.gen(function*() {
      const exits: Array<string> = []
      let dials = 0
      const asking = Effect.delay(Effect.succeed(sample), "200 millis")
      const prober = new Prober({
        connect: () =>
          Effect.suspend(() => {
            dials++
            return Effect.delay(Effect.succeed(asking), "900 millis")
          })
      }, optionsOf(exits))
      yield* Effect.forkScoped(prober.run, { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      yield* prober.end
      assert.deepStrictEqual([exits[0], dials], ["answer", 1])
    }).pipe(Effect.scoped))
})
