/**
 * Callbacks of code without types that give no effect.
 */
import { PoolError } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { Db } from "./support.ts"

const wrong = (async () => 1) as unknown as () => Effect.Effect<number>

const calls = {
  withConnection: Db.withConnection(wrong),
  transaction: Db.transaction(wrong),
  "transaction in a transaction": Db.transaction(Db.transaction(wrong)),
  "withConnection in a transaction": Db.transaction(Db.withConnection(wrong))
}

describe("a callback that returns a promise", () => {
  it.effect.each(Object.entries(calls))(
    "is a defect that says so, and its connection comes back: %s",
    ([, call]) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(call)
        assert(Exit.isFailure(exit))
        const defect = Cause.squash(exit.cause)
        assert.instanceOf(defect, PoolError.PoolMisuse)
        assert.include(defect.message, "must return an Effect, and it returned a promise")
        assert.strictEqual((yield* Db.stats).used, 0)
      }).pipe(Effect.provide(Db.layerTest(() => [])))
  )
})
