/**
 * A cache before something slow: read, else compute and keep for a while. Ten callers at once share a connection, and
 * the same pool carries a rate limiter of `effect/persistence`, whose state all processes see.
 */
import { NodeRuntime } from "@effect/platform-node"
import { RedisPool } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { Console, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"

class Cache extends RedisPool.Service<Cache>()("app/Cache") {
  static readonly live = Layer.unwrap(
    Effect.map(EmbeddedRedis.EmbeddedRedis, ({ url }) => this.layer({ url, maxConnections: 4 }))
  ).pipe(Layer.provide(EmbeddedRedis.layer()))
}

const slowly = (n: number) => Effect.as(Effect.sleep("20 millis"), String(n * n))

const square = Effect.fnUntraced(function*(n: number) {
  const key = `square:${n}`
  const known = yield* Cache.get(key)
  if (known !== undefined) return { value: known, isFromCache: true }
  const value = yield* slowly(n)
  yield* Cache.set(key, value, { ttl: "1 minute" })
  return { value, isFromCache: false }
})

const program = Effect.gen(function*() {
  const ask = Effect.forEach(Array.from({ length: 10 }, (_, n) => n), square, { concurrency: "unbounded" })
  const first = yield* ask
  const again = yield* ask
  yield* Console.log("squares:", again.map(({ value }) => value).join(" "))
  const fromCache = (answers: typeof first) => answers.filter(({ isFromCache }) => isFromCache).length
  yield* Console.log(`from the cache: ${fromCache(first)}, then ${fromCache(again)}`)
  yield* Console.log(`connections: ${(yield* Cache.stats).counts.opened}`)

  const limiter = yield* RateLimiter.RateLimiter
  const allowed = yield* Effect.forEach(
    Array.from({ length: 5 }),
    () =>
      limiter.consume({ key: "visitor", limit: 3, window: "1 minute", onExceeded: "fail" }).pipe(
        Effect.as("allowed"),
        Effect.catch(() => Effect.succeed("too many"))
      )
  )
  yield* Console.log(allowed.join(", "))
})

const limited = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreRedis()))

program.pipe(Effect.provide(Layer.provideMerge(limited, Cache.live)), NodeRuntime.runMain)
