import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { Socket } from "node:net"
import { deflateRawSync } from "node:zlib"
import { Chat, eventually, quickRetry, withChat } from "./support.ts"
import { closeCodeOf, frame, hugeHead, make } from "./fixtures/rawServer.ts"
import { make as makeWs } from "./fixtures/wsServer.ts"

const text = 1
const ping = 9

/** What a pool does when the server's first connection sends these bytes: the code it closes with. */
const attacked = (attack: Buffer, code: number) =>
  Effect.gen(function*() {
    let isFirst = true
    const server = yield* make({
      onOpen: (socket) => {
        if (isFirst) socket.write(attack)
        isFirst = false
      }
    })
    const options = { url: server.url, maxPayload: 1000, stableAfter: 0, closeTimeout: "200 millis" } as const
    yield* withChat(
      { ...options, retry: quickRetry, startup: "lazy" },
      Effect.gen(function*() {
        const before = process.memoryUsage().arrayBuffers
        yield* eventually("it is closed with a code", Effect.sync(() => closeCodeOf(server.received()) !== undefined))
        assert.strictEqual(closeCodeOf(server.received()), code)
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 50_000_000)
        yield* eventually(
          "another is opened",
          Effect.sync(() => server.accepted() > 1)
        )
        yield* eventually("and is well", Effect.map(Chat.stats, ({ idle }) => idle === 1))
      })
    )
  })

describe("a server that breaks the protocol", () => {
  it.live("by a masked frame, is closed with 1002", () => attacked(frame(text, "hello", { masked: true }), 1002))

  it.live("by a control frame in fragments, is closed with 1002", () =>
    attacked(frame(ping, "x", { fin: false }), 1002))

  it.live("by a reserved opcode, is closed with 1002", () => attacked(frame(3, "x"), 1002))

  it.live("by text that is not UTF-8, is closed with 1007", () =>
    attacked(frame(text, Buffer.from([0xc3, 0x28])), 1007))

  it.live("by compression that was not agreed on, is closed with 1002", () =>
    attacked(frame(text, "x", { rsv1: true }), 1002))

  it.live("by a length of 2^63, is closed with 1009 before anything is allocated", () =>
    attacked(hugeHead(2n ** 63n), 1009))

  it.live("by a length of 2^31, is closed with 1009 before anything is allocated", () =>
    attacked(hugeHead(2n ** 31n), 1009))

  it.live("by a message larger than maxPayload, is closed with 1009", () =>
    attacked(frame(text, "x".repeat(1001)), 1009))

  it.live("by a close frame without a valid code, is closed with 1002", () =>
    attacked(frame(8, Buffer.from([0, 1])), 1002))
})

