import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Stream } from "effect"
import { barred, bodyOf, Chat, eventually, quickRetry, withChat } from "./support.ts"
import { make, type ServerOptions } from "./fixtures/wsServer.ts"

const behindProxy = (options: ServerOptions = {}) =>
  Effect.gen(function*() {
    const server = yield* make(options)
    const proxy = yield* TcpProxy.make(server)
    return { server, proxy, url: `ws://${proxy.host}:${proxy.port}` }
  })

const isUsed = Effect.map(Chat.stats, ({ idle }) => idle)

describe("through a bad network", () => {
  it.live("an idle connection that is reset is replaced, and the next borrower sees nothing of it", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, stableAfter: 0, retry: quickRetry },
        Effect.gen(function*() {
          assert.strictEqual(yield* Chat.request("before"), "before")
          assert.strictEqual(yield* proxy.cut, 1)
          yield* eventually("another connection is idle", Effect.map(proxy.accepted, (n) => n === 2))
          assert.strictEqual(yield* Chat.request("after"), "after")
        })
      )
    }))

  it.live("a reset in the middle of a request fails it once, and says that it may have arrived", () =>
    Effect.gen(function*() {
      const { proxy, server, url } = yield* behindProxy({ onMessage: () => {} })
      yield* withChat(
        { url, correlation: barred, stableAfter: 0, retry: quickRetry },
        Effect.gen(function*() {
          const asked = yield* Effect.forkChild(Effect.flip(Chat.request("x")))
          yield* eventually("the server has it", Effect.sync(() => server.messages.length === 1))
          yield* proxy.cut
          const error = yield* Fiber.join(asked)
          assert.strictEqual(error._tag, "WebSocketError")
          assert.isTrue(
            error.reason._tag === "Closed" && error.reason.code === 1006 && error.reason.delivery === "unknown"
          )
          yield* eventually("the pool has recovered", Effect.map(isUsed, (idle) => idle === 1))
        })
      )
    }))

  it.live("an end in the middle of a frame is an end, and no message", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, correlation: barred, stableAfter: 0, retry: quickRetry, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Chat.request("a")
          yield* proxy.cutAfter(500, "fin")
          const error = yield* Effect.flip(Chat.request("b".repeat(10_000)))
          assert.isTrue(error._tag === "WebSocketError" && error.reason._tag === "Closed")
          yield* proxy.cutAfter(undefined)
          assert.strictEqual(bodyOf(yield* Effect.retry(Chat.request("c"), quickRetry)), "c")
        })
      )
    }))

  it.live("a black hole while idle is found by a missed pong, and the connection is replaced when the network is back", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      const options = {
        url,
        pingInterval: "60 millis",
        pongTimeout: "40 millis",
        stableAfter: 0,
        connectTimeout: "300 millis"
      } as const
      yield* withChat(
        { ...options, retry: quickRetry },
        Effect.gen(function*() {
          yield* Chat.request("a")
          yield* proxy.blackhole(true)
          yield* eventually("it is retired", Effect.map(Chat.stats, ({ counts }) => counts.retired.broken === 1))
          yield* proxy.blackhole(false)
          yield* eventually("another is open", Effect.map(isUsed, (idle) => idle >= 1))
          assert.strictEqual(yield* Chat.request("b"), "b")
        })
      )
    }))

  it.live("a black hole in the middle of a request ends in RequestTimeout, and frees the place", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, correlation: barred, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Chat.request("a")
          yield* proxy.blackhole(true)
          const error = yield* Effect.flip(Chat.request("b", { timeout: "100 millis" }))
          assert.isTrue(error._tag === "WebSocketError" && error.reason._tag === "RequestTimeout")
          assert.strictEqual((yield* Chat.stats).used, 0)
          yield* proxy.blackhole(false)
          assert.strictEqual(bodyOf(yield* Chat.request("c")), "c", "and the late reply is not mistaken for another's")
        })
      )
    }))

  it.live("connectTimeout covers the handshake of a server that accepts and is silent", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* proxy.blackhole(true)
      const options = { url, connectTimeout: "150 millis", startup: "lazy", minConnections: 0 } as const
      yield* withChat(
        { ...options, retry: quickRetry, acquireTimeout: "400 millis" },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Chat.request("a"))
          assert.strictEqual(error._tag, "PoolError")
          assert.include(error.message, "connectTimeout")
          yield* proxy.blackhole(false)
          assert.strictEqual(yield* Effect.retry(Chat.request("b"), quickRetry), "b")
        })
      )
    }))

  it.live("latency with jitter retires nothing", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, freshnessWindow: 0, pingInterval: "1 second", pongTimeout: "900 millis" },
        Effect.gen(function*() {
          yield* proxy.delay("200 millis", "100 millis")
          for (let i = 0; i < 4; i++) assert.strictEqual(yield* Chat.request(`${i}`), `${i}`)
          yield* Effect.sleep("1 second")
          const { counts } = yield* Chat.stats
          assert.strictEqual(counts.retired.broken + counts.retired.invalid, 0)
        })
      )
    }))

  it.live("a large message on a slow line is no missed pong", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy({ onMessage: (_, socket) => socket.send("x".repeat(30_000)) })
      yield* withChat(
        { url, pingInterval: "200 millis", pongTimeout: "200 millis" },
        Effect.gen(function*() {
          yield* proxy.throttle(30_000)
          const reply = yield* Chat.request("go")
          assert.strictEqual(reply.length, 30_000)
          assert.strictEqual((yield* Chat.stats).counts.retired.broken, 0)
        })
      )
    }))

  it.live("frames cut to single bytes are read whole, and each request gets its own reply", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, correlation: barred, maxConnections: 2 },
        Effect.gen(function*() {
          yield* proxy.slice(1)
          const asked = Array.from({ length: 20 }, (_, i) => `message ${i} äöü`)
          const replies = yield* Effect.forEach(asked, (body) => Chat.request(body), { concurrency: "unbounded" })
          assert.deepStrictEqual(replies.map(bodyOf), asked)
        })
      )
    }))

  it.live("a close that takes long is given up, and delays no caller", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      yield* withChat(
        { url, maxConnections: 2, closeTimeout: "400 millis" },
        Effect.gen(function*() {
          yield* proxy.slowClose("10 seconds")
          yield* Chat.request("a")
          yield* Chat.retireAll
          const [took] = yield* Effect.timed(Chat.request("b"))
          assert.isBelow(Duration.toMillis(took), 3000)
          yield* eventually("the close is over", Effect.map(Chat.stats, ({ closing }) => closing === 0))
        })
      )
    }))

  it.live("a server that is down and comes back under load is used again, without a restart", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* behindProxy()
      const options = {
        url,
        correlation: barred,
        stableAfter: 0,
        retry: quickRetry,
        acquireTimeout: "200 millis"
      } as const
      yield* withChat(
        { ...options, breaker: { openDuration: "100 millis" } },
        Effect.gen(function*() {
          const isOver = yield* Deferred.make<void>()
          let served = 0
          const ask = Effect.andThen(
            Effect.match(Chat.request("x"), { onFailure: () => {}, onSuccess: () => void served++ }),
            Effect.sleep("2 millis")
          )
          const load = yield* Effect.forkChild(
            Effect.forEach([1, 2, 3, 4], () => Effect.forever(ask).pipe(Effect.raceFirst(Deferred.await(isOver))), {
              concurrency: "unbounded"
            })
          )
          yield* eventually("it serves", Effect.sync(() => served > 20))
          yield* proxy.down
          yield* Effect.sleep("500 millis")
          yield* proxy.up
          const before = served
          yield* eventually("it serves again", Effect.sync(() => served > before + 20))
          yield* Deferred.succeed(isOver, undefined)
          yield* Fiber.join(load)
          assert.isAtMost((yield* Chat.stats).total, 5)
        })
      )
    }))

  it.live("messages goes on over a reset, and inbound tells of the gap", () =>
    Effect.gen(function*() {
      const { proxy, server, url } = yield* behindProxy({ onConnection: (socket) => socket.send("welcome") })
      yield* withChat(
        { url, stableAfter: 0, retry: quickRetry, maxConnections: 1 },
        Effect.gen(function*() {
          const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(Chat.inbound, 5)))
          yield* eventually("it is open", Effect.sync(() => server.live() === 1))
          yield* proxy.cut
          const items = yield* Fiber.join(seen)
          assert.deepStrictEqual(items, [
            { _tag: "Opened", connection: 1 },
            { _tag: "Message", connection: 1, message: "welcome" },
            { _tag: "Closed", connection: 1, code: 1006, reason: "" },
            { _tag: "Opened", connection: 2 },
            { _tag: "Message", connection: 2, message: "welcome" }
          ])
        })
      )
    }))
})
