import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Fiber, Scope, Stream } from "effect"
import { HttpBody, type HttpClientError, type HttpClientResponse } from "effect/http"
import * as Zlib from "node:zlib"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const large = Buffer.alloc(1024 * 1024, "abcdefghij")

/** Random, so that it stays large when it is compressed. */
const noise = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, index) => (index * index * 7919) >> 5))

const answer: Servers.Handler = (request, response) => {
  if (request.url === "/large") return void response.end(large)
  if (request.url === "/zipped") {
    response.writeHead(200, { "content-encoding": "gzip" })
    return void response.end(Zlib.gzipSync(noise, { level: 0 }))
  }
  if (request.url === "/slow") {
    response.writeHead(200, { "content-length": 4 })
    response.write("so")
    return void setTimeout(() => response.end("me"), 50)
  }
  if (request.url === "/upload") return void request.resume().on("end", () => response.end("taken"))
  if (request.method === "HEAD" || request.url === "/empty") return void response.end()
  response.end("small")
}

const protocols = {
  "HTTP/1": Effect.map(Servers.plain(answer), ({ origin }) => ({ origin })),
  "HTTP/2": Effect.map(Servers.h2(answer as never), ({ origin }) => ({ origin, tls: trusted }))
}

type Response = HttpClientResponse.HttpClientResponse

const readings: Record<string, (response: Response) => Effect.Effect<unknown, HttpClientError.HttpClientError>> = {
  text: (response) => response.text,
  json: (response) => response.json,
  arrayBuffer: (response) => response.arrayBuffer,
  stream: (response) => Stream.runDrain(response.stream)
}

const ended = Effect.map(Api.stats, ({ counts }) => counts.ended)

for (const [protocol, server] of Object.entries(protocols)) {
  describe(`over ${protocol} a body`, () => {
    it.live("can't be read after its lease, be it small, large, slow or empty", () =>
      Effect.gen(function*() {
        yield* withApi(
          yield* server,
          Effect.gen(function*() {
            for (const path of ["/small", "/large", "/slow", "/empty"]) {
              const scope = yield* Scope.make()
              const acquired = yield* Scope.provide(Api.acquire, scope)
              const late = [
                yield* Api.withConnection((client) => client.get(path)),
                yield* Api.withShared((client) => client.get(path)),
                yield* acquired.get(path)
              ]
              yield* Scope.close(scope, yield* Effect.exit(Effect.void))
              for (const response of late) {
                for (const [how, read] of Object.entries(readings)) {
                  const error = yield* Effect.flip(read(response))
                  assert.strictEqual(error.reason._tag, "DecodeError", `${path} ${how}`)
                  assert.include(error.message, "the lease has ended", `${path} ${how}`)
                }
                assert.strictEqual(response.status, 200)
              }
            }
          })
        )
      }))

    it.live("is not had by a fiber that reads on after the lease, though its rest is small", () =>
      Effect.gen(function*() {
        yield* withApi(
          { ...(yield* server), maxConnections: 1 },
          Effect.gen(function*() {
            for (const [how, read] of Object.entries(readings)) {
              const reader = yield* Api.withConnection((client) =>
                Effect.flatMap(
                  client.get("/slow"),
                  (response) => Effect.forkDetach(Effect.flip(read(response)), { startImmediately: true })
                )
              )
              assert.include((yield* Fiber.join(reader)).message, "the lease has ended", how)
            }
          })
        )
      }))

    it.live("that was read in its lease is there afterwards too", () =>
      Effect.gen(function*() {
        yield* withApi(
          yield* server,
          Effect.gen(function*() {
            for (const path of ["/small", "/large"]) {
              const response = yield* Api.withConnection((client) => Effect.tap(client.get(path), ({ text }) => text))
              assert.strictEqual((yield* response.text).slice(0, 5), path === "/small" ? "small" : "abcde")
            }
          })
        )
      }))

    it.live("of which enough has been taken is a success, compressed or not", () =>
      Effect.gen(function*() {
        yield* withApi(
          { ...(yield* server), maxConnections: 1, decompress: true },
          Effect.gen(function*() {
            for (const path of ["/small", "/large", "/zipped", "/slow"]) {
              const before = (yield* ended).success
              const response = yield* Api.get(path)
              yield* Stream.runDrain(Stream.take(response.stream, 1))
              yield* eventually(`${path} is over`, Effect.map(ended, ({ success }) => success === before + 1))
            }
            assert.deepStrictEqual(yield* ended, { success: 4, failure: 0, defect: 0, interrupt: 0 })
            assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
          })
        )
      }))

    it.live("whose small rest nobody wants keeps its connection", () =>
      Effect.gen(function*() {
        yield* withApi(
          { ...(yield* server), maxConnections: 1 },
          Effect.gen(function*() {
            for (let i = 0; i < 5; i++) {
              const response = yield* Api.get("/slow")
              yield* Stream.runDrain(Stream.take(response.stream, 1))
              yield* eventually("it is over", Effect.map(ended, ({ success }) => success === i + 1))
            }
            assert.strictEqual((yield* Api.stats).counts.opened, 1)
          })
        )
      }))

    it.live("that is streamed is left alone by whoever asks for it a second time", () =>
      Effect.gen(function*() {
        yield* withApi(
          yield* server,
          Effect.gen(function*() {
            const { stream } = yield* Api.get("/large")
            let size = 0
            yield* Stream.runForEach(stream, (chunk) => {
              size += chunk.length
              return Effect.flip(Stream.runDrain(stream))
            })
            assert.strictEqual(size, large.length)
          })
        )
      }))

    it.live("whose reader is interrupted ends its lease as interrupted", () =>
      Effect.gen(function*() {
        yield* withApi(
          yield* server,
          Effect.gen(function*() {
            const hasBegun = yield* Deferred.make<void>()
            const reader = yield* Effect.forkChild(Effect.flatMap(
              Api.get("/large"),
              ({ stream }) =>
                Stream.runForEach(stream, () => Effect.andThen(Deferred.succeed(hasBegun, undefined), Effect.never))
            ))
            yield* Deferred.await(hasBegun)
            yield* Fiber.interrupt(reader)
            yield* eventually("the lease is over", Effect.map(ended, ({ interrupt }) => interrupt === 1))
            assert.deepStrictEqual(yield* ended, { success: 0, failure: 0, defect: 0, interrupt: 1 })
          })
        )
      }))
  })

  describe(`over ${protocol} the body of a request`, () => {
    class Mine extends Data.TaggedError("Mine")<{ readonly code: number }> {}

    it.live("that fails keeps its error, whatever it is, and after any number of pieces", () =>
      Effect.gen(function*() {
        yield* withApi(
          yield* server,
          Effect.gen(function*() {
            for (const own of [new Mine({ code: 5 }), new Error("no more"), "a text", { _tag: "Plain" }, undefined]) {
              for (const pieces of [0, 1, 3]) {
                const sent = Stream.fromIterable(Array.from({ length: pieces }, () => new Uint8Array(10)))
                const body = Stream.concat(sent, Stream.fail(own))
                const error = yield* Effect.flip(Api.post("/upload", { body: HttpBody.stream(body) }))
                assert.strictEqual(error.reason._tag, "EncodeError")
                assert.include(error.message, "the body of the request failed")
                if (own instanceof Mine) assert.include(error.message, "Mine {\"code\":5}")
                assert.strictEqual("cause" in error.reason ? error.reason.cause : undefined, own)
              }
            }
            assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
          })
        )
      }))
  })
}
