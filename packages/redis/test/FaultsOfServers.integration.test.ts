import { RedisError } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Redacted, Schedule } from "effect"
import { inspect } from "node:util"
import * as FakeServer from "./fixtures/fakeServer.ts"
import { Cache, eventually, onFakeServer as on } from "./support.ts"

const failureOf = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert(error instanceof RedisError.RedisError, String(error))
    return error
  })

const megabyte = 1024 * 1024

describe("faults of servers", () => {
  it.live("an answer that claims 2 GiB and goes on and on is cut off at maxReplySize", () =>
    on({
      "GET endless": (socket) => {
        socket.write("$2147483647\r\n")
        const more = Buffer.alloc(megabyte, "x")
        const write = (): void => void (socket.writable && socket.write(more, write))
        write()
      }
    }, () =>
      Effect.gen(function*() {
        const before = process.memoryUsage().rss
        const [took, error] = yield* Effect.timed(failureOf(Cache.get("endless")))
        assert.strictEqual(error.reason._tag, "ConnectionLost")
        assert.include(error.message, "maxReplySize")
        assert.isBelow(Duration.toMillis(took), 5000)
        assert.isBelow(process.memoryUsage().rss - before, 300 * megabyte)
        assert.strictEqual(yield* Cache.ping(), "PONG")
      }), { maxReplySize: 10 * megabyte }))

  const claims = [
    ["$2147483647\r\nxyz", "ConnectionLost"],
    ["*2147483647\r\n:1\r\n", "ConnectionLost"],
    ["*30000000\r\n".repeat(100), "ConnectionLost"],
    ["*1000\r\n".repeat(100), "CommandTimeout"],
    ["$9\r\nx", "CommandTimeout"]
  ] as const
  for (const [claim, reason] of claims) {
    const shown = JSON.stringify(claim.slice(0, 20))
    it.live(`an answer that claims more than comes (${shown}) takes no memory and ends in time`, () =>
      on({ "GET claim": claim }, (server) =>
        Effect.gen(function*() {
          const before = process.memoryUsage().rss
          const error = yield* failureOf(Cache.get("claim"))
          assert.strictEqual(error.reason._tag, reason)
          assert.isBelow(process.memoryUsage().rss - before, 100 * megabyte)
          assert.strictEqual(yield* Cache.ping(), "PONG")
          assert.strictEqual(server.accepted(), 2)
        }), { commandTimeout: "200 millis" }))
  }

  for (const garbage of ["HTTP/1.1 400 Bad Request\r\n\r\n", "?what\r\n", "*4294967296\r\n", "\0\0\0\0"]) {
    it.live(`what is no answer at all (${JSON.stringify(garbage)}) ends the connection`, () =>
      on({ "GET garbage": garbage }, (server) =>
        Effect.gen(function*() {
          const error = yield* failureOf(Cache.get("garbage"))
          assert.strictEqual(error.reason._tag, "ConnectionLost")
          assert.strictEqual(yield* Cache.ping(), "PONG")
          assert.strictEqual(server.accepted(), 2)
        }), { commandTimeout: "5 seconds" }))
  }

  it.live("an answer that nobody asked for ends the connection, and is given to nobody", () =>
    on({ "GET a": "$1\r\na\r\n" }, (server) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Cache.get("a"), "a")
        server.say("$4\r\nevil\r\n")
        yield* eventually("it is closed", Effect.map(Cache.stats, ({ counts }) => counts.closed === 1))
        assert.strictEqual(yield* Cache.get("a"), "a")
        assert.strictEqual(server.accepted(), 2)
      })))

  it.live("two answers to one command end the connection", () =>
    on({ "GET a": "$1\r\na\r\n$4\r\nevil\r\n", "GET b": "$1\r\nb\r\n" }, (server) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Cache.get("a"), "a")
        assert.strictEqual(yield* Effect.retry(Cache.get("b"), { times: 3 }), "b")
        assert.strictEqual(server.accepted(), 2)
      })))

  it.live("an answer of another kind is an error of its command alone, and the connection is replaced", () =>
    on(
      { "GET number": ":7\r\n", "INCR text": "$3\r\nabc\r\n", "HGETALL odd": "*1\r\n$1\r\na\r\n" },
      (server) =>
        Effect.gen(function*() {
          for (const effect of [Cache.get("number"), Cache.incr("text"), Cache.hgetAll("odd")]) {
            const error = yield* failureOf<unknown, Cache>(effect)
            assert.strictEqual(error.reason._tag, "UnexpectedReply")
          }
          assert.strictEqual(yield* Cache.ping(), "PONG")
          assert.strictEqual(server.accepted(), 4)
        })
    ))

  it.live("an answer of many small items ends at maxReplySize, which counts memory", () =>
    on({
      "LRANGE k 0 -1": (socket) => {
        const count = 12_000_000
        socket.write(`*${count}\r\n`)
        const more = Buffer.from("+\r\n".repeat(100_000))
        let left = count / 100_000
        const write = (): void => {
          while (left-- > 0 && socket.writable) if (!socket.write(more)) return void socket.once("drain", write)
        }
        write()
      }
    }, () =>
      Effect.gen(function*() {
        const before = process.memoryUsage().rss
        const error = yield* failureOf(Cache.lrange("k", 0, -1))
        assert.include(error.message, "maxReplySize")
        assert.isBelow(process.memoryUsage().rss - before, 400 * megabyte)
        assert.strictEqual(yield* Cache.ping(), "PONG")
      })))

  it.live("the first word of an error is no way past the bounds of the rest", () =>
    on(
      { "GET a": `-${"A".repeat(20_000_000)} x\r\n`, "GET CANARYVALUE": "-CANARYVALUE x\r\n" },
      () =>
        Effect.gen(function*() {
          const huge = yield* failureOf(Cache.get("a"))
          assert.isBelow(JSON.stringify(huge).length, 1000)
          const echo = yield* failureOf(Cache.get("CANARYVALUE"))
          assert.notInclude(JSON.stringify(echo), "CANARY")
        })
    ))

  it.live("a login that is refused with the password shows it nowhere", () =>
    Effect.gen(function*() {
      for (const refusal of ["-CANARYPW x\r\n", "-WRONGPASS bad CANARYPW \u001b[2J\r\n", `-${"A".repeat(2e6)} x\r\n`]) {
        yield* on({ "AUTH CANARYPW": refusal }, () =>
          Effect.gen(function*() {
            const error = yield* Effect.flip(Cache.get("a"))
            const shown = inspect(error, { depth: 12 })
            assert.notInclude(shown, "CANARY")
            assert.isBelow(shown.length, 20_000)
            assert.notInclude(error.message, "\u001b")
          }), { password: Redacted.make("CANARYPW"), retry: Schedule.recurs(0) })
      }
    }))

  it.live("what a server says in an error can't write to a terminal or break a line of a log", () =>
    on({ "GET a": "-ERR \u001b[31mred\u0007 text\r\n" }, () =>
      Effect.gen(function*() {
        const error = yield* failureOf(Cache.get("a"))
        assert.strictEqual(error.reason._tag, "CommandFailed")
        assert.notMatch(error.message, /\p{Cc}/u)
        assert.include(error.message, "red")
      })))

  it.live("a server that closes each connection at once is told, and tried again", () =>
    Effect.gen(function*() {
      let isOpen = false
      const server = yield* FakeServer.make((command) =>
        isOpen ? FakeServer.polite(command) : (socket) => socket.destroy()
      )
      yield* Effect.gen(function*() {
        const error = yield* Effect.flip(Cache.ping())
        assert(error._tag === "PoolError" && error.reason._tag === "ConnectFailed")
        assert.isTrue(error.isRetryable)
        isOpen = true
        yield* eventually("it is served", Effect.map(Effect.exit(Cache.ping()), Exit.isSuccess))
      }).pipe(Effect.provide(Cache.layerPoolOnly({
        host: "127.0.0.1",
        port: server.port,
        minConnections: 0,
        retry: Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(2)])
      })))
    }))

  it.live("a server that is still loading its data is not connected to before it has", () =>
    Effect.gen(function*() {
      const redis = yield* EmbeddedRedis.make({
        settings: { appendonly: true, "enable-debug-command": "local", "key-load-delay": 1000 }
      })
      yield* redis.command("CONFIG", "SET", "key-load-delay", 0)
      yield* redis.command("DEBUG", "POPULATE", 2000)
      yield* redis.command("SET", "k", "v")
      yield* redis.command("BGREWRITEAOF")
      yield* eventually(
        "it is written",
        Effect.map(redis.command("INFO", "persistence"), (info) =>
          String(info).includes("aof_rewrite_in_progress:0") && String(info).includes("aof_rewrite_scheduled:0"))
      )
      yield* redis.kill9
      const starting = yield* Effect.forkChild(redis.start)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Cache.get("k"), "v")
        const { counts } = yield* Cache.stats
        assert.isAbove(counts.failedToOpen, 0)
        assert.strictEqual(counts.opened, 1)
      }).pipe(Effect.provide(Cache.layerPoolOnly({
        url: redis.url,
        minConnections: 0,
        retry: Schedule.spaced("20 millis"),
        breaker: { minimumDials: 100_000 }
      })))
      yield* Fiber.join(starting)
    }))
})
