import * as TestCertificate from "@effect-pools/testing/TestCertificate"
import { WebSocketConnector } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Fiber, Logger, Redacted, Scheduler, Stream } from "effect"
import { Socket } from "effect/socket"
import type { Socket as NetSocket } from "node:net"
import { inspect } from "node:util"
import { barred, bodyOf, Chat, eventually, noteOptions, Notes, quickRetry, reasonOf, withChat } from "./support.ts"
import { frame, make as makeRaw } from "./fixtures/rawServer.ts"
import { make, type ServerOptions } from "./fixtures/wsServer.ts"

class VaultError extends Data.TaggedError("VaultError")<{ readonly message: string }> {}

/** What a caller is told when no connection can be opened. */
const refusedDial = (options: ServerOptions, more: object = {}) =>
  Effect.gen(function*() {
    const server = yield* make(options)
    return yield* withChat(
      { url: server.url, minConnections: 0, retry: quickRetry, acquireTimeout: "1 second", ...more },
      Effect.gen(function*() {
        const error = yield* Effect.flip(Chat.request("x"))
        return error._tag === "PoolError" ? error : assert.fail(String(error))
      })
    )
  })

describe("opening a connection", () => {
  it.live("sends the headers, plain and Redacted, and the protocols, and the query of the URL", () =>
    Effect.gen(function*() {
      const server = yield* make({ protocols: (offered) => Array.from(offered)[1] ?? false })
      yield* withChat(
        {
          url: Redacted.make(`${server.url}/chat?token=t0ken`),
          headers: { Authorization: Redacted.make("Bearer abc"), "X-App": "tests" },
          protocols: ["v1", "v2"]
        },
        Chat.withConnection(({ protocol }) => Effect.sync(() => assert.strictEqual(protocol, "v2")))
      )
      const { headers, url } = server.requests[0]!
      assert.deepStrictEqual([url, headers.authorization, headers["x-app"]], [
        "/chat?token=t0ken",
        "Bearer abc",
        "tests"
      ])
      assert.isUndefined(headers["sec-websocket-extensions"], "compression is not offered")
    }))

  it.live("evaluates the URL and the headers for each dial", () =>
    Effect.gen(function*() {
      const server = yield* make()
      let dials = 0
      yield* withChat(
        {
          url: Effect.sync(() => Redacted.make(`${server.url}/?n=${++dials}`)),
          headers: Effect.sync(() => ({ authorization: `token ${dials}` }))
        },
        Effect.andThen(Chat.retireAll, Chat.request("x"))
      )
      const seen = server.requests.map(({ headers, url }) => `${url} ${headers.authorization}`)
      assert.deepStrictEqual(seen, ["/?n=1 token 1", "/?n=2 token 2"])
    }))

  it.live("fails when such an effect fails, or yields what is no URL", () =>
    Effect.gen(function*() {
      const vault = yield* refusedDial({}, { headers: Effect.fail(new VaultError({ message: "the vault is sealed" })) })
      assert.include(vault.message, "option headers: the vault is sealed")
      const url = yield* refusedDial({}, { url: Effect.succeed("http://token@host") })
      assert.include(url.message, "must begin with ws://")
      assert.notInclude(inspect(url), "token@")
      const plain = yield* refusedDial({}, { url: Effect.succeed("ws://127.0.0.1:1"), tls: {} })
      assert.include(plain.message, "option tls: has no effect for a ws:// url")
    }))

  it.live("fails at once when the effect yields headers that can't be sent, and does not quote them", () =>
    Effect.gen(function*() {
      for (const headers of [{ "sec-websocket-key": "s3cret" }, { "a b": "s3cret" }, { a: 1 }, undefined]) {
        const error = yield* refusedDial({}, { headers: Effect.succeed(headers as Record<string, string>) })
        assert.include(error.message, "option headers: must be an object of texts")
        assert.isFalse(error.isRetryable)
        assert.notInclude(inspect(error, { depth: 20 }), "s3cret")
      }
    }))

  it.live("tells the status of a server that refuses, and whether to try again", () =>
    Effect.gen(function*() {
      const cases = [
        [400, false, undefined],
        [401, false, "credentials"],
        [404, false, undefined],
        [429, true, "capacity"],
        [503, true, "capacity"]
      ] as const
      for (const [status, isRetryable, refusal] of cases) {
        const error = yield* refusedDial({ refuse: () => status })
        assert.include(error.message, `status ${status}`)
        assert.strictEqual(error.isRetryable, isRetryable, `${status}`)
        assert.strictEqual((error.cause as { readonly refusal?: string }).refusal, refusal, `${status}`)
      }
      const fresh = yield* refusedDial({ refuse: () => 401 }, { headers: Effect.succeed({}) })
      assert.isTrue(fresh.isRetryable, "the next credentials may be better")
    }))

  it.live("fails at once when the server accepts none of the protocols", () =>
    Effect.gen(function*() {
      const error = yield* refusedDial({ protocols: () => false }, { protocols: ["v9"] })
      assert.include(error.message, "subprotocol")
      assert.isFalse(error.isRetryable)
    }))

  it.live("over TLS trusts nobody unless told to", () =>
    Effect.gen(function*() {
      const error = yield* refusedDial({ tls: true })
      assert.include(error.message.toLowerCase(), "self-signed")
      assert.isFalse(error.isRetryable)
      const server = yield* make({ tls: true })
      yield* withChat(
        { url: server.url, tls: { ca: TestCertificate.certificate } },
        Effect.gen(function*() {
          assert.strictEqual(yield* Chat.request("secret"), "secret")
          yield* Chat.send("more")
        })
      )
    }))

  it.live("may agree on compression", () =>
    Effect.gen(function*() {
      const server = yield* make({ perMessageDeflate: true })
      yield* withChat(
        { url: server.url, perMessageDeflate: true },
        Effect.gen(function*() {
          const large = "x".repeat(100_000)
          assert.strictEqual(yield* Chat.request(large), large)
          yield* Chat.send(large)
        })
      )
      assert.include(server.requests[0]?.headers["sec-websocket-extensions"] ?? "", "permessage-deflate")
    }))

  it.live("fails when nobody listens", () =>
    Effect.gen(function*() {
      const error = yield* refusedDial({}, { url: "ws://127.0.0.1:1" })
      assert.isTrue(error.message.endsWith(" ws://127.0.0.1:1: could not open: connect ECONNREFUSED"), error.message)
      assert.isTrue(error.isRetryable)
    }))

  it.live("fails when nobody listens, however busy the program is, and never ends it", () =>
    Effect.gen(function*() {
      const server = yield* make({ refuse: () => 503 })
      for (let ops = 3; ops <= 40; ops++) {
        yield* Effect.exit(Effect.scoped(Effect.flatMap(
          WebSocketConnector.make({ url: ops % 2 === 0 ? server.url : "ws://127.0.0.1:1" }),
          ({ connect }) => connect({ onBroken: () => {}, onEnded: () => {} })
        ))).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, ops))
      }
    }))
})

