import { assert, describe, it } from "@effect/vitest"
import { Eventually } from "@effect-pools/testing"
import { Cause, Effect, Exit } from "effect"

describe("eventually", () => {
  it.live("asks until the answer is yes", () => {
    let asked = 0
    return Effect.map(Eventually.eventually("the third time", Effect.sync(() => ++asked === 3)), () => {
      assert.strictEqual(asked, 3)
    })
  })

  it.live("gives up at its limit, and says what it waited for", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Eventually.eventually("a miracle", Effect.succeed(false), "30 millis"))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "did not happen: a miracle")
    }))

  it.live("fails as the question does", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.flip(Eventually.eventually("an answer", Effect.fail("no idea"))), "no idea")
    }))
})
