/**
 * Callbacks of code without types that give no effect.
 */
import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, Callback, PoolError } from "@effect-pools/core"
import { Effect, Exit } from "effect"
import { defectOf, id, onPool } from "./utils/bench.ts"

const wrong: ReadonlyArray<readonly [name: string, f: () => unknown, returned: string]> = [
  ["nothing", () => undefined, "undefined"],
  ["a value", () => 42, "42"],
  ["a promise", async () => 1, "a promise; wrap it in Effect.promise or Effect.tryPromise"],
  ["a promise that fails", async () => Promise.reject(new Error("nobody looks")), "a promise; wrap it"]
]

describe("a callback that returns no effect", () => {
  for (const [name, f, returned] of wrong) {
    for (const way of ["withConnection", "withShared"] as const) {
      it.effect(`but ${name} is a defect that says so, and its connection comes back (${way})`, () =>
        onPool({}, function*({ pool }) {
          const balanced = yield* BalancedPool.make([{ pool }])
          for (const each of [pool, balanced]) {
            const defect = defectOf(yield* Effect.exit(each[way](f as () => Effect.Effect<void>)))
            assert.instanceOf(defect, PoolError.PoolMisuse)
            assert.include((defect as PoolError.PoolMisuse).rule, `must return an Effect, and it returned ${returned}`)
            assert.strictEqual((yield* pool.stats).used, 0)
          }
          assert.isNumber(yield* pool.withConnection(id))
        }))
    }
  }
})

describe("an option that may be an effect", () => {
  const failed = (why: string) => `no password: ${why}`

  it.effect("is the value, or what the effect yields", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Callback.obtained("plain", failed), "plain")
      assert.strictEqual(yield* Callback.obtained(Effect.succeed("fresh"), failed), "fresh")
    }))

  it.effect("passes on the message of its error or defect, and nothing else of it", () =>
    Effect.gen(function*() {
      const sealed = Object.assign(new Error("vault sealed"), { token: "secret" })
      assert.strictEqual(
        yield* Effect.flip(Callback.obtained(Effect.fail(sealed), failed)),
        "no password: vault sealed"
      )
      assert.strictEqual(yield* Effect.flip(Callback.obtained(Effect.die(sealed), failed)), "no password: vault sealed")
      assert.strictEqual(
        yield* Effect.flip(Callback.obtained(Effect.fail({ token: 1 }), failed)),
        "no password: it failed"
      )
    }))

  it.effect("stays interrupted", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Callback.obtained(Effect.interrupt, failed))))
    }))
})