describe("closing", () => {
  it.live("says goodbye with 1000, and waits for the server to have closed", () =>
    Effect.gen(function*() {
      const server = yield* make()
      yield* withChat({ url: server.url, minConnections: 3 }, Effect.andThen(Chat.request("x"), Chat.drain))
      yield* eventually("all are closed", Effect.sync(() => server.live() === 0))
      assert.deepStrictEqual(server.closes, [1000, 1000, 1000])
    }))

  it.live("is over within closeTimeout when the server does not answer", () =>
    Effect.gen(function*() {
      const server = yield* makeRaw({ onOpen: () => {} })
      yield* withChat(
        { url: server.url, closeTimeout: "200 millis" },
        Effect.gen(function*() {
          const report = yield* Chat.drain
          assert.deepStrictEqual([report.closed, report.closesTimedOut], [1, 0])
          assert.isAtLeast(report.took, 95)
        })
      )
      yield* eventually(
        "the socket is closed",
        Effect.sync(() =>
          server.sockets.every((socket) => socket.readyState === "closed" || socket.destroyed || socket.readableEnded)
        )
      )
    }))

  it.live("with the pool's scope tells the readers of sockets and of messages", () =>
    Effect.gen(function*() {
      const server = yield* make()
      const socket = yield* withChat(
        { url: server.url },
        Effect.gen(function*() {
          const messages = yield* Effect.forkDetach(Stream.runDrain(Chat.messages))
          const socket = yield* Socket.Socket
          const end = yield* Effect.forkDetach(
            Effect.flip(Effect.scoped(Effect.flatMap(socket.reader, ({ pull }) => pull)))
          )
          yield* eventually("it is lent", Effect.map(Chat.stats, ({ used }) => used === 1))
          return { messages, end }
        })
      )
      yield* Fiber.join(socket.messages)
      const { reason } = yield* Fiber.join(socket.end)
      assert.isTrue(reason._tag === "SocketCloseError" && reason.code === 1001)
    }))

  it.live("with a pool that is not released leaves nothing behind in the process", () =>
    Effect.gen(function*() {
      const server = yield* make()
      const before = process.getActiveResourcesInfo().length
      for (let i = 0; i < 5; i++) yield* withChat({ url: server.url, minConnections: 4 }, Chat.request("x"))
      yield* eventually(
        "as before",
        Effect.sync(() => server.live() === 0 && process.getActiveResourcesInfo().length <= before + 1)
      )
    }))
})