describe("a hostile server", () => {
  it.live("that says goodbye and stays, is not sent to any more, and callers get another connection", () =>
    Effect.gen(function*() {
      const server = yield* make({
        onOpen: (socket) => {
          if (server.accepted() === 1) socket.write(frame(8, Buffer.from([3, 233])))
          else socket.on("data", (chunk) => void (chunk[0] === 0x81 && socket.write(frame(text, "served"))))
        }
      })
      const options = { url: server.url, stableAfter: 0, closeTimeout: "200 millis", retry: quickRetry } as const
      yield* withChat(
        { ...options, maxConnections: 2 },
        Effect.gen(function*() {
          yield* eventually("the goodbye is answered", Effect.sync(() => closeCodeOf(server.received()) === 1001))
          assert.strictEqual(yield* Chat.request("x"), "served")
        })
      )
    }))

  it.live("that floods with pings it does not read the answers of, is cut off", () =>
    Effect.gen(function*() {
      const pings = Buffer.concat(Array.from({ length: 5000 }, () => frame(ping, "x".repeat(120))))
      let first: Socket | undefined
      const server = yield* make({
        onOpen: (socket) => {
          if (first !== undefined) return
          first = socket
          socket.pause()
          const flood = (): void => {
            while (!socket.destroyed && socket.write(pings)) {}
          }
          socket.on("drain", flood)
          flood()
        }
      })
      yield* withChat(
        { url: server.url, stableAfter: 0, retry: quickRetry, startup: "lazy" },
        Effect.gen(function*() {
          yield* eventually(
            "the connection is replaced",
            Effect.map(Chat.stats, ({ counts }) => counts.retired.broken >= 1)
          )
          assert.isBelow(process.memoryUsage().rss, 1_000_000_000)
        })
      )
    }))

  it.live("that sends a bomb over an agreed compression, is closed at maxPayload", () =>
    Effect.gen(function*() {
      const bomb = deflateRawSync(Buffer.alloc(50_000_000))
      const head = Buffer.from([0xc2, 126, bomb.length >> 8, bomb.length & 0xff])
      const server = yield* make({
        headers: ["Sec-WebSocket-Extensions: permessage-deflate"],
        onOpen: (socket) => socket.write(Buffer.concat([head, bomb]))
      })
      const options = {
        url: server.url,
        perMessageDeflate: true,
        maxPayload: 10_000,
        closeTimeout: "200 millis"
      } as const
      assert.isBelow(bomb.length, 65_536)
      yield* withChat(
        { ...options, startup: "lazy", retry: quickRetry },
        Effect.gen(function*() {
          yield* eventually("it is closed", Effect.sync(() => closeCodeOf(server.received()) === 1009))
        })
      )
    }))

  it.live("that accepts an extension nobody asked for, is refused, and callers are told at once", () =>
    Effect.gen(function*() {
      const server = yield* make({ headers: ["Sec-WebSocket-Extensions: permessage-deflate"], onOpen: () => {} })
      yield* withChat(
        { url: server.url, minConnections: 0 },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Chat.request("x"))
          assert.isTrue(error._tag === "PoolError" && error.reason._tag === "ConnectFailed" && !error.isRetryable)
        })
      )
    }))

  it.live("that closes during the handshake, is a dial that failed and may be tried again", () =>
    Effect.gen(function*() {
      const server = yield* make({ answer: "HTTP/1.1 101 Swit", onOpen: (socket) => socket.end() })
      yield* withChat(
        { url: server.url, minConnections: 0, retry: quickRetry, acquireTimeout: "1 second" },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Chat.request("x"))
          assert.isTrue(error._tag === "PoolError" && error.isRetryable)
          assert.isAbove(server.accepted(), 1)
        })
      )
    }))

  it.live("that never stops sending is slowed down while nobody reads, and memory stays flat", () =>
    Effect.gen(function*() {
      let sent = 0
      const message = "x".repeat(10_000)
      const server = yield* makeWs({
        onConnection: (socket) => {
          const more = (): void => {
            if (socket.readyState !== socket.OPEN) return
            if (socket.bufferedAmount < 1_000_000) {
              socket.send(message)
              sent++
            }
            setImmediate(more)
          }
          more()
        }
      })
      yield* withChat(
        {
          url: server.url,
          inboundCapacity: 10,
          freshnessWindow: 0,
          pingInterval: "50 millis",
          pongTimeout: "50 millis"
        },
        Effect.gen(function*() {
          const reader = yield* Effect.forkChild(Stream.runForEach(Chat.messages, () => Effect.never))
          let last = -1
          yield* eventually(
            "the server is held",
            Effect.delay(
              Effect.sync(() => {
                const isHeld = sent === last
                last = sent
                return isHeld
              }),
              "100 millis"
            )
          )
          const { received, unread } = yield* Chat.traffic
          assert.isBelow(received, 100)
          assert.strictEqual(unread, 0)
          yield* Effect.sleep("200 millis")
          assert.strictEqual((yield* Chat.traffic).received, received)
          assert.strictEqual((yield* Chat.stats).counts.retired.broken, 0, "a suspended connection misses no pong")
          const [info] = yield* Chat.connections
          assert.include(info?.activity ?? "", "suspended")
          yield* Chat.send("it can't prove itself, and is believed")
          assert.strictEqual((yield* Chat.stats).counts.retired.invalid, 0)
          yield* Fiber.interrupt(reader)
          yield* eventually(
            "it is read again",
            Effect.map(Chat.traffic, (traffic) => traffic.received > received + 100)
          )
        })
      )
    }))
})
