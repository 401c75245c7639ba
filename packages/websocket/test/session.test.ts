import { WebSocketScript } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { barred, Chat, reasonOf, settled, watch, withScript } from "./support.ts"

describe("a connection that is not read", () => {
  const keepAlive = { message: "ping", isReply: (message: unknown) => message === "pong" }

  it.effect("because its readers fell behind during a validation is believed to be well", () => {
    const server = WebSocketScript.make((message) => message === "ping" ? ["a", "b", "c", "pong"] : undefined)
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        yield* Effect.forkChild(Stream.runForEach(Chat.messages, () => Effect.never))
        yield* settled
        assert.strictEqual(yield* Chat.withConnection(({ id }) => Effect.succeed(id)), 1)
        assert.strictEqual((yield* Chat.stats).counts.retired.invalid, 0)
      }),
      { keepAlive, inboundCapacity: 1, freshnessWindow: 0 }
    )
  })

  it.effect("when it is pinged has missed nothing when its readers catch up just before pongTimeout", () => {
    const server = WebSocketScript.make((message) => message === "ping" ? ["pong"] : undefined)
    return withScript(
      server,
      Chat.withConnection((connection) =>
        Effect.gen(function*() {
          server.silence(true)
          server.push("fills the inbox")
          yield* TestClock.adjust("34 seconds")
          yield* Stream.runDrain(Stream.take(connection.messages, 1))
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(server.connections(), [1])
        })
      ),
      { keepAlive, inboundCapacity: 1, pingInterval: "30 seconds", pongTimeout: "5 seconds" }
    )
  })
})

describe("a connection that is being closed", () => {
  it.effect("does not fill the memory of a pool whose reader is behind", () => {
    const server = WebSocketScript.make()
    // As one that goes on sending after it was told goodbye.
    const flood = { ...server, connect: flooding(server, 1000) }
    return withScript(
      flood,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        yield* Effect.forkChild(Stream.runForEach(Chat.messages, () => Effect.never))
        yield* settled
        yield* Chat.retireAll
        yield* settled
        assert.isAtLeast((yield* Chat.traffic).dropped, 900)
      }),
      { inboundCapacity: 10 }
    )
  })

  it.effect("by onOpen's server is one dial that failed, and not two", () => {
    const server = WebSocketScript.make()
    let isUnwell = true
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Chat.withConnection(({ id }) => Effect.succeed(id)))
        yield* settled
        isUnwell = false
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Fiber.join(asked), 2)
        assert.strictEqual((yield* Chat.stats).counts.failedToOpen, 1)
      }),
      { onOpen: () => Effect.sync(() => isUnwell ? server.close(1011) : undefined) }
    )
  })
})

describe("a connection that the server ends", () => {
  const retired = (code: number) => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        yield* TestClock.adjust("1 minute")
        server.close(code)
        yield* settled
        const { broken, ended } = (yield* Chat.stats).counts.retired
        return { broken, ended }
      })
    )
  }

  it.effect.each([1000, 1001, 1012])(
    "in good order, with code %d, is no alarm",
    (code) => Effect.map(retired(code), (counts) => assert.deepStrictEqual(counts, { broken: 0, ended: 1 }))
  )

  it.effect.each([1006, 1011, 4000])(
    "otherwise, with code %d, is broken",
    (code) => Effect.map(retired(code), (counts) => assert.deepStrictEqual(counts, { broken: 1, ended: 0 }))
  )
})

describe("the reason that a server gives for a close", () => {
  it.effect("can't forge a line of a log", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Effect.flip(Chat.request("a")))
        yield* settled
        server.close(1012, "bye\n\u001b[2JERROR\u2028all is lost")
        const error = yield* Fiber.join(asked)
        assert.include(error.message, "(bye  [2JERROR all is lost)")
      })
    )
  })
})

describe("an option that a compiler would have refused", () => {
  it.effect("as a schema without JSON, is the sender's error with its remedy", () =>
    withScript(
      () => undefined,
      Effect.gen(function*() {
        const { reason } = yield* Effect.flip(Chat.send({ text: "hi" } as never))
        assert.include(reason.message, "Schema.fromJsonString")
      }),
      { schema: Schema.Struct({ text: Schema.String }) as never }
    ))

  it.effect("as an id that is no text, is told in the log", () => {
    const server = WebSocketScript.make((message) => [message])
    const lines: Array<unknown> = []
    const collector = Logger.layer([Logger.make(({ message }) => void lines.push(message))])
    const correlation = { ...barred, idOf: ((message: string) => Number.parseInt(message, 10)) as never }
    return Effect.gen(function*() {
      const asked = yield* Effect.forkChild(reasonOf(Chat.request("a", { timeout: "1 second" })))
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(asked))._tag, "RequestTimeout")
      assert.include(String(lines), "correlation.idOf must yield a text")
    }).pipe(Effect.provide(Layer.provide(Chat.layerTest(server, { correlation }), collector)))
  })
})

describe("a reader that comes late", () => {
  it.effect("is told of the gaps of few connections, however many have come and gone", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        for (let n = 0; n < 40; n++) {
          yield* TestClock.adjust("1 second")
          server.close(1012)
          yield* settled
        }
        const { seen } = yield* watch(Chat.inbound)
        assert.isAtMost(seen.filter(({ _tag }) => _tag === "Dropped").length, 8)
      }),
      { inboundCapacity: 4, minConnections: 1, stableAfter: 0, connectRate: 1000 }
    )
  })
})

describe("a writer of the pool's socket", () => {
  it.effect("that waits for a connection is told when the pool drains", () =>
    withScript(
      () => undefined,
      Effect.gen(function*() {
        const { write } = yield* Effect.scoped((yield* Chat.socket).writer)
        const writing = yield* Effect.forkChild(Effect.flip(write("early")))
        yield* settled
        yield* Chat.drain
        const { reason } = yield* Fiber.join(writing)
        assert.isTrue(reason._tag === "SocketCloseError" && reason.code === 1001)
      })
    ))
})

/** Sends so many messages when it is told goodbye. */
const flooding =
  (server: WebSocketScript.Script, messages: number): WebSocketScript.Script["connect"] => (listener, protocols) =>
    server.connect({
      opened: (wire) =>
        listener.opened({
          ...wire,
          close: (code, reason) => {
            for (let n = 0; n < messages; n++) listener.received("more")
            wire.close(code, reason)
          }
        }),
      received: (frame) => listener.received(frame),
      ponged: (payload) => listener.ponged(payload),
      failed: (code, reason) => listener.failed(code, reason),
      closed: (code, reason) => listener.closed(code, reason)
    }, protocols)
