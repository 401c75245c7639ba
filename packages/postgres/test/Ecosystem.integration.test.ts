import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { KeyValueStore, PersistedQueue } from "effect/persistence"
import { withDb } from "./support.ts"

layer(EmbeddedPostgres.layer(), { timeout: "60 seconds", excludeTestServices: true })(
  "stores of Effect over a PostgreSQL pool",
  (it) => {
    describe("programs written for SqlClient", () => {
      it.effect("a KeyValueStore keeps what it is given", () =>
        withDb(
          {},
          Effect.gen(function*() {
            const store = yield* KeyValueStore.KeyValueStore
            yield* Effect.forEach(Array.from({ length: 20 }), (_, index) => store.set(`k${index}`, `v${index}`), {
              concurrency: 10
            })
            assert.strictEqual(yield* store.get("k7"), "v7")
            yield* store.remove("k7")
            assert.strictEqual(yield* store.size, 19)
          }).pipe(Effect.provide(KeyValueStore.layerSql()))
        ))

      it.effect("a PersistedQueue gives each element to one of its takers", () =>
        withDb(
          { maxConnections: 4 },
          Effect.gen(function*() {
            const queue = yield* PersistedQueue.make({ name: "jobs", schema: Schema.String })
            const names = Array.from({ length: 12 }, (_, index) => `job ${index}`)
            yield* Effect.forEach(names, (name) => queue.offer(name))
            const taken = yield* Effect.forEach(names, () => queue.take(Effect.succeed), { concurrency: 4 })
            assert.deepStrictEqual(taken.toSorted(), names.toSorted())
          }).pipe(
            Effect.provide(
              PersistedQueue.layer.pipe(Layer.provide(PersistedQueue.layerStoreSql({ pollInterval: "50 millis" })))
            )
          )
        ), 30_000)
    })
  }
)
