import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Deferred, Effect, Fiber, Scope, Stream } from "effect"
import { HttpBody, HttpClient, HttpIncomingMessage } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, withApi } from "./support.ts"

const large = Buffer.alloc(8 * 1024 * 1024, "abcdefghij")

const used = Effect.map(Api.stats, ({ used }) => used)

describe("response bodies", () => {
  it.live("a small body that nobody reads holds no connection", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(Servers.json)
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 20 }), () => Api.get("/"))
          yield* eventually("the connection is idle", Effect.map(Api.stats, ({ idle }) => idle === 1))
          assert.strictEqual((yield* Api.stats).counts.opened, 1)
        })
      )
    }))

  it.live("a large body that nobody reads holds its connection until bodyTimeout, and no longer", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end(large))
      yield* withApi(
        { origin, maxConnections: 1, bodyTimeout: "300 millis" },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          assert.strictEqual(yield* used, 1)
          yield* eventually("the connection is given up", Effect.map(used, (used) => used === 0))
          const error = yield* Effect.flip(response.text)
          assert.strictEqual(error.reason._tag, "DecodeError")
          assert.include(error.message, "the body of the response has not been read for 300 ms (bodyTimeout)")
          assert.strictEqual(
            (yield* Effect.flatMap(Api.get("/"), (response) => response.arrayBuffer)).byteLength,
            large.length
          )
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))

  it.live("a body that comes and comes while nobody reads it holds its connection no longer", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => {
        const timer = setInterval(() => response.write("tick"), 20)
        response.once("close", () => clearInterval(timer))
      })
      yield* withApi(
        { origin, maxConnections: 1, bodyTimeout: "300 millis" },
        Effect.gen(function*() {
          yield* Api.get("/")
          yield* eventually("the connection is given up", Effect.map(used, (used) => used === 0))
        })
      )
    }))

  it.live("a response dropped in the middle of its stream gives up its connection", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end(large))
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          const some = yield* Stream.runHead(response.stream)
          assert.strictEqual(some._tag, "Some")
          yield* eventually("the connection is free", Effect.map(used, (used) => used === 0))
          const again = yield* Effect.flip(response.text)
          assert.include(again.message, "has been streamed already")
        })
      )
    }))

  it.live("the scope of a request ends its response", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end(large))
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const client = HttpClient.withScope(yield* HttpClient.HttpClient)
          const scope = yield* Scope.make()
          yield* Scope.provide(client.get("/"), scope)
          assert.strictEqual(yield* used, 1)
          yield* Scope.close(scope, yield* Effect.exit(Effect.void))
          yield* eventually("the connection is free", Effect.map(used, (used) => used === 0))
        })
      )
    }))

  it.live("an interrupted reader gives up its connection", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.write("some"))
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          const reader = yield* Effect.forkChild(response.text, { startImmediately: true })
          yield* Fiber.interrupt(reader)
          yield* eventually("the connection is free", Effect.map(used, (used) => used === 0))
        })
      )
    }))

  it.live("a body in the middle of being read is had by who streams it too, and by a reader whose fellow has gone", () =>
    Effect.gen(function*() {
      let end: () => void = () => {}
      const { origin } = yield* Servers.plain((_, response) => {
        response.write("so")
        end = () => response.end("me")
      })
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          const read = yield* Effect.forkChild(response.text, { startImmediately: true })
          const gone = yield* Effect.forkChild(response.text, { startImmediately: true })
          const streamed = yield* Effect.forkChild(Stream.mkString(Stream.decodeText(response.stream)), {
            startImmediately: true
          })
          yield* Fiber.interrupt(gone)
          end()
          assert.deepStrictEqual([yield* Fiber.join(read), yield* Fiber.join(streamed)], ["some", "some"])
        })
      )
    }))

  it.live("a slow reader stops the server instead of filling the memory", () =>
    Effect.gen(function*() {
      let written = 0
      const { origin } = yield* Servers.plain((_, response) => {
        const chunk = Buffer.alloc(64 * 1024)
        const more = (): void => {
          while (written < 64 * 1024 * 1024) {
            written += chunk.length
            if (!response.write(chunk)) return void response.once("drain", more)
          }
          response.end()
        }
        more()
      })
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          const go = yield* Deferred.make<void>()
          let received = 0
          const reader = yield* Effect.forkChild(Stream.runForEach(response.stream, (chunk) => {
            received += chunk.length
            return received < 1024 * 1024 ? Effect.void : Deferred.await(go)
          }))
          yield* eventually("the reader stands", Effect.sync(() => received >= 1024 * 1024))
          // What is under way is bounded by the buffers of both sockets.
          let before = -1
          yield* eventually(
            "the server stands too",
            Effect.delay(
              Effect.sync(() => {
                const stands = written === before
                before = written
                return stands
              }),
              "100 millis"
            )
          )
          assert.isBelow(written, 48 * 1024 * 1024)
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(reader)
          assert.strictEqual(received, 64 * 1024 * 1024)
        })
      )
    }))

  it.live("a body can be read again, also as something else", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end("{\"a\":1}"))
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          assert.deepStrictEqual(yield* response.json, { a: 1 })
          assert.strictEqual(yield* response.text, "{\"a\":1}")
          assert.strictEqual((yield* response.arrayBuffer).byteLength, 7)
          assert.strictEqual(Buffer.concat(yield* Stream.runCollect(response.stream)).toString(), "{\"a\":1}")
        })
      )
    }))

  it.live("two readers at once both get the body", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => {
        response.write("[1,")
        setTimeout(() => response.end("2]"), 50)
      })
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          const both = yield* Effect.all([response.text, response.json], { concurrency: 2 })
          assert.deepStrictEqual(both, ["[1,2]", [1, 2]])
        })
      )
    }))

  it.live("what does not decode is a typed error", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end("no json"))
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Effect.flatMap(Api.get("/"), (response) => response.json))
          assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : "", "DecodeError")
        })
      )
    }))

  it.live("MaxBodySize limits what is read whole, maxResponseSize what comes at all", () =>
    Effect.gen(function*() {
      let isEnded = false
      const { origin } = yield* Servers.plain((_, response) => {
        response.once("finish", () => (isEnded = true))
        response.end(large)
      })
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const error = yield* Effect.flatMap(Api.get("/"), (response) => response.text).pipe(
            Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(1000)),
            Effect.flip
          )
          assert.include(error.message, "MaxBodySize")
          assert.isFalse(isEnded)
        })
      )
      yield* withApi(
        { origin, maxResponseSize: 100_000 },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Effect.flatMap(Api.get("/"), (response) => response.text))
          assert.include(error.message, "max size")
        })
      )
    }))

  it.live("a borrower that leaves a large body unread loses the connection, a small one is read away first", () =>
    Effect.gen(function*() {
      let finished = 0
      const server = yield* Servers.plain((request, response) => {
        if (request.url === "/large") return void response.end(large)
        response.once("finish", () => finished++)
        response.writeHead(200, { "content-length": 4 })
        response.write("sm")
        setTimeout(() => response.end("al"), 50)
      })
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Api.withConnection((client) => client.get("/small"))
          assert.strictEqual(finished, 1)
          yield* Api.withConnection((client) => client.get("/small"))
          assert.strictEqual(server.accepted(), 1)
          yield* Api.withConnection((client) => client.get("/large"))
          yield* Api.withConnection((client) => client.get("/small"))
          assert.strictEqual(server.accepted(), 2)
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))
})

