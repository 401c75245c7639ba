import { NodeRuntime } from "@effect/platform-node"
import { RedisPool, RedisSubscription } from "@effect-pools/redis"
import { Config, Console, Effect, Result, Stream } from "effect"

class Cache extends RedisPool.Service<Cache>()("app/Cache") {
  static readonly live = this.layerConfig({ url: Config.Redacted("REDIS_URL"), commandTimeout: "5 seconds" })
}

const program = Effect.gen(function*() {
  const cache = yield* Cache

  yield* cache.set("user:1", "Ada", { ttl: "10 minutes" })
  yield* Console.log(yield* cache.get("user:1"), (yield* cache.get("user:2")) ?? null)

  yield* cache.del("visits", "names")
  const results = yield* cache.pipeline((redis) => [
    redis.incr("visits"),
    redis.rpush("names", "Ada", "Grace"),
    redis.lrange("names", 0, -1)
  ])
  yield* Console.log(JSON.stringify(Result.getOrThrow(Result.all(results))))

  const done = yield* cache.withConnection((redis) =>
    Effect.gen(function*() {
      yield* redis.watch("visits")
      const visits = Number(yield* redis.get("visits"))
      return yield* redis.multi((redis) => [redis.set("visits", visits * 10), redis.get("visits")])
    })
  )
  yield* Console.log(Result.getOrThrow(done[1]))

  const heard = yield* cache.subscribe("news").pipe(
    // A message published before the subscription has begun is not heard.
    Stream.tap((element) => element._tag === "Subscribed" ? cache.publish("news", "hello") : Effect.void),
    RedisSubscription.messages,
    Stream.runHead
  )
  yield* Console.log(heard.pipe((found) => found._tag === "Some" ? found.value.message : "nothing"))
})

program.pipe(Effect.provide(Cache.live), NodeRuntime.runMain)
