import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Stream } from "effect"
import { HttpBody } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, trusted, withApi } from "./support.ts"

/** Answers with how much it got. */
const count: Servers.Handler = (request, response) => {
  let bytes = 0
  request.on("data", (chunk: Buffer) => (bytes += chunk.length))
  request.on("end", () => response.end(String(bytes)))
}

const servers = {
  "HTTP/1": Effect.map(Servers.plain(count), (server) => ({ ...server, scheme: "http", tls: undefined })),
  "HTTP/2": Effect.map(Servers.h2(count as never), (server) => ({ ...server, scheme: "https", tls: trusted }))
}

const steadily = (pieces: number, piece: Uint8Array) =>
  Stream.fromIterable(Array.from({ length: pieces }, () => piece)).pipe(Stream.tap(() => Effect.sleep("50 millis")))

for (const [protocol, make] of Object.entries(servers)) {
  describe(`uploads over ${protocol}`, () => {
    it.live("an upload that moves is cut by no limit, however long it takes", () =>
      Effect.gen(function*() {
        const server = yield* make
        yield* withApi(
          { origin: server.origin, tls: server.tls, headersTimeout: "300 millis" },
          Effect.gen(function*() {
            const response = yield* Api.post("/", { body: HttpBody.stream(steadily(20, new Uint8Array(1000))) })
            assert.strictEqual(yield* response.text, "20000")
            assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
          })
        )
      }))

    it.live(
      "neither is one whose bytes are at hand and whose line is narrow, be they whole or in large pieces",
      () =>
        Effect.gen(function*() {
          const server = yield* make
          const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
          yield* proxy.throttle(20_000_000)
          yield* withApi(
            { origin: `${server.scheme}://localhost:${proxy.port}`, tls: server.tls, headersTimeout: "1 second" },
            Effect.gen(function*() {
              const bytes = new Uint8Array(40_000_000)
              for (const body of [HttpBody.uint8Array(bytes), HttpBody.stream(Stream.make(bytes))]) {
                const response = yield* Api.post("/", { body })
                assert.strictEqual(yield* response.text, "40000000")
              }
            })
          )
        }),
      20_000
    )

    it.live("a caller's body that pauses is waited for", () =>
      Effect.gen(function*() {
        const server = yield* make
        yield* withApi(
          { origin: server.origin, tls: server.tls, headersTimeout: "200 millis" },
          Effect.gen(function*() {
            const body = Stream.concat(
              Stream.make(new Uint8Array(10)),
              Stream.drain(Stream.fromEffect(Effect.sleep("1 second")))
            )
            const response = yield* Api.post("/", { body: HttpBody.stream(body) })
            assert.strictEqual(yield* response.text, "10")
          })
        )
      }))

    it.live("an upload that the server does not take ends at headersTimeout", () =>
      Effect.gen(function*() {
        const server = yield* make
        const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
        yield* withApi(
          { origin: `${server.scheme}://localhost:${proxy.port}`, tls: server.tls, headersTimeout: "300 millis" },
          Effect.gen(function*() {
            yield* Effect.flatMap(Api.get("/"), (response) => response.text)
            yield* proxy.blackhole(true)
            const body = HttpBody.uint8Array(new Uint8Array(32_000_000))
            const error = yield* Effect.flip(Api.post("/", { body }))
            assert.include(error.message, "nothing more of the request could be sent for 300 ms (headersTimeout)")
            assert.strictEqual((yield* Api.stats).counts.retired.broken, 1)
          })
        )
      }))

    it.live("bodies of every shape arrive, and those of none are the caller's own fault", () =>
      Effect.gen(function*() {
        const server = yield* make
        yield* withApi(
          { origin: server.origin, tls: server.tls, maxConnections: 1 },
          Effect.gen(function*() {
            const bytes = new Uint8Array(200_000)
            const readable = () => new Blob([bytes]).stream()
            const bodies: ReadonlyArray<readonly [unknown, number]> = [
              ["a".repeat(200_000), 200_000],
              [bytes, 200_000],
              [bytes.buffer, 200_000],
              [new Uint16Array(bytes.buffer), 200_000],
              [new Blob([bytes]), 200_000],
              [readable(), 200_000],
              [[bytes, "text"], 200_004],
              [new Blob([]), 0],
              ["", 0]
            ]
            for (const [body, size] of bodies) {
              const response = yield* Api.post("/", { body: HttpBody.raw(body) })
              assert.strictEqual(yield* response.text, String(size))
            }
            assert.strictEqual(server.accepted(), 1)
            for (const body of [7, Symbol("no"), { a: 1 }, [7], [{ a: 1 }], new URLSearchParams("a=1"), throwing]) {
              const error = yield* Effect.flip(Api.post("/", { body: HttpBody.raw(body) }))
              assert.include(error.message, "the body of the request failed")
            }
            assert.strictEqual((yield* Api.get("/")).status, 200)
            assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
          })
        )
      }))
  })
}

const throwing: Iterable<Cause.Cause<never>> = {
  [Symbol.iterator]: () => ({
    next: () => {
      throw new TypeError("a caller's own")
    }
  })
}
