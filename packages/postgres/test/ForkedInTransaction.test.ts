/**
 * A fiber that is forked in a transaction and outlives it.
 */
import { PoolError } from "@effect-pools/core"
import { PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { Db } from "./support.ts"

const late = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkDetach(Effect.delay(effect, "1 second"))

describe("a fiber that is forked in a transaction and alive after it", () => {
  it.effect("dies with words about the transaction and the way out, and the log tells", () => {
    const logs: Array<readonly [text: string, pool: unknown]> = []
    const logger = Logger.make(({ fiber, message }) => {
      logs.push([String(message), fiber.getRef(References.CurrentLogAnnotations)["pool"]])
    })
    return Effect.gen(function*() {
      const audit = yield* Db.transaction((sql) => Effect.andThen(sql`SELECT 1`, late(Db.query`INSERT INTO audit`)))
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.await(audit)
      assert(Exit.isFailure(exit))
      const defect = Cause.squash(exit.cause)
      assert.instanceOf(defect, PoolError.PoolMisuse)
      assert.include(defect.message, "after the transaction had ended")
      assert.include(defect.message, "acquire")
      assert.deepStrictEqual(logs, [[(defect as PoolError.PoolMisuse).rule, "app/Db"]])
    }).pipe(Effect.provide(Layer.merge(Db.layerTest(() => []), Logger.layer([logger]))))
  })

  it.effect("may take a connection of its own in the transaction", () => {
    const script = PostgresScript.make(() => [])
    return Effect.gen(function*() {
      const audit = yield* Db.transaction(() =>
        late(Effect.scoped(Effect.flatMap(Db.acquire, (sql) => sql`INSERT INTO audit`)))
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(audit), [])
      assert.strictEqual(script.statements.at(-1)?.text, "INSERT INTO audit")
    }).pipe(Effect.provide(Db.layerTest(script)))
  })
})
