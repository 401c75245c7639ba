import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Db, withDb } from "./support.ts"

const block = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until) continue
  })

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })(
  "a program that blocks its event loop",
  (it) => {
    it.effect("takes no transaction for unanswered whose begin it has not read yet", () =>
      withDb(
        { maxConnections: 1, minConnections: 1, acquireTimeout: "200 millis" },
        Effect.gen(function*() {
          for (let round = 0; round < 5; round++) {
            const fiber = yield* Effect.forkChild(Db.transaction((sql) => sql`SELECT 1 AS one`), {
              startImmediately: true
            })
            for (let turn = 0; turn < round; turn++) yield* Effect.yieldNow
            yield* block(400)
            assert.deepStrictEqual(yield* Fiber.join(fiber), [{ one: 1 }])
          }
          assert.strictEqual((yield* Db.stats).counts.opened, 1)
        })
      ))

    it.effect("takes no listener for dead whose sign of life it has not read yet", () =>
      withDb(
        { maxConnections: 1, healthCheck: "50 millis", validateTimeout: "50 millis" },
        Effect.gen(function*() {
          const heard = yield* Effect.forkChild(Stream.runHead(Db.listen("news")), { startImmediately: true })
          for (let round = 0; round < 8; round++) {
            yield* Effect.sleep(30 + 7 * round)
            yield* block(150)
          }
          assert.isUndefined(heard.pollUnsafe())
          assert.strictEqual((yield* Db.stats).counts.opened, 1)
          yield* Fiber.interrupt(heard)
        })
      ))
  }
)
