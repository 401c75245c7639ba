import { PoolConfig, PoolError } from "@effect-pools/core"
import { WebSocketConfig, WebSocketConnector } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Options from "../src/internal/options.ts"
import type { ConnectionSettings } from "../src/internal/settings.ts"
import { barred, Chat, quietly } from "./support.ts"

const url = "wss://example.com/path?token=secret"

type Raw = WebSocketConfig.RawMessage

const settings = (options: Partial<WebSocketConfig.WebSocketOptions>): ConnectionSettings<Raw> =>
  Result.getOrThrow(Options.check<Raw>({ url, ...options }, "app/Chat", limits)).settings

const limits = { closeTimeout: 5000, connectTimeout: 10_000 }

const refusal = (options: Record<string, unknown>): readonly [option: string, rule: string] => {
  const checked = Options.check<Raw>({ url, ...options } as WebSocketConfig.WebSocketOptions, "app/Chat", limits)
  return Result.isFailure(checked) ? [checked.failure.option, checked.failure.rule] : assert.fail("it was accepted")
}

describe("the options of a WebSocket pool", () => {
  it("have these defaults", () => {
    const { closeCodes, ...rest } = settings({})
    assert.deepStrictEqual(rest, {
      url,
      protocols: [],
      headers: {},
      tls: undefined,
      warnings: [],
      pingInterval: 30_000,
      pongTimeout: 5000,
      keepAlive: undefined,
      control: undefined,
      maxPayload: 1_048_576,
      maxFragments: 16_384,
      perMessageDeflate: false,
      sendBufferLimit: 1_048_576,
      sendPolicy: "wait",
      sendTimeout: 10_000,
      requestTimeout: 30_000,
      inboundCapacity: 256,
      inboundPolicy: "suspend",
      schema: undefined,
      correlation: undefined,
      sharing: 128,
      stableAfter: 5000,
      reconnectDelay: 2000,
      maxRetryAfter: 60_000,
      onOpen: undefined,
      goodbyeTimeout: 2500
    })
    assert.deepStrictEqual(
      [1000, 1001, 1006, 1011, 1012, 4000, 1008, 1010, 4001, 4003, 4401, 4403].map((code) => closeCodes(code, "")),
      [...Array(6).fill("reconnect"), ...Array(6).fill("never")]
    )
  })

  it("give way to each other where only one is given", () => {
    assert.strictEqual(settings({ pingInterval: "2 seconds" }).pongTimeout, 2000)
    assert.strictEqual(settings({ pongTimeout: "1 minute" }).pingInterval, 60_000)
  })

  it("with credentials that change never give a server up for good", () => {
    for (const options of [{ url: Effect.succeed(url) }, { headers: Effect.succeed({}) }]) {
      assert.strictEqual(settings(options).closeCodes(4001, ""), "reconnect")
    }
  })

  it("leave the time that a close may take half to the server", () => {
    assert.strictEqual(settings({ closeTimeout: "1 second" }).goodbyeTimeout, 500)
  })

  it("pass on what is the pool's", () => {
    const { pool } = Result.getOrThrow(Options.check<Raw>({ url, maxConnections: 3 }, "app/Chat", limits))
    assert.deepStrictEqual(pool, { maxConnections: 3, name: "app/Chat" })
  })

  const refused: ReadonlyArray<readonly [options: Record<string, unknown>, option: string, rule: RegExp]> = [
    [{ url: undefined }, "url", /needed/],
    [{ url: 1 }, "url", /text/],
    [{ url: "example.com" }, "url", /ws:\/\/ or wss/],
    [{ url: "ws://example.com:99999" }, "url", /port from 1 to 65535/],
    [{ url: "https://example.com" }, "url", /ws:\/\/ or wss/],
    [{ url: Redacted.make("ftp://example.com") }, "url", /ws:\/\/ or wss/],
    [{ url: "ws://example.com/#x" }, "url", /fragment/],
    [{ protocols: "chat" }, "protocols", /list/],
    [{ protocols: ["a", "a"] }, "protocols", /different/],
    [{ protocols: ["a b"] }, "protocols", /names/],
    [{ headers: { a: 1 } }, "headers", /texts/],
    [{ headers: { "a b": "c" } }, "headers", /texts/],
    [{ headers: { Upgrade: "x" } }, "headers", /handshake/],
    [{ headers: { "Sec-WebSocket-Key": "x" } }, "headers", /handshake/],
    [{ headers: { Host: "elsewhere" } }, "headers", /handshake/],
    [{ headers: { "transfer-encoding": "chunked" } }, "headers", /handshake/],
    [{ headers: { "Content-Length": "4" } }, "headers", /handshake/],
    [{ headers: { expect: "100-continue" } }, "headers", /handshake/],
    [{ headers: { a: "b\r\nc: d" } }, "headers", /one line/],
    [{ headers: { a: Redacted.make("b\0") } }, "headers", /one line/],
    [{ headers: { a: "\u20ac" } }, "headers", /one line/],
    [{ url: "ws://host.test/%00" }, "url", /NUL/],
    [{ maxFragments: 0 }, "maxFragments", /from 1 to/],
    [{ maxRetryAfter: -1 }, "maxRetryAfter", /./],
    [{ reconnectDelay: "10 seconds" }, "reconnectDelay", /shorter than connectTimeout/],
    [{ reconnectDelay: 500, connectTimeout: 400 }, "reconnectDelay", /shorter than connectTimeout/],
    [{ tls: true }, "tls", /object/],
    [{ tls: { ciphers: "none such" } }, "tls", /can't be used by node:tls/],
    [{ url: "ws://example.com", tls: {} }, "tls", /no effect/],
    [{ pingInterval: 0 }, "pingInterval", /at least 1 ms/],
    [{ pingInterval: Infinity }, "pingInterval", /finite/],
    [{ pongTimeout: "soon" }, "pongTimeout", /duration/],
    [{ pingInterval: 10, pongTimeout: 11 }, "pongTimeout", /not exceed pingInterval/],
    [{ keepAlive: {} }, "keepAlive", /message and isReply/],
    [{ control: { ping: () => "" } }, "control", /ping and read/],
    [{ control: { ping: () => "", read: () => undefined, heartbeat: 1 } }, "control", /heartbeat if there is one/],
    [
      { control: { ping: () => "", read: () => undefined }, keepAlive: { message: "ping", isReply: () => true } },
      "keepAlive",
      /has no effect with control/
    ],
    [{ keepAlive: { isReply: () => true } }, "keepAlive", /message and isReply/],
    [{ maxPayload: 0 }, "maxPayload", /integer from 1/],
    [{ maxPayload: 1024 ** 3 }, "maxPayload", /integer from 1 to 536870888/],
    [{ perMessageDeflate: {} }, "perMessageDeflate", /true or false/],
    [{ sendBufferLimit: 0.5 }, "sendBufferLimit", /integer/],
    [{ sendPolicy: "drop" }, "sendPolicy", /"wait" or "fail"/],
    [{ sendTimeout: -1 }, "sendTimeout", /at least 1 ms/],
    [{ requestTimeout: 0 }, "requestTimeout", /at least 1 ms/],
    [{ inboundCapacity: 0 }, "inboundCapacity", /integer from 1/],
    [{ inboundPolicy: "drop" }, "inboundPolicy", /"suspend" or "dropOldest" or "close"/],
    [{ schema: {} }, "schema", /Schema/],
    [{ correlation: { withId: () => "" } }, "correlation", /withId and idOf/],
    [{ correlation: { ...barred, idOfFrame: "id" } }, "correlation", /idOfFrame/],
    [{ sharing: 0 }, "sharing", /integer from 1/],
    [{ closeCodes: [1000] }, "closeCodes", /function/],
    [{ stableAfter: -1 }, "stableAfter", /at least 0 ms/],
    [{ onOpen: Effect.void }, "onOpen", /function/]
  ]
  for (const [options, option, rule] of refused) {
    it(`are refused: ${inspect(options, { depth: 1, breakLength: Infinity })}`, () => {
      const [found, broken] = refusal(options)
      assert.strictEqual(found, option)
      assert.match(broken, rule)
    })
  }

  it.effect("that nobody knows are refused by the pool, and a bad one is never quoted", () =>
    Effect.gen(function*() {
      const unknown = yield* Effect.flip(
        Effect.scoped(Effect.provide(Chat.stats, Chat.layer({ url, pingIntervall: 1 } as never)))
      )
      assert.isTrue(unknown instanceof PoolError.PoolError && unknown.reason._tag === "InvalidOption")
      assert.include(unknown.message, "pingIntervall")
      const bad = yield* Effect.flip(WebSocketConnector.make({ url: "https://secret@example.com/?secret" }))
      assert.notInclude(inspect(bad), "secret")
    }).pipe(quietly))

  it("accept schemas, correlations and effects", () => {
    const schema = Schema.String
    assert.strictEqual(settings({ schema, correlation: barred }).correlation, barred)
  })

  it.effect("are read from the environment", () =>
    Effect.gen(function*() {
      const read = yield* WebSocketConfig.fromEnv.parse(
        ConfigProvider.fromEnvRecord({ WEBSOCKET_URL: url, POOL_MAX_CONNECTIONS: "7" })
      )
      assert.deepStrictEqual([Redacted.value(read.url as Redacted.Redacted), read.maxConnections], [url, 7])
      const none = yield* Effect.exit(WebSocketConfig.fromEnv.parse(ConfigProvider.fromEnvRecord({})))
      assert.isTrue(Exit.isFailure(none))
    }))
})

describe("the presets", () => {
  it.effect("are accepted by the pool, and have their own sizes and limits", () =>
    Effect.gen(function*() {
      for (const preset of Object.values(WebSocketConfig.presets)) {
        const { pool } = yield* Effect.fromResult(Options.check({ url, ...preset }, "app/Chat", limits))
        const config = yield* PoolConfig.make(WebSocketConfig.kind, "app/Pool", pool)
        assert.strictEqual(config.maxConnections, preset.maxConnections)
        assert.isBelow(config.maxConnections, 51)
      }
      assert.strictEqual(settings(WebSocketConfig.presets.lowLatency).requestTimeout, 5000)
    }))
})
