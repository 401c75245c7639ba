import { RedisCommand, RedisError, RedisPersistence } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Result, Stream } from "effect"
import { Cache, withCache } from "./support.ts"

const one = { minConnections: 0, maxConnections: 1 } as const

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert(error instanceof RedisError.RedisError, String(error))
    return error.reason
  })

/** How many commands the server has been given that are not of the login. */
const callsOf = (server: EmbeddedRedis.Instance, name: string) =>
  Effect.map(server.command("INFO", "commandstats"), (info) => {
    const found = new RegExp(`cmdstat_${name}:calls=(\\d+).*?rejected_calls=(\\d+)`).exec(String(info))
    return found === null ? 0 : Number(found[1]) + Number(found[2])
  })

describe("a value", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("of a stream's entry keeps its place, also where a field is there twice", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const fields = [["tag", "red"], ["tag", "blue"], ["2", "b"], ["1", "a"]] as const
          yield* Cache.xadd("x", fields)
          const [entry] = yield* Cache.xrange("x", "-", "+")
          assert.deepStrictEqual(entry?.fields, fields)
          assert.deepStrictEqual((yield* Cache.xrevRange("x", "+", "-"))[0]?.fields, fields)
          assert.deepStrictEqual((yield* Cache.xread({ x: "0" }))["x"]?.[0]?.fields, fields)
          yield* Cache.xgroupCreate("x", "g", "0")
          assert.deepStrictEqual((yield* Cache.xreadGroup("g", "m", { x: ">" }))["x"]?.[0]?.fields, fields)
        })
      ))

    it.effect("beyond 2^53 is told with the error of the command, which was carried out, and can be read", () =>
      withCache(
        one,
        Effect.gen(function*() {
          yield* Cache.set("big", "9007199254740992")
          const reason = yield* reasonOf(Cache.incr("big"))
          assert(reason._tag === "IntegerTooLarge")
          assert.strictEqual(reason.value, "9007199254740993")
          assert.doesNotThrow(() => JSON.stringify(reason))
          assert.strictEqual(yield* Cache.get("big"), "9007199254740993")
          assert.strictEqual(yield* Cache.incrByBigInt("big", 1), 9_007_199_254_740_994n)
          assert.strictEqual(yield* Cache.incrByBigInt("small", 2n), 2n)
          yield* Cache.hset("h", { f: "9223372036854775000" })
          assert.strictEqual((yield* reasonOf(Cache.hincrBy("h", "f", 1)))._tag, "IntegerTooLarge")
          assert.strictEqual(yield* Cache.hincrByBigInt("h", "f", 1), 9_223_372_036_854_775_002n)
          const read = RedisCommand.make("DECR", ["big"], RedisCommand.bigint)
          assert.strictEqual(yield* Cache.run(read), 9_007_199_254_740_993n)
          // It is an answer of the command, so the connection is not doubted.
          assert.strictEqual((yield* Cache.stats).counts.opened, 1)
        })
      ))

    it.effect("that is no text is refused and not changed, and can be read as bytes", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const key = Buffer.from([0xff, 0xfe, 0x41])
          yield* Cache.set(key, key)
          for (
            const effect of [
              Cache.get(key),
              Cache.command("GET", key),
              Cache.keys("*A"),
              Stream.runDrain(Cache.scan({ match: "*A" }))
            ]
          ) {
            const reason = yield* reasonOf<unknown, unknown, Cache>(effect)
            assert(reason._tag === "UnexpectedReply")
            assert.include(reason.message, "UTF-8")
          }
          const found = yield* Stream.runCollect(Cache.scanBuffer({ match: "*A" }))
          assert.deepStrictEqual(Array.from(found), [key])
          const inLease = yield* Cache.withConnection((redis) => Stream.runCollect(redis.scanBuffer({ match: "*A" })))
          assert.deepStrictEqual(Array.from(inLease), [key])
          assert.deepStrictEqual(yield* Cache.getBuffer(key), key)
          assert.strictEqual(yield* Cache.del(found[0]!), 1)
          // The sign of replacement itself is a text.
          yield* Cache.set("replaced", "a\ufffdb")
          assert.strictEqual(yield* Cache.get("replaced"), "a\ufffdb")
          assert.strictEqual((yield* Cache.stats).counts.opened, 1)
        })
      ))

    it.effect("of few bytes keeps no large chunk alive", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const get = RedisCommand.make("GET", ["token"], RedisCommand.bytes)
          yield* Cache.set("token", "0123456789abcdef")
          const values = yield* Cache.pipeline(Array.from({ length: 2000 }, () => get))
          for (const value of values) assert.isBelow(Result.getOrThrow(value)!.buffer.byteLength, 64)
        })
      ))

    it.effect("that is long stays as it was read, whatever is read after it", () =>
      withCache(
        { ...one, maxConnections: 4 },
        Effect.gen(function*() {
          const values = Array.from({ length: 30 }, (_, i) =>
            `"${String.fromCharCode(0xc0 + i).repeat(30_000 + 3000 * i)}"`)
          yield* Effect.forEach(values, (value, i) =>
            Cache.set(`long:${i}`, value))
          const all = <A>(read: (key: string) => Effect.Effect<A, unknown, Cache>) =>
            Effect.forEach(values, (_, i) => read(`long:${i}`), { concurrency: "unbounded" })
          const json = RedisCommand.map(RedisCommand.text, (text) => JSON.parse(text) as string)
          const [texts, bytes, parsed] = yield* Effect.all([
            all(Cache.get),
            all(Cache.getBuffer),
            all((key) => Cache.run(RedisCommand.make("GET", [key], json)))
          ], { concurrency: "unbounded" })
          assert.deepStrictEqual(texts, values)
          assert.deepStrictEqual(bytes, values.map((value) => Buffer.from(value)))
          assert.deepStrictEqual(parsed, values.map((value) => JSON.parse(value)))
        })
      ))

    it.effect("under a key that is no text is removed by clear as well", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const pool = yield* Cache
          const store = yield* RedisPersistence.makeKeyValueStore(pool, { prefix: "p:" })
          yield* store.set("a", "1")
          yield* Cache.set(Buffer.concat([Buffer.from("p:"), Buffer.from([0xff])]), "1")
          yield* store.clear
          assert.strictEqual(yield* Cache.exists("p:a", Buffer.concat([Buffer.from("p:"), Buffer.from([0xff])])), 0)
        })
      ))
  })
})