/** A server that completes the handshake and never reads again. */
const deafServer = Effect.gen(function*() {
  const held: Array<NetSocket> = []
  const server = yield* makeRaw({
    onOpen: (socket) => {
      held.push(socket)
      socket.pause()
    }
  })
  return { url: server.url, read: () => held.forEach((socket) => socket.resume()) }
})

describe("sending to a server that does not read", () => {
  const large = "x".repeat(1_000_000)
  const limits = { sendBufferLimit: 1_000_000, maxConnections: 1, closeTimeout: "100 millis" } as const

  it.live("waits when the buffer is full, for sendTimeout, and tells what became of each message", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      yield* withChat(
        { url: server.url, ...limits, sendTimeout: "300 millis" },
        Effect.gen(function*() {
          const exits = yield* Effect.forEach(
            Array.from({ length: 30 }),
            () => Effect.result(Chat.send(large)),
            { concurrency: "unbounded" }
          )
          const told = new Set(exits.map((exit) => {
            if (exit._tag === "Success") return "sent"
            const { reason } = exit.failure
            return reason._tag === "SendTimeout" ? `timeout ${reason.delivery}` : reason._tag
          }))
          assert.isTrue(told.has("timeout none"), "some never left")
          assert.isTrue(told.has("timeout unknown"), "some were on their way")
          const { activity } = (yield* Chat.connections)[0]!
          const buffered = Number(/(\d+) bytes buffered/.exec(activity ?? "")?.[1])
          assert.isBelow(buffered, 2_100_000)
        })
      )
    }))

  it.live("fails at once with BufferFull under the policy fail", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      yield* withChat(
        { url: server.url, ...limits, sendTimeout: "300 millis", sendPolicy: "fail" },
        Effect.gen(function*() {
          const results = yield* Effect.forEach(
            Array.from({ length: 30 }),
            () => Effect.result(Chat.send(large)),
            { concurrency: "unbounded" }
          )
          const reasons = results.flatMap((result) => result._tag === "Failure" ? [result.failure.reason] : [])
          const full = reasons.find(({ _tag }) => _tag === "BufferFull")
          assert.isTrue(full?._tag === "BufferFull" && full.limit === 1_000_000 && full.buffered > 0)
        })
      )
    }))

  it.live("goes on, in order, when the server reads again", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      yield* withChat(
        { url: server.url, ...limits, sendTimeout: "20 seconds" },
        Effect.gen(function*() {
          const all = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 20 }), () => Chat.send(large), {
              concurrency: "unbounded",
              discard: true
            })
          )
          yield* Effect.sleep("50 millis")
          assert.isUndefined(all.pollUnsafe())
          server.read()
          yield* Fiber.join(all)
        })
      )
    }))

  it.live("does not wait for a peer that is given up", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      const patience = { sendTimeout: "1 minute", pingInterval: 200, pongTimeout: 200 } as const
      yield* withChat(
        { url: server.url, ...limits, ...patience },
        Effect.gen(function*() {
          const results = yield* Chat.withConnection((connection) =>
            Effect.forEach(Array.from({ length: 30 }), () => Effect.result(connection.send(large)), { concurrency: 2 })
          ).pipe(Effect.timeout("20 seconds"))
          const told = results.flatMap((result) => result._tag === "Failure" ? [result.failure.reason] : [])
          assert.deepStrictEqual(new Set(told.map(({ _tag }) => _tag)), new Set(["HeartbeatMissed"]))
          const deliveries = told.map((reason) => reason._tag === "HeartbeatMissed" ? reason.delivery : reason._tag)
          assert.deepStrictEqual(deliveries.slice(0, 2), ["unknown", "none"])
        })
      )
    }))

  it.live("is told at once when the borrower closes the connection meanwhile", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      yield* withChat(
        { url: server.url, ...limits, sendTimeout: "1 minute" },
        Chat.withConnection((connection) =>
          Effect.gen(function*() {
            const sends = yield* Effect.forEach(
              Array.from({ length: 30 }),
              () => Effect.forkChild(Effect.result(connection.send(large)), { startImmediately: true })
            )
            // Until the network takes nothing more, which would let them look again.
            yield* Effect.sleep("200 millis")
            yield* connection.close()
            const last = yield* Effect.timeout(Fiber.join(sends.at(-1)!), "10 seconds")
            const reason = last._tag === "Failure" ? last.failure.reason : undefined
            assert.isTrue(reason?._tag === "Closed" && reason.delivery === "none")
          })
        )
      )
    }))

  it.live("is told when the connection ends meanwhile", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      yield* withChat(
        { url: server.url, ...limits },
        Effect.gen(function*() {
          const all = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 20 }), () => Effect.result(Chat.send(large)), {
              concurrency: "unbounded"
            })
          )
          yield* Effect.sleep("50 millis")
          yield* Chat.broadcast("x").pipe(Effect.timeoutOption("10 millis"))
          yield* Chat.drain
          const results = yield* Fiber.join(all)
          assert.isTrue(results.some(({ _tag }) => _tag === "Failure"))
        })
      )
    }))
})