describe("request bodies", () => {
  const count: Servers.Handler = (request, response) => {
    let bytes = 0
    request.on("data", (chunk: Buffer) => (bytes += chunk.length))
    request.on("end", () => response.end(String(bytes)))
  }

  it.live("a stream is sent as it comes", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(count)
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const chunks = Stream.fromIterable(Array.from({ length: 64 }, () => new Uint8Array(64 * 1024)))
          const response = yield* Api.post("/", { body: HttpBody.stream(chunks) })
          assert.strictEqual(yield* response.text, String(64 * 64 * 1024))
        })
      )
    }))

  it.live("a stream that fails fails the request, and its connection is not used again", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(count)
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          const body = Stream.concat(Stream.make(new Uint8Array(10)), Stream.fail(new Error("no more")))
          const error = yield* Effect.flip(Api.post("/", { body: HttpBody.stream(body) }))
          assert.include(error.message, "no more")
          const response = yield* Api.post("/", { body: HttpBody.text("abc") })
          assert.strictEqual(yield* response.text, "3")
          assert.strictEqual(server.accepted(), 2)
        })
      )
    }))

  it.live("a stream nobody wants any more is stopped", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(() => {})
      const stopped = yield* Deferred.make<void>()
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const body = Stream.concat(Stream.make(new Uint8Array(10)), Stream.never).pipe(
            Stream.ensuring(Deferred.succeed(stopped, undefined))
          )
          const fiber = yield* Effect.forkChild(Api.post("/", { body: HttpBody.stream(body) }))
          yield* eventually("the request is under way", Effect.map(used, (used) => used === 1))
          yield* Fiber.interrupt(fiber)
          yield* Deferred.await(stopped)
        })
      )
    }))
})