describe("a command that the server would refuse", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("for want of a key, a member or a value is not sent", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const server = yield* EmbeddedRedis.EmbeddedRedis
          const commands: Record<string, Effect.Effect<unknown, unknown, Cache>> = {
            mget: Cache.mget([]),
            mset: Cache.mset({}),
            del: Cache.del(),
            unlink: Cache.unlink(),
            exists: Cache.exists(),
            touch: Cache.touch(),
            hset: Cache.hset("h", {}),
            hmget: Cache.hmget("h", []),
            hdel: Cache.hdel("h"),
            sadd: Cache.sadd("s"),
            srem: Cache.srem("s"),
            smismember: Cache.smismember("s", []),
            sinter: Cache.sinter(),
            sunionstore: Cache.sunionStore("s", []),
            pfcount: Cache.pfcount(),
            lpush: Cache.lpush("l"),
            rpush: Cache.rpush("l"),
            zadd: Cache.zadd("z", []),
            zrem: Cache.zrem("z"),
            zmscore: Cache.zmscore("z", []),
            zunionstore: Cache.zunionStore("z", []),
            xadd: Cache.xadd("x", {}),
            xack: Cache.xack("x", "g"),
            xdel: Cache.xdel("x")
          }
          for (const [name, command] of Object.entries(commands)) {
            const error = yield* Effect.flip(command)
            assert(error instanceof RedisError.RedisError)
            assert.strictEqual(error.reason._tag, "InvalidCommand", name)
            assert.isFalse(error.isRetryable)
            assert.strictEqual(yield* callsOf(server, name), 0, name)
          }
        })
      ))

    it.effect("or that would arrive as another value, is not sent", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const server = yield* EmbeddedRedis.EmbeddedRedis
          const before = yield* callsOf(server, "set")
          for (const value of [NaN, Infinity, -Infinity, 1e21, 2 ** 53]) {
            assert.strictEqual((yield* reasonOf(Cache.set("k", value)))._tag, "InvalidCommand", String(value))
            assert.strictEqual((yield* reasonOf(Cache.hset("h", { f: value })))._tag, "InvalidCommand")
          }
          assert.strictEqual(yield* callsOf(server, "set"), before)
          for (const by of [NaN, 1.5, 1e21]) {
            assert.strictEqual((yield* reasonOf(Cache.incrBy("n", by)))._tag, "InvalidCommand")
          }
          assert.strictEqual((yield* reasonOf(Cache.zadd("z", [["m", NaN]])))._tag, "InvalidCommand")
          // What says what it means arrives as it is.
          yield* Cache.set("k", 2n ** 64n)
          assert.strictEqual(yield* Cache.get("k"), "18446744073709551616")
          yield* Cache.set("k", 0.1)
          assert.strictEqual(yield* Cache.get("k"), "0.1")
          yield* Cache.zadd("z", [["a", Infinity], ["b", 1e21], ["c", -0.5]])
          assert.deepStrictEqual(yield* Cache.zrangeWithScores("z", 0, -1), [["c", -0.5], ["b", 1e21], ["a", Infinity]])
          assert.strictEqual(yield* Cache.incrByFloat("f", 1e17), 1e17)
        })
      ))

    it.effect("leaves the others of its pipeline alone, and keeps a whole transaction back", () =>
      withCache(
        one,
        Effect.gen(function*() {
          const results = yield* Cache.pipeline((redis) => [redis.set("a", "1"), redis.mget([]), redis.get("a")])
          assert.strictEqual(Result.getOrThrow(results[2]), "1")
          assert(Result.isFailure(results[1]))
          assert.strictEqual(results[1].failure.reason._tag, "InvalidCommand")
          const exit = yield* Effect.exit(Cache.multi((redis) => [redis.set("b", "1"), redis.set("c", NaN)]))
          assert.isTrue(Exit.isFailure(exit))
          assert.isUndefined(yield* Cache.get("b"))
          const none = yield* Cache.pipeline((redis) => [redis.del()])
          assert.isTrue(Result.isFailure(none[0]))
        })
      ))
  })
})

