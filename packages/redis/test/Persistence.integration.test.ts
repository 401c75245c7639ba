import { RedisPersistence, RedisPool } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Queue, Redacted, Schedule, Schema, Scope } from "effect"
import {
  CircuitBreaker,
  KeyValueStore,
  Persistable,
  PersistedQueue,
  Persistence,
  RateLimiter,
  Redis as EffectRedis
} from "effect/persistence"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const { EmbeddedRedis: Redis } = EmbeddedRedis

class Cache extends RedisPool.Service<Cache>()("app/Cache") {}

type Options = Parameters<typeof Cache.layer>[0]

const cache = (options: Options = {}) =>
  Layer.unwrap(Effect.map(Redis, ({ url }) => Cache.layer({ url, minConnections: 0, ...options })))

const prefix = () => `${crypto.randomUUID()}:`

/** Runs a program of another process on the same server, and gives what it said. */
const otherProcess = (fixture: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { url } = yield* Redis
    const path = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url))
    return yield* Effect.callback<string, string>((resume) => {
      const child = spawn(process.execPath, ["--conditions=@effect-pools/source", path, ...args], {
        env: { ...process.env, REDIS_URL: Redacted.value(url) }
      })
      let said = ""
      let errors = ""
      child.stdout.on("data", (chunk) => (said += chunk))
      child.stderr.on("data", (chunk) => (errors += chunk))
      child.once("close", (code) =>
        resume(code === 0 ? Effect.succeed(said.trim()) : Effect.fail(`${code}: ${said} ${errors}`)))
      return Effect.sync(() =>
        void child.kill("SIGKILL")
      )
    })
  })

