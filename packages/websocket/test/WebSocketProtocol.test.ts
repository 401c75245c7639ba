import { WebSocketPool, WebSocketProtocol, WebSocketScript } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { barred, Chat, settled, watch, withScript } from "./support.ts"

const Said = Schema.Struct({ type: Schema.String, text: Schema.optionalKey(Schema.String) })

class Realtime extends WebSocketPool.Service<Realtime, typeof Said.Type>()("app/Realtime") {}

const protocol = WebSocketProtocol.json({ messages: Said, protocol: "voice-terminal-protocol" })

const sent = (server: WebSocketScript.Script): ReadonlyArray<{ readonly type: string; readonly id?: string }> =>
  server.received.map(({ message }) => JSON.parse(String(message)))

/** A server that answers pings as the protocol asks. */
const answering = () =>
  WebSocketScript.make((message) => {
    const { id, type } = JSON.parse(String(message)) as { readonly type: string; readonly id?: string }
    return type === "ping" ? [JSON.stringify({ type: "pong", id })] : []
  })

const withRealtime = <A, E>(
  server: WebSocketScript.Script,
  test: Effect.Effect<A, E, Realtime>,
  options: Parameters<typeof Realtime.layerTest>[1] = {}
) =>
  Effect.provide(
    Effect.ensuring(test, Effect.asVoid(Realtime.drain)),
    Realtime.layerTest(server, {
      ...protocol,
      pingInterval: "10 seconds",
      pongTimeout: "2 seconds",
      idleTimeout: "1 hour",
      ...options
    })
  )

describe("WebSocketProtocol.json", () => {
  it.effect("offers its subprotocol", () =>
    withRealtime(
      answering(),
      Effect.map(
        Realtime.withConnection(({ protocol }) => Effect.succeed(protocol)),
        (protocol) => assert.strictEqual(protocol, "voice-terminal-protocol")
      )
    ))

  it.effect("beats with the time, and proves itself by pings with an id each", () => {
    const server = answering()
    return withRealtime(
      server,
      Effect.gen(function*() {
        yield* Realtime.warmUp(1)
        yield* TestClock.adjust("25 seconds")
        assert.deepStrictEqual(sent(server) as unknown, [
          { type: "heartbeat", timestamp: 10_000 },
          { type: "ping", id: "1" },
          { type: "heartbeat", timestamp: 20_000 },
          { type: "ping", id: "2" }
        ])
        assert.strictEqual((yield* Realtime.stats).idle, 1)
      })
    )
  })

  it.effect("retires a connection whose server answers no ping, though heartbeats need no answer", () => {
    const server = WebSocketScript.make()
    return withRealtime(
      server,
      Effect.gen(function*() {
        yield* Realtime.warmUp(1)
        yield* TestClock.adjust("13 seconds")
        assert.strictEqual((yield* Realtime.stats).counts.retired.broken, 1)
      })
    )
  })

  it.effect("takes the pong of another ping for no proof", () => {
    const server = WebSocketScript.make((message) =>
      String(message).includes("ping") ? [JSON.stringify({ type: "pong", id: "another" })] : []
    )
    return withRealtime(
      server,
      Effect.gen(function*() {
        yield* Realtime.warmUp(1)
        const asked = yield* Effect.forkChild(Realtime.withConnection(() => Effect.void))
        yield* TestClock.adjust("1 second")
        yield* Effect.exit(Fiber.join(asked))
        assert.isAtLeast((yield* Realtime.stats).counts.retired.invalid, 1)
      }),
      { freshnessWindow: 0 }
    )
  })

  it.effect("answers the pings of the server with their ids, and shows them to nobody", () => {
    const server = answering()
    return withRealtime(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Realtime.inbound)
        yield* Realtime.warmUp(1)
        yield* settled
        server.push(JSON.stringify({ type: "ping", id: "s-1" }))
        server.push(JSON.stringify({ type: "ping", id: 7 }))
        server.push(JSON.stringify({ type: "ping" }))
        server.push(JSON.stringify({ type: "heartbeat", timestamp: 1 }))
        server.push(JSON.stringify({ type: "pong", id: "late" }))
        server.push(JSON.stringify({ type: "said", text: "hello" }))
        yield* settled
        assert.deepStrictEqual(sent(server) as unknown, [
          { type: "pong", id: "s-1" },
          { type: "pong", id: 7 },
          { type: "pong" }
        ])
        assert.deepStrictEqual(seen.filter(({ _tag }) => _tag !== "Opened") as unknown, [
          { _tag: "Message", connection: 1, message: { type: "said", text: "hello" } }
        ])
      })
    )
  })

  it.effect("answers the pings of the server on a connection that is lent as well", () => {
    const server = answering()
    return withRealtime(
      server,
      Realtime.withConnection(() =>
        Effect.gen(function*() {
          server.push(JSON.stringify({ type: "ping", id: "s-1" }))
          yield* settled
          assert.deepStrictEqual(sent(server), [{ type: "pong", id: "s-1" }])
        })
      )
    )
  })

  it.effect("leaves a message that only looks like one of its own to the application", () => {
    const server = answering()
    return withRealtime(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Realtime.messages)
        yield* Realtime.warmUp(1)
        server.push(JSON.stringify({ type: "said", text: "{\"type\":\"ping\",\"id\":\"1\"}" }))
        server.push(JSON.stringify({ type: "ping", text: "x".repeat(2000) }))
        yield* settled
        assert.strictEqual(seen.length, 2)
        assert.deepStrictEqual(sent(server), [])
      })
    )
  })
})

describe("control messages", () => {
  it.effect("whose functions throw end nothing", () => {
    const server = WebSocketScript.make()
    const broken = () => {
      throw new Error("mine")
    }
    return withScript(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.messages)
        yield* Chat.warmUp(1)
        server.push("hello")
        yield* TestClock.adjust("11 seconds")
        server.push("still here")
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(seen.map(({ message }) => message), ["hello", "still here"])
      }),
      {
        pingInterval: "10 seconds",
        pongTimeout: "2 seconds",
        correlation: barred,
        control: { ping: broken, heartbeat: broken, read: broken }
      }
    )
  })
})

describe("a connection that the pool closes", () => {
  it.effect("tells the server that it is the pool's cleanup", () => {
    const script = WebSocketScript.make()
    const closes: Array<readonly [number, string]> = []
    const server: WebSocketScript.Script = {
      ...script,
      connect: (listener, protocols) =>
        script.connect({
          opened: (wire) =>
            listener.opened({
              ...wire,
              close: (code, reason) => {
                closes.push([code, reason])
                wire.close(code, reason)
              }
            }),
          received: (frame) => listener.received(frame),
          ponged: (payload) => listener.ponged(payload),
          failed: (code, reason) => listener.failed(code, reason),
          closed: (code, reason) => listener.closed(code, reason)
        }, protocols)
    }
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        yield* Chat.drain
        assert.deepStrictEqual(closes, [[1000, "Pool cleanup"]])
      })
    )
  })
})
