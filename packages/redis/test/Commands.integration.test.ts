import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { RedisCommand, type RedisConnector, RedisError } from "@effect-pools/redis"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Result, Stream } from "effect"
import { Cache, withCache } from "./support.ts"

type Redis = RedisConnector.RedisConnection

/** Runs a test on an empty database. */
const onRedis = <A, E>(test: (redis: Redis) => Effect.Effect<A, E, EmbeddedRedis.EmbeddedRedis | Cache>) =>
  withCache(
    {},
    Cache.withConnection((redis) => Effect.andThen(redis.flushDb(), Effect.suspend(() => test(redis))))
  )

const equal = <A, E, R>(effect: Effect.Effect<A, E, R>, expected: NoInfer<A>): Effect.Effect<void, E, R> =>
  Effect.map(effect, (actual) => assert.deepStrictEqual(actual, expected))

const codeOf = (error: unknown): string | undefined =>
  error instanceof RedisError.RedisError && error.reason._tag === "CommandFailed" ? error.reason.code : undefined

layer(EmbeddedRedis.layer(), { excludeTestServices: true, timeout: "2 minutes" })("the commands", (it) => {
  it.effect("strings and counters", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.get("a"), undefined)
        yield* equal(redis.set("a", "1"), true)
        yield* equal(redis.set("a", "2", { condition: "NX" }), false)
        yield* equal(redis.set("b", "2", { condition: "XX" }), false)
        yield* equal(redis.setGet("a", "3"), "1")
        yield* equal(redis.get("a"), "3")
        yield* redis.mset({ b: 2, c: "x" })
        yield* redis.mset([["d", "4"]])
        yield* equal(redis.mget(["a", "b", "none", "d"]), ["3", "2", undefined, "4"])
        yield* equal(redis.incr("n"), 1)
        yield* equal(redis.incrBy("n", 10), 11)
        yield* equal(redis.decr("n"), 10)
        yield* equal(redis.decrBy("n", 3), 7)
        yield* equal(redis.incrByFloat("n", 0.5), 7.5)
        yield* equal(redis.append("c", "yz"), 3)
        yield* equal(redis.strlen("c"), 3)
        yield* equal(redis.getRange("c", 1, 2), "yz")
        yield* equal(redis.setRange("c", 0, "abc"), 3)
        yield* equal(redis.setBit("bits", 7, true), false)
        yield* equal(redis.getBit("bits", 7), true)
        yield* equal(redis.bitCount("bits"), 1)
        yield* equal(redis.getEx("a", "1 minute"), "3")
        assert.isTrue(Duration.isDuration(yield* redis.ttl("a")))
        yield* equal(redis.getEx("a", "persist"), "3")
        yield* equal(redis.ttl("a"), "persistent")
        yield* equal(redis.getDel("a"), "3")
        yield* equal(redis.get("a"), undefined)
      })
    ))

  it.effect("a ttl, in milliseconds, is kept, taken away and kept on demand", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const left = Effect.map(redis.ttl("a"), (ttl) => Duration.isDuration(ttl) ? Duration.toMillis(ttl) : ttl)
        yield* redis.set("a", "1", { ttl: "1500 millis" })
        const first = yield* left
        assert.isTrue(typeof first === "number" && first > 500 && first <= 1500, String(first))
        yield* redis.set("a", "2", { keepTtl: true })
        assert.isNumber(yield* left)
        yield* redis.set("a", "3")
        yield* equal(left, "persistent")
        yield* equal(redis.ttl("none"), undefined)
        yield* equal(redis.expire("a", "1 hour"), true)
        yield* equal(redis.expire("a", "1 hour", "NX"), false)
        yield* equal(redis.persist("a"), true)
        yield* equal(redis.expire("none", "1 hour"), false)
      })
    ))

  it.effect("keys and the server", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* redis.mset({ a: 1, b: 2, c: 3 })
        yield* equal(redis.exists("a", "b", "none"), 2)
        yield* equal(redis.touch("a", "none"), 1)
        yield* equal(redis.del("a", "none"), 1)
        yield* equal(redis.unlink("b"), 1)
        yield* redis.rename("c", "d")
        yield* equal(redis.renameNx("d", "d"), false)
        yield* equal(redis.copy("d", "e"), true)
        yield* equal(redis.copy("d", "e"), false)
        yield* equal(redis.copy("d", "e", { replace: true }), true)
        yield* equal(redis.type("d"), "string")
        yield* equal(redis.type("none"), "none")
        yield* equal(Effect.map(redis.keys("*"), (keys) => [...keys].toSorted()), ["d", "e"])
        assert.include(["d", "e"], yield* redis.randomKey())
        yield* equal(redis.dbSize(), 2)
        yield* equal(redis.ping(), "PONG")
        yield* equal(redis.echo("hello"), "hello")
        assert.include(yield* redis.info("server"), "redis_version")
        yield* equal(redis.publish("nobody", "x"), 0)
        yield* equal(redis.spublish("nobody", "x"), 0)
        yield* equal(redis.command("object", "ENCODING", "d"), "int")
        yield* equal(redis.command("COMMAND", "COUNT").pipe(Effect.map((count) => typeof count)), "number")
      })
    ))

  it.effect("hashes", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.hset("h", { a: 1, b: "x" }), 2)
        yield* equal(redis.hset("h", [["c", "y"]]), 1)
        yield* equal(redis.hget("h", "a"), "1")
        yield* equal(redis.hget("h", "none"), undefined)
        yield* equal(redis.hmget("h", ["a", "none"]), ["1", undefined])
        yield* equal(Effect.map(redis.hgetAll("h"), (all) => ({ ...all })), { a: "1", b: "x", c: "y" })
        yield* equal(Effect.map(redis.hgetAll("none"), (all) => ({ ...all })), {})
        yield* equal(redis.hsetNx("h", "a", "2"), false)
        yield* equal(redis.hexists("h", "a"), true)
        yield* equal(redis.hlen("h"), 3)
        yield* equal(redis.hkeys("h"), ["a", "b", "c"])
        yield* equal(redis.hvals("h"), ["1", "x", "y"])
        yield* equal(redis.hincrBy("h", "a", 4), 5)
        yield* equal(redis.hincrByFloat("h", "a", 0.5), 5.5)
        yield* equal(redis.hstrlen("h", "b"), 1)
        yield* equal(redis.hdel("h", "a", "none"), 1)
      })
    ))

  it.effect("a field named __proto__ is a field", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* redis.hset("h", [["__proto__", "x"]])
        const all = yield* redis.hgetAll("h")
        assert.deepStrictEqual(Object.entries(all), [["__proto__", "x"]])
      })
    ))

  it.effect("lists", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.rpush("l", "b", "c"), 2)
        yield* equal(redis.lpush("l", "a"), 3)
        yield* equal(redis.lpushX("none", "a"), 0)
        yield* equal(redis.rpushX("none", "a"), 0)
        yield* equal(redis.lrange("l", 0, -1), ["a", "b", "c"])
        yield* equal(redis.llen("l"), 3)
        yield* equal(redis.lindex("l", 1), "b")
        yield* equal(redis.lpos("l", "c"), 2)
        yield* equal(redis.lpos("l", "none"), undefined)
        yield* redis.lset("l", 0, "A")
        yield* equal(redis.linsert("l", "AFTER", "A", "a"), 4)
        yield* equal(redis.lrem("l", 0, "A"), 1)
        yield* equal(redis.lmove("l", "m", "LEFT", "RIGHT"), "a")
        yield* equal(redis.lpop("l"), "b")
        yield* equal(redis.rpop("l"), "c")
        yield* equal(redis.rpop("l"), undefined)
        yield* redis.rpush("l", "1", "2", "3", "4", "5")
        yield* equal(redis.lpopCount("l", 2), ["1", "2"])
        yield* equal(redis.rpopCount("l", 1), ["5"])
        yield* equal(redis.lpopCount("none", 1), undefined)
        yield* redis.ltrim("l", 0, 0)
        yield* equal(redis.lrange("l", 0, -1), ["3"])
        yield* equal(redis.blpop(["none", "l"], "1 second"), ["l", "3"])
        yield* equal(redis.blpop(["none"], "10 millis"), undefined)
        yield* redis.rpush("l", "x", "y")
        yield* equal(redis.brpop(["l"], "1 second"), ["l", "y"])
        yield* equal(redis.blmove("l", "m", "LEFT", "LEFT", "1 second"), "x")
        yield* equal(redis.blmove("none", "m", "LEFT", "LEFT", "10 millis"), undefined)
      })
    ))

  it.effect("sets", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.sadd("s", "a", "b", "c"), 3)
        yield* redis.sadd("t", "b", "c", "d")
        yield* equal(redis.srem("s", "c", "none"), 1)
        yield* equal(Effect.map(redis.smembers("s"), (all) => [...all].toSorted()), ["a", "b"])
        yield* equal(redis.sismember("s", "a"), true)
        yield* equal(redis.smismember("s", ["a", "none"]), [true, false])
        yield* equal(redis.scard("s"), 2)
        yield* equal(redis.sinter("s", "t"), ["b"])
        yield* equal(Effect.map(redis.sunion("s", "t"), (all) => [...all].toSorted()), ["a", "b", "c", "d"])
        yield* equal(redis.sdiff("s", "t"), ["a"])
        yield* equal(redis.sinterStore("u", ["s", "t"]), 1)
        yield* equal(redis.sunionStore("u", ["s", "t"]), 4)
        yield* equal(redis.sdiffStore("u", ["s", "t"]), 1)
        yield* equal(redis.smove("u", "v", "a"), true)
        yield* equal(redis.srandMember("v"), "a")
        yield* equal(redis.spop("v"), "a")
        yield* equal(redis.spop("v"), undefined)
        yield* equal(redis.pfadd("p", "a", "b"), true)
        yield* redis.pfmerge("q", ["p"])
        yield* equal(redis.pfcount("q"), 2)
      })
    ))

  it.effect("sorted sets", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.zadd("z", [["a", 1], ["b", 2.5], ["c", Infinity]]), 3)
        yield* equal(redis.zadd("z", [["a", 5]], { condition: "NX" }), 0)
        yield* equal(redis.zadd("z", [["a", 0]], { compare: "GT", changed: true }), 0)
        yield* equal(redis.zadd("z", [["a", 2]], { changed: true }), 1)
        yield* equal(redis.zincrBy("z", -1, "a"), 1)
        yield* equal(redis.zcard("z"), 3)
        yield* equal(redis.zcount("z", "(1", Infinity), 2)
        yield* equal(redis.zscore("z", "c"), Infinity)
        yield* equal(redis.zscore("z", "none"), undefined)
        yield* equal(redis.zmscore("z", ["b", "none"]), [2.5, undefined])
        yield* equal(redis.zrank("z", "b"), 1)
        yield* equal(redis.zrevRank("z", "b"), 1)
        yield* equal(redis.zrank("z", "none"), undefined)
        yield* equal(redis.zrange("z", 0, -1), ["a", "b", "c"])
        yield* equal(redis.zrange("z", 0, -1, { reverse: true }), ["c", "b", "a"])
        yield* equal(redis.zrange("z", -Infinity, 3, { by: "score", limit: { offset: 1, count: 5 } }), ["b"])
        yield* equal(redis.zrange("z", "[b", "+", { by: "lex" }), ["b", "c"])
        yield* equal(redis.zrangeWithScores("z", 0, 1), [["a", 1], ["b", 2.5]])
        yield* equal(redis.zpopMin("z"), ["a", 1])
        yield* equal(redis.zpopMax("z"), ["c", Infinity])
        yield* equal(redis.bzpopMin(["none", "z"], "1 second"), ["z", "b", 2.5])
        yield* equal(redis.bzpopMax(["z"], "10 millis"), undefined)
        yield* equal(redis.zpopMin("z"), undefined)
        yield* redis.zadd("z", [["a", 1], ["b", 2], ["c", 3]])
        yield* equal(redis.zunionStore("y", ["z"]), 3)
        yield* equal(redis.zinterStore("y", ["z", "y"]), 3)
        yield* equal(redis.zremRangeByRank("z", 0, 0), 1)
        yield* equal(redis.zremRangeByScore("z", 2, "(3"), 1)
        yield* equal(redis.zrem("z", "c"), 1)
      })
    ))

  it.effect("streams", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* equal(redis.xadd("x", { a: 1 }, { id: "1-1" }), "1-1")
        yield* equal(redis.xadd("none", { a: 1 }, { noCreate: true }), undefined)
        assert.match((yield* redis.xadd("x", [["b", "2"]], { maxLength: 100 })) ?? "", /^\d+-\d+$/)
        yield* equal(redis.xlen("x"), 2)
        yield* equal(plain(redis.xrange("x", "-", "+", 1)), [{ id: "1-1", fields: { a: "1" } }])
        yield* equal(Effect.map(redis.xrevRange("x", "+", "-"), (all) => all.length), 2)
        const read = yield* redis.xread({ x: "0" }, { count: 1 })
        assert.deepStrictEqual(read["x"]?.map(({ id }) => id), ["1-1"])
        yield* equal(redis.xread({ x: "$" }, { block: "10 millis" }), {})
        yield* redis.xgroupCreate("x", "g", "0")
        yield* redis.xgroupCreate("y", "g", "0", { makeStream: true })
        const given = yield* redis.xreadGroup("g", "me", { x: ">" }, { count: 1, block: "1 second" })
        assert.deepStrictEqual(given["x"]?.map(({ id }) => id), ["1-1"])
        assert.isArray(yield* redis.xautoClaim("x", "g", "you", "1 millis", "0"))
        yield* equal(redis.xack("x", "g", "1-1"), 1)
        yield* equal(redis.xdel("x", "1-1"), 1)
        yield* equal(redis.xtrim("x", 0), 1)
        yield* equal(redis.xgroupDestroy("x", "g"), 1)
      })
    ))

  it.effect("scripts run by digest, and by text where the server has forgotten them", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const add = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
        yield* equal(redis.script(add, { keys: ["n"], args: [2] }), 2)
        yield* redis.command("SCRIPT", "FLUSH")
        yield* equal(redis.script(add, { keys: ["n"], args: [3] }, RedisCommand.int), 5)
        yield* redis.command("CONFIG", "RESETSTAT")
        yield* redis.script(add, { keys: ["n"], args: [1] })
        const stats = yield* redis.info("commandstats")
        assert.include(stats, "cmdstat_evalsha:calls=1")
        assert.notInclude(stats, "cmdstat_eval:")
        const error = yield* Effect.flip(redis.script("return redis.error_reply('MINE not this time')"))
        assert.strictEqual(codeOf(error), "MINE")
      })
    ))

  it.effect("scans give every key and member", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const names = Array.from({ length: 500 }, (_, i) => `key:${i}`).toSorted()
        yield* redis.mset(names.map((name, i) => [name, i] as const))
        yield* redis.hset("h", names.map((name) => [name, "1"] as const))
        yield* redis.sadd("s", ...names)
        yield* redis.zadd("z", names.map((name, i) => [name, i] as const))
        const all = <A, E>(stream: Stream.Stream<A, E>) =>
          Effect.map(Stream.runCollect(stream), (found) => [...found].toSorted())
        yield* equal(all(redis.scan({ match: "key:*", count: 50 })), names)
        yield* equal(all(redis.scan({ type: "hash" })), ["h"])
        yield* equal(Effect.map(all(redis.hscan("h")), (pairs) => pairs.map(([name]) => name)), names)
        yield* equal(all(redis.sscan("s")), names)
        yield* equal(Effect.map(all(redis.zscan("z", { match: "key:42" })), (pairs) => pairs[0]?.[0]), "key:42")
      })
    ))

  it.effect("a pipeline gives each command its own result", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const [set, wrong, got] = yield* redis.pipeline((redis) => [
          redis.set("a", "x"),
          redis.incr("a"),
          redis.get("a")
        ])
        assert.deepStrictEqual(set, Result.succeed(true))
        assert.isTrue(Result.isFailure(wrong) && codeOf(wrong.failure) === "ERR")
        assert.deepStrictEqual(got, Result.succeed("x"))
        yield* equal(redis.pipeline([]), [])
        const many = yield* redis.pipeline((redis) => Array.from({ length: 5000 }, (_, i) => redis.echo(`${i}`)))
        assert.deepStrictEqual(many.map(Result.getOrThrow), Array.from({ length: 5000 }, (_, i) => `${i}`))
      })
    ))

  it.effect("a transaction is carried out as one, or not at all", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const [n, text] = yield* redis.multi((redis) => [redis.incr("n"), redis.get("n")])
        assert.deepStrictEqual([n, text], [Result.succeed(1), Result.succeed("1")])
        // One that fails while it runs leaves the others.
        yield* redis.set("text", "x")
        const [bad, good] = yield* redis.multi((redis) => [redis.incr("text"), redis.incr("n")])
        assert.isTrue(Result.isFailure(bad) && codeOf(bad.failure) === "ERR")
        assert.deepStrictEqual(good, Result.succeed(2))
        // One that is not accepted stops all.
        const refused = yield* Effect.flip(redis.multi((redis) => [redis.incr("n"), redis.command("NOSUCH")]))
        assert.strictEqual(refused.command, "NOSUCH")
        yield* equal(redis.get("n"), "2")
        yield* equal(redis.multi([]), [])
      })
    ))

  it.effect("a transaction is aborted when a watched key was changed", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* redis.set("n", "1")
        yield* redis.watch("n")
        yield* Cache.set("n", "2")
        const error = yield* Effect.flip(redis.multi((redis) => [redis.set("n", "3")]))
        assert.strictEqual(error.reason._tag, "TransactionAborted")
        assert.isTrue(error.isRetryable)
        yield* equal(redis.get("n"), "2")
        yield* redis.watch("n")
        yield* redis.unwatch()
        yield* Cache.set("n", "4")
        yield* redis.multi((redis) => [redis.set("n", "5")])
        yield* equal(redis.get("n"), "5")
      })
    ))

  it.effect("bytes come back as they were, and texts may have anything in them", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        yield* redis.set("bytes", bytes)
        yield* equal(redis.getBuffer("bytes"), bytes)
        yield* redis.set("view", new Uint8Array(bytes.buffer, bytes.byteOffset + 1, 3))
        yield* equal(redis.getBuffer("view"), bytes.subarray(1, 4))
        const nasty = "a\r\n*1\r\n$8\r\nFLUSHALL\r\n\u0000 é \u{1f600} $-1\r\n"
        yield* redis.set(nasty, nasty)
        yield* equal(redis.get(nasty), nasty)
        yield* equal(redis.get("bytes\r\nGET x"), undefined)
        yield* redis.set(Buffer.from(nasty), Buffer.from([0x0d, 0x0a]))
        yield* equal(redis.get(nasty), "\r\n")
        yield* equal(redis.set("", ""), true)
        yield* equal(redis.get(""), "")
        const large = "é".repeat(2_000_000)
        yield* redis.set("large", large)
        yield* equal(redis.get("large"), large)
      })
    ))

  it.effect("an answer of the wrong kind is an error, not a wrong value", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        yield* redis.set("n", "9007199254740993")
        const error = yield* Effect.flip(redis.incr("n"))
        assert.strictEqual(error.reason._tag, "IntegerTooLarge")
        assert.isFalse(error.isRetryable)
        yield* equal(redis.get("n"), "9007199254740994")
        const own = RedisCommand.make("GET", ["n"], RedisCommand.int)
        assert.strictEqual((yield* Effect.flip(redis.run(own))).message, "GET: the answer is not a safe integer")
      })
    ))

  it.effect("an error names the command and none of its arguments", () =>
    onRedis((redis) =>
      Effect.gen(function*() {
        const errors = yield* Effect.all([
          Effect.flip(redis.command("NOSUCH", "s3cret-value")),
          Effect.flip(redis.command("CONFIG", "s3cret-value")),
          Effect.flip(redis.command("SET", "k", "v", "s3cret-value")),
          Effect.flip(redis.script("return redis.call('NOSUCH', ARGV[1])", { args: ["s3cret-value"] }))
        ])
        for (const error of errors) {
          assert.notInclude(`${error.message}${JSON.stringify(error)}${error.stack}`, "s3cret-value")
          assert.include(error.message, error.command)
        }
      })
    ))
})

const plain = <E>(entries: Effect.Effect<ReadonlyArray<StreamEntry>, E>) =>
  Effect.map(entries, (all) => all.map(({ fields, id }) => ({ id, fields: Object.fromEntries(fields) })))

interface StreamEntry {
  readonly id: string
  readonly fields: ReadonlyArray<readonly [string, string]>
}
