import { RedisScript } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Stream } from "effect"
import RedisMock from "ioredis-mock"
import { Cache } from "./support.ts"

/** A pool over a database in memory, of which each has its own. */
const inMemory = Effect.fnUntraced(function*<A, E>(test: Effect.Effect<A, E, Cache>) {
  const mock = new RedisMock({ host: yield* Effect.sync(() => `mock-${++mocks}`) })
  return yield* Effect.provide(test, Cache.layerTest(RedisScript.fromClient(mock)))
})
let mocks = 0

describe("a client in memory", () => {
  it.effect("answers with the types of a server", () =>
    inMemory(Effect.gen(function*() {
      assert.isTrue(yield* Cache.set("n", "1", { ttl: "1 minute" }))
      assert.strictEqual(yield* Cache.incr("n"), 2)
      assert.strictEqual(yield* Cache.get("none"), undefined)
      yield* Cache.set("bytes", Buffer.from([0, 255]))
      assert.deepStrictEqual(yield* Cache.getBuffer("bytes"), Buffer.from([0, 255]))
      yield* Cache.hset("hash", { a: "1", b: "zwei" })
      assert.deepStrictEqual({ ...(yield* Cache.hgetAll("hash")) }, { a: "1", b: "zwei" })
      yield* Cache.rpush("list", "x", "y")
      assert.deepStrictEqual(yield* Cache.lrange("list", 0, -1), ["x", "y"])
      assert.isTrue(yield* Cache.sadd("set", "m").pipe(Effect.andThen(Cache.sismember("set", "m"))))
      yield* Cache.zadd("sorted", [["m", 1.5]])
      assert.strictEqual(yield* Cache.zscore("sorted", "m"), 1.5)
      assert.deepStrictEqual(yield* Cache.multi((redis) => [redis.incr("n"), redis.get("n")]), [
        Result.succeed(3),
        Result.succeed("3")
      ])
      assert.strictEqual(yield* Cache.script("return ARGV[1]", { args: ["x"] }), "x")
      assert.sameMembers(yield* Stream.runCollect(Cache.scan({ match: "s*" })), ["set", "sorted"])
    })))

  it.effect("answers with its errors, and has none where it has no method", () =>
    inMemory(Effect.gen(function*() {
      yield* Cache.set("text", "abc")
      const error = yield* Effect.flip(Cache.incrBy("text", Number.NaN))
      assert.strictEqual(error._tag, "RedisError")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.command("NOSUCH"))))
    })))

  it.effect("errors keep their codes", () =>
    Effect.gen(function*() {
      for (const [message, shown] of [["OOM no room", "GET: OOM no room"], ["broken", "GET: ERR broken"]] as const) {
        const script = RedisScript.fromClient({ get: () => Promise.reject(new Error(message)) })
        const error = yield* Effect.flip(Cache.get("a")).pipe(Effect.provide(Cache.layerTest(script)))
        assert.strictEqual(error.message, shown)
      }
    }))
})