describe("messages", () => {
  it.live("may be bytes", () =>
    Effect.gen(function*() {
      const server = yield* make()
      yield* withChat(
        { url: server.url },
        Effect.gen(function*() {
          const reply = yield* Chat.request(new Uint8Array([0, 255, 1]))
          assert.deepStrictEqual(Array.from(reply as Uint8Array), [0, 255, 1])
        })
      )
    }))

  it.live("of many callers on few connections each get their own reply", () =>
    Effect.gen(function*() {
      const server = yield* make({
        onMessage: (message, socket) => void setTimeout(() => socket.send(message), Number(bodyOf(message)) % 7)
      })
      yield* withChat(
        { url: server.url, correlation: barred, maxConnections: 3 },
        Effect.gen(function*() {
          const bodies = Array.from({ length: 500 }, (_, i) => `${i}`)
          const replies = yield* Effect.forEach(bodies, (body) => Chat.request(body), { concurrency: 100 })
          assert.deepStrictEqual(replies.map(bodyOf), bodies)
          assert.isAtMost(server.live(), 3)
        })
      )
    }))

  it.live("larger than maxPayload end the connection with 1009, and the request is told", () =>
    Effect.gen(function*() {
      const server = yield* make()
      yield* withChat(
        { url: server.url, maxPayload: 1000, stableAfter: 0, retry: quickRetry },
        Effect.gen(function*() {
          const reason = yield* reasonOf(Chat.request("x".repeat(1001)))
          assert.isTrue(reason._tag === "Closed" && reason.code === 1009)
          yield* eventually("the server knows", Effect.sync(() => server.closes.includes(1009)))
          assert.strictEqual(yield* Chat.request("small"), "small")
        })
      )
    }))

  it.live.each([0, 1, 125, 126, 16_384, 16_385, 65_536])(
    "of %d characters arrive as the texts they were",
    (length) =>
      Effect.gen(function*() {
        const server = yield* make()
        yield* withChat(
          { url: server.url },
          Effect.gen(function*() {
            const texts = ["x".repeat(length), "\u20ac".repeat(length)]
            for (const text of texts) assert.strictEqual(yield* Chat.request(text), text)
            assert.deepStrictEqual(server.messages, texts)
          })
        )
      })
  )

  it.live("typed by a schema travel as JSON", () =>
    Effect.gen(function*() {
      const server = yield* make()
      const test = Effect.gen(function*() {
        assert.deepStrictEqual(yield* Notes.request({ text: "hi" }), { id: "1", text: "hi" })
      })
      yield* Effect.provide(test, Notes.layerPoolOnly({ url: server.url, ...noteOptions }))
      assert.deepStrictEqual(server.messages, ["{\"id\":\"1\",\"text\":\"hi\"}"])
    }))
})