describe("a command that may have been carried out", () => {
  type Case = readonly [isRetryable: boolean, (key: string) => Effect.Effect<unknown, unknown, Cache>]
  const cases: ReadonlyArray<Case> = [
    [false, (key) => Cache.incr(key)],
    [false, (key) => Cache.rpush(key, "x")],
    [false, (key) => Cache.set(key, "x", { condition: "NX" })],
    [false, (key) => Cache.setGet(key, "x")],
    [false, (key) => Cache.script("return 1", { keys: [key] })],
    [false, (key) => Cache.multi((redis) => [redis.get(key), redis.incr(key)])],
    [false, (key) => Cache.lpop(key)],
    [true, (key) => Cache.blpop([key], "10 seconds")],
    [true, (key) => Cache.get(key)],
    [true, (key) => Cache.set(key, "x", { ttl: "1 minute" })],
    [true, (key) => Cache.del(key)],
    [true, (key) => Cache.multi((redis) => [redis.get(key), redis.set(key, "1")])]
  ]

  it.live("is not called retryable unless a second time does no harm", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make()
      const lost = (command: Case[1]) =>
        Effect.gen(function*() {
          yield* Cache.ping()
          yield* server.stop
          const fiber = yield* Effect.forkChild(Effect.flip(command("k")))
          yield* Effect.sleep("50 millis")
          yield* server.kill9
          return yield* Effect.timeout(Fiber.join(fiber), "5 seconds")
        }).pipe(
          Effect.ensuring(Effect.orDie(server.start)),
          Effect.provide(Cache.layer({ url: server.url, ...one }), { local: true })
        )
      for (const [isRetryable, command] of cases) {
        const error = yield* lost(command)
        assert(error instanceof RedisError.RedisError)
        assert(error.reason._tag === "ConnectionLost" && error.reason.wasSent, error.message)
        assert.strictEqual(error.isRetryable, isRetryable, error.message)
      }
    }).pipe(Effect.scoped))

  it.live("is not called retryable either where no answer came in time", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make()
      yield* Effect.gen(function*() {
        yield* Cache.ping()
        yield* server.stop
        const error = yield* Effect.flip(Cache.incr("k"))
        assert(error._tag === "RedisError" && error.reason._tag === "CommandTimeout")
        assert.isFalse(error.isRetryable)
      }).pipe(
        Effect.ensuring(server.cont),
        Effect.provide(Cache.layer({ url: server.url, commandTimeout: "100 millis", ...one }))
      )
    }).pipe(Effect.scoped))
})