describe("RedisPersistence", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("send gives answers as texts, numbers, null and lists", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const key = prefix()
        assert.strictEqual(yield* redis.send("set", key, "1"), "OK")
        assert.strictEqual(yield* redis.send("INCR", key), 2)
        assert.deepStrictEqual(yield* redis.send("MGET", key, "none"), ["2", null])
      }).pipe(Effect.provide(cache())))

    it.effect("an error's cause is ours, with the server's answer or the pool's reason", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const refused = yield* Effect.flip(redis.send("INCR"))
        assert.strictEqual(refused._tag, "RedisError")
        assert.include(String(refused.cause), "wrong number of arguments")
        yield* Cache.drain
        const closed = yield* Effect.flip(redis.send("PING"))
        assert.strictEqual((closed.cause as { readonly _tag: string })._tag, "PoolError")
      }).pipe(Effect.provide(cache())))

    it.effect("what may not be a command is a defect, and nothing is sent", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const exit = yield* Effect.exit(redis.send("SET a\r\nDEL", "b"))
        assert(Exit.isFailure(exit) && Exit.hasDies(exit))
      }).pipe(Effect.provide(cache())))

    it.effect("a blocking command has a connection to itself, and others do not wait for it", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const key = prefix()
        const popped = yield* Effect.forkScoped(redis.send("BLPOP", key, "20"))
        for (let i = 0; i < 20; i++) assert.strictEqual(yield* redis.send("PING"), "PONG")
        yield* redis.send("RPUSH", key, "x")
        assert.deepStrictEqual(yield* Fiber.join(popped), [key, "x"])
      }).pipe(Effect.provide(cache({ maxConnections: 2 }))))

    it.effect("reserve is a lease within maxConnections, which ends with its scope", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const scope = yield* Scope.make()
        const reserved = yield* Scope.provide(redis.reserve, scope)
        const id = yield* reserved.send<number>("CLIENT", "ID")
        assert.strictEqual(yield* reserved.send("CLIENT", "ID"), id)
        assert.strictEqual((yield* Cache.stats).used, 1)
        const error = yield* Effect.flip(redis.send("PING"))
        assert.include(String(error.cause), "Redis.reserve")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Cache.stats).used, 0)
        assert.strictEqual(yield* redis.send("CLIENT", "ID"), id)
      }).pipe(Effect.provide(cache({ maxConnections: 1, acquireTimeout: "100 millis" }))))

    it.effect("scripts run by their digest, also where the server has forgotten them", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const script = EffectRedis.script((key: string, by: number) => [key, by], {
          numberOfKeys: 1,
          lua: `return redis.call("INCRBY", KEYS[1], ARGV[1])`
        }).withReturnType<number>()
        const key = prefix()
        assert.strictEqual(yield* redis.eval(script)(key, 2), 2)
        yield* redis.send("SCRIPT", "FLUSH")
        assert.strictEqual(yield* redis.eval(script)(key, 3), 5)
        const reserved = yield* redis.reserve
        assert.strictEqual(yield* reserved.eval(script)(key, 4), 9)
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("subscribe has begun when it returns, and survives the loss of its connection", () =>
      Effect.gen(function*() {
        const server = yield* Redis
        const redis = yield* EffectRedis.Redis
        const messages = yield* redis.subscribe("news")
        yield* redis.send("PUBLISH", "news", "1")
        assert.deepStrictEqual(yield* Queue.take(messages), { channel: "news", message: "1" })
        yield* server.command("CLIENT", "KILL", "TYPE", "pubsub")
        yield* Effect.repeat(redis.send<number>("PUBLISH", "news", "2"), {
          schedule: Schedule.spaced("20 millis"),
          until: (count) => count === 1
        }).pipe(Effect.timeout("10 seconds"))
        assert.deepStrictEqual(yield* Queue.take(messages), { channel: "news", message: "2" })
      }).pipe(Effect.provide(cache())))

    it.effect("a subscription ends with its scope, and fails with the pool", () =>
      Effect.gen(function*() {
        const redis = yield* EffectRedis.Redis
        const messages = yield* redis.subscribe("news")
        yield* Cache.drain
        const error = yield* Effect.flip(Queue.take(messages))
        assert.include(String(error.cause), "draining")
        const later = yield* Effect.flip(Effect.flatMap(redis.subscribe("news"), Queue.take))
        assert.include(String(later.cause), "draining")
      }).pipe(Effect.provide(cache())))

    it.effect("RateLimiter's limits are those of all processes", () =>
      Effect.gen(function*() {
        const limit = { key: prefix(), limit: 3, window: Duration.minutes(10) }
        const first = yield* RateLimiter.RateLimiter
        yield* first.consume(limit)
        assert.strictEqual(yield* otherProcess("rateLimiter.ts", limit.key), "remaining 1")
        assert.strictEqual((yield* first.consume(limit)).remaining, 0)
        const error = yield* Effect.flip(first.consume(limit))
        assert.strictEqual(error.reason._tag, "RateLimitExceeded")
      }).pipe(
        Effect.provide(
          RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreRedis()), Layer.provideMerge(cache()))
        )
      ))

    it.effect("a breaker that one process opened is open in the other, and one probe closes it for both", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({
          tripPolicy: CircuitBreaker.consecutive(3),
          openDuration: "2 seconds"
        })
        const key = prefix()
        yield* breaker.execute(Effect.void, { key })
        assert.strictEqual(yield* otherProcess("circuitBreaker.ts", key, "fail", "3"), "Open")
        const error = yield* Effect.flip(breaker.execute(Effect.void, { key }))
        assert.strictEqual(error.reason._tag, "CircuitOpen")
        yield* Effect.sleep("2100 millis")
        yield* breaker.execute(Effect.void, { key })
        assert.strictEqual(yield* otherProcess("circuitBreaker.ts", key, "state", "0"), "Closed")
      }).pipe(Effect.provide(CircuitBreaker.layerStoreRedis().pipe(Layer.provideMerge(cache())))))

    it.effect("a pool's own breaker is shared by processes through another pool's store", () =>
      Effect.gen(function*() {
        const key = `pool-${prefix()}`
        assert.strictEqual(yield* otherProcess("circuitBreaker.ts", key, "fail", "3"), "Open")
        class Down extends RedisPool.Service<Down>()("app/Down") {}
        const error = yield* Effect.flip(Down.ping()).pipe(
          Effect.provide(Down.layer({ host: "127.0.0.1", port: 1, minConnections: 0, name: key }))
        )
        assert(error._tag === "PoolError" && error.reason._tag === "BreakerOpen")
      }).pipe(Effect.provide(CircuitBreaker.layerStoreRedis().pipe(Layer.provideMerge(cache())))))

    it.effect("PersistedQueue hands what one process offers to another, once", () =>
      Effect.gen(function*() {
        const name = prefix()
        const queue = yield* PersistedQueue.make({ name, schema: Schema.String })
        yield* queue.offer("a")
        assert.strictEqual(yield* otherProcess("persistedQueue.ts", name, "b"), "took a, offered b")
        assert.strictEqual(yield* Effect.timeout(queue.take(Effect.succeed), "20 seconds"), "b")
      }).pipe(
        Effect.provide(PersistedQueue.layer.pipe(
          Layer.provide(PersistedQueue.layerStoreRedis({ pollInterval: "50 millis" })),
          Layer.provideMerge(cache())
        ))
      ))

    it.effect("Persistence keeps results for as long as they live", () =>
      Effect.gen(function*() {
        class Lookup extends Persistable.Class<{ payload: { id: number } }>()("Lookup", {
          primaryKey: ({ id }) => String(id),
          success: Schema.String
        }) {}
        const persistence = yield* Persistence.Persistence
        const storeId = prefix()
        const store = yield* persistence.make({ storeId, timeToLive: () => "10 minutes" })
        assert.isUndefined(yield* store.get(new Lookup({ id: 1 })))
        yield* store.set(new Lookup({ id: 1 }), Exit.succeed("one"))
        assert.deepStrictEqual(yield* store.get(new Lookup({ id: 1 })), Exit.succeed("one"))
        const [key] = yield* Cache.keys(`*${storeId.slice(0, 20)}*`)
        const ttl = yield* Cache.ttl(key!)
        assert(Duration.isDuration(ttl) && Duration.toMinutes(ttl) > 9)
        yield* store.clear
        assert.isUndefined(yield* store.get(new Lookup({ id: 1 })))
      }).pipe(Effect.provide(Persistence.layerRedis.pipe(Layer.provideMerge(cache())))))
  })

  const start = prefix()
  layer(
    RedisPersistence.layerKeyValueStore(Cache, { prefix: start }).pipe(
      Layer.provideMerge(cache()),
      Layer.provideMerge(EmbeddedRedis.layer())
    ),
    { excludeTestServices: true }
  )((it) => {
    it.effect("a KeyValueStore keeps texts and bytes as they are", () =>
      Effect.gen(function*() {
        const store = yield* KeyValueStore.KeyValueStore
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
        yield* store.set("text", "ä")
        yield* store.set("bytes", bytes)
        assert.strictEqual(yield* store.get("text"), "ä")
        assert.deepStrictEqual(Uint8Array.from((yield* store.getUint8Array("bytes"))!), bytes)
        assert.isUndefined(yield* store.get("none"))
        assert.deepStrictEqual([yield* store.has("text"), yield* store.has("none")], [true, false])
        assert.strictEqual(yield* store.modify("text", (text) => `${text}!`), "ä!")
        assert.strictEqual(yield* Cache.get(`${start}text`), "ä!")
        yield* store.remove("text")
        assert.isUndefined(yield* store.get("text"))
      }))

    it.effect("a KeyValueStore counts and clears its own keys only", () =>
      Effect.gen(function*() {
        const store = yield* KeyValueStore.KeyValueStore
        yield* store.clear
        yield* Cache.set("other", "stays")
        const keys = Array.from({ length: 1500 }, (_, i) => `[k]*${i}`)
        yield* Effect.forEach(keys, (key) => store.set(key, "x"), { concurrency: 64 })
        yield* store.set("plain", "x")
        assert.strictEqual(yield* store.size, 1501)
        assert.deepStrictEqual((yield* store.keys).toSorted(), [...keys, "plain"].toSorted())
        yield* store.clearPrefix("[k]*")
        assert.deepStrictEqual(yield* store.keys, ["plain"])
        yield* store.clear
        assert.isTrue(yield* store.isEmpty)
        assert.strictEqual(yield* Cache.get("other"), "stays")
      }))

    it.effect("a KeyValueStore without a prefix is refused", () =>
      Effect.gen(function*() {
        const pool = yield* Cache
        const error = yield* Effect.flip(RedisPersistence.makeKeyValueStore(pool, { prefix: "" }))
        assert(error.reason._tag === "InvalidOption")
        assert.strictEqual(error.reason.option, "prefix")
      }))
  })
})