describe("a validation", () => {
  it.live("is passed by the pong to its own ping only", () =>
    Effect.gen(function*() {
      const server = yield* makeRaw({
        onOpen: (socket) => void socket.on("data", () => socket.write(frame(10, "stale")))
      })
      const options = { url: server.url, freshnessWindow: 0, validateTimeout: 100, acquireTimeout: 500, stableAfter: 0 }
      yield* withChat(
        { ...options, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Chat.send("opens no other").pipe(Effect.ignore)
          assert.isAtLeast((yield* Chat.stats).counts.retired.invalid, 1)
        })
      )
    }))
})

describe("a server that closes every connection", () => {
  it.live("is not stormed", () =>
    Effect.gen(function*() {
      const server = yield* make({ onConnection: (socket) => socket.close(1013, "try again later") })
      yield* withChat(
        { url: server.url, startup: "lazy" },
        Effect.gen(function*() {
          yield* Effect.sleep("600 millis")
          assert.isAtMost(server.requests.length, 2)
          const reason = yield* Effect.flip(Chat.request("x"))
          assert.isTrue(reason._tag === "PoolError" || reason._tag === "WebSocketError")
        })
      )
    }))
})

describe("secrets", () => {
  it.live("are in no error, log, event, tag or inspection", () =>
    Effect.gen(function*() {
      const secret = "s3cr3t"
      const server = yield* make({ onConnection: (socket) => setTimeout(() => socket.close(1011, "bye"), 30) })
      const said: Array<string> = []
      const logger = Logger.make(({ message, cause }) => void said.push(inspect([message, cause], { depth: 9 })))
      const [scheme, rest] = server.url.split("//")
      const options = {
        url: Redacted.make(`${scheme}//user:${secret}@${rest}/${secret}?token=${secret}`),
        headers: { authorization: Redacted.make(secret) },
        correlation: barred,
        stableAfter: 0,
        retry: quickRetry
      } as const
      yield* withChat(
        options,
        Effect.gen(function*() {
          const events = yield* Effect.forkChild(
            Stream.runForEach(Chat.events, (event) => Effect.sync(() => void said.push(inspect(event, { depth: 9 }))))
          )
          const error = yield* Effect.flip(Effect.forever(Effect.andThen(Chat.request("x"), Effect.sleep("1 millis"))))
          said.push(inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error))
          yield* Effect.retry(
            Chat.withConnection((connection) =>
              Effect.sync(() => said.push(inspect(connection, { depth: 9, showHidden: true })))
            ),
            quickRetry
          )
          said.push(
            inspect(yield* Chat.connections, { depth: 9 }),
            inspect(yield* Chat.stats, { depth: 9 }),
            inspect(yield* Chat, { depth: 9 })
          )
          yield* Fiber.interrupt(events)
        })
      ).pipe(Effect.provide(Logger.layer([logger])))
      const refused = yield* refusedDial({ refuse: () => 403 }, {
        url: Redacted.make(`ws://127.0.0.1:1/?token=${secret}`)
      })
      said.push(inspect(refused, { depth: 9, showHidden: true }))
      assert.isAbove(said.length, 5)
      assert.deepStrictEqual(said.filter((text) => text.includes(secret)), [])
    }))
})
