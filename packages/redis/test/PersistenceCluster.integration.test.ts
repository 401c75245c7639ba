import { RedisPersistence } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { KeyValueStore, PersistedQueue, RateLimiter, Redis } from "effect/persistence"
import { Cache } from "./support.ts"

const stores = (pool: ReturnType<typeof Cache.layer>, prefix: string) =>
  Layer.mergeAll(
    PersistedQueue.layer.pipe(
      Layer.provide(PersistedQueue.layerStoreRedis({ prefix, pollInterval: "50 millis" }))
    ),
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreRedis({ prefix }))),
    RedisPersistence.layerKeyValueStore(Cache, { prefix })
  ).pipe(Layer.provideMerge(pool))

const queue = PersistedQueue.make({ name: "jobs", schema: Schema.String })

const consume = Effect.flatMap(
  RateLimiter.RateLimiter,
  (limiter) => limiter.consume({ key: "u", limit: 5, window: "1 minute", algorithm: "token-bucket" })
)

/** All that an error and its causes say. */
const told = (error: unknown): string => {
  let text = ""
  for (let at: any = error; at !== undefined && at !== null; at = at.reason?.cause ?? at.cause ?? at.reason) {
    text += `${String(at.message)} `
  }
  return text
}

describe("the stores of effect/persistence", () => {
  it.live(
    "on a cluster: what can't work is refused at the offer, and a prefix with a hash tag works",
    () =>
      Effect.gen(function*() {
        const { nodes } = yield* EmbeddedRedis.cluster({ masters: 3 })
        const pool = Cache.layer({
          cluster: { nodes: nodes.map(({ host, port }) => ({ host, port })) },
          minConnections: 0
        })
        yield* Effect.gen(function*() {
          const jobs = yield* queue
          const offers = [jobs.offer("job"), jobs.offer("job", { id: "own" }), jobs.offer("job", { delay: "1 second" })]
          for (const offer of offers) assert.match(told(yield* Effect.flip(offer)), /hash tag/)
          assert.match(told(yield* Effect.flip(consume)), /hash tag/)
          // Whatever else one adds to a list is one's own business.
          const redis = yield* Redis.Redis
          assert.strictEqual(yield* redis.send("RPUSH", "list", "x"), 1)
          const reserved = yield* redis.reserve
          assert.match(
            told(yield* Effect.flip(reserved.send("RPUSH", "app:jobs", `{"id":"1","element":1}`))),
            /hash tag/
          )
        }).pipe(Effect.scoped, Effect.provide(stores(pool, "app:"), { local: true }))
        yield* Effect.gen(function*() {
          const jobs = yield* queue
          yield* jobs.offer("job")
          assert.strictEqual(yield* Effect.timeout(jobs.take(Effect.succeed), "5 seconds"), "job")
          assert.strictEqual((yield* consume).remaining, 4)
          const store = yield* KeyValueStore.KeyValueStore
          yield* store.set("a", "1")
          yield* store.clear
          assert.strictEqual(yield* store.size, 0)
        }).pipe(Effect.provide(stores(pool, "{app}:"), { local: true }))
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("on one server need no hash tag", () =>
    Effect.gen(function*() {
      const { url } = yield* EmbeddedRedis.make()
      yield* Effect.gen(function*() {
        const jobs = yield* queue
        yield* jobs.offer("job")
        assert.strictEqual(yield* Effect.timeout(jobs.take(Effect.succeed), "5 seconds"), "job")
      }).pipe(Effect.provide(stores(Cache.layer({ url, minConnections: 0 }), "app:")))
    }).pipe(Effect.scoped))
})
