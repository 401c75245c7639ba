import type { PoolError } from "@effect-pools/core/PoolError"
import { type RedisError, RedisPersistence, RedisPool, RedisSubscription } from "@effect-pools/redis"
import type { Layer, Stream } from "effect"
import type { KeyValueStore, Redis } from "effect/persistence"
import { expectTypeOf, it } from "vitest"

class Cache extends RedisPool.Service<Cache>()("app/Cache") {}

type Failure = PoolError | RedisError.RedisError

it("a subscription tells its elements, its errors and its need of the pool", () => {
  expectTypeOf<ReturnType<typeof Cache.subscribe>>()
    .toEqualTypeOf<Stream.Stream<RedisSubscription.Element, Failure, Cache>>()
  expectTypeOf<ReturnType<RedisPool.RedisPool["psubscribe"]>>()
    .toEqualTypeOf<Stream.Stream<RedisSubscription.Element, Failure>>()
  const messages = RedisSubscription.messages(Cache.ssubscribe("a"))
  expectTypeOf(messages).toEqualTypeOf<Stream.Stream<RedisSubscription.Message, Failure, Cache>>()
})

it("the layers of persistence need the pool, and a pool's own layer includes Redis", () => {
  expectTypeOf(RedisPersistence.layer(Cache)).toEqualTypeOf<Layer.Layer<Redis.Redis, never, Cache>>()
  expectTypeOf(RedisPersistence.layerKeyValueStore(Cache, { prefix: "a:" }))
    .toEqualTypeOf<Layer.Layer<KeyValueStore.KeyValueStore, PoolError, Cache>>()
  expectTypeOf(Cache.layer({})).toEqualTypeOf<Layer.Layer<Cache | Redis.Redis, PoolError>>()
})
