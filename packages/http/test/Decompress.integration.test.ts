import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Effect, Stream } from "effect"
import { HttpClient, HttpIncomingMessage } from "effect/http"
import * as Zlib from "node:zlib"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const long = JSON.stringify({ text: "abc".repeat(50_000) })
const bomb = Zlib.gzipSync(Buffer.alloc(50 * 1024 * 1024))

type Answering = (
  request: { readonly url?: string | undefined; readonly headers: object },
  response: {
    readonly setHeader: (name: string, value: string) => unknown
    readonly end: (body?: Uint8Array | string) => void
  }
) => void

const answer: Answering = ({ headers, url }, response) => {
  const accepts = String((headers as Record<string, unknown>)["accept-encoding"])
  const coding = url === "/plain" || accepts === "undefined" ? undefined : url === "/br" ? "br" : "gzip"
  if (coding !== undefined) response.setHeader("content-encoding", coding)
  response.setHeader("x-accepts", accepts)
  if (url === "/bomb") return response.end(bomb)
  if (url === "/broken") return response.end("no gzip")
  if (url === "/empty") return response.end()
  response.end(coding === "br" ? Zlib.brotliCompressSync(long) : coding === "gzip" ? Zlib.gzipSync(long) : long)
}

const servers = {
  "HTTP/1": Effect.map(Servers.plain(answer as never), ({ origin }) => ({ origin })),
  "HTTP/2": Effect.map(Servers.h2(answer as never), ({ origin }) => ({ origin, tls: trusted }))
}

for (const [protocol, server] of Object.entries(servers)) {
  describe(`decompress over ${protocol}`, () => {
    it.live("hands on a body as it was before, whole and streamed", () =>
      Effect.gen(function*() {
        const options = yield* server
        yield* withApi(
          { ...options, decompress: true, maxConnections: 1 },
          Effect.gen(function*() {
            const client = yield* HttpClient.HttpClient
            for (const path of ["/gzip", "/br", "/plain"]) {
              const response = yield* Api.get(path)
              assert.strictEqual(response.headers["x-accepts"], "gzip, br")
              assert.isUndefined(response.headers["content-encoding"])
              assert.deepStrictEqual(yield* response.json, JSON.parse(long))
              assert.strictEqual(yield* response.text, long)
              const streamed = yield* Effect.flatMap(
                client.get(path),
                ({ stream }) => Stream.mkString(Stream.decodeText(stream))
              )
              assert.strictEqual(streamed, long)
              const some = yield* Effect.flatMap(Api.get(path), ({ stream }) => Stream.runHead(stream))
              assert.strictEqual(some._tag, "Some")
            }
            assert.strictEqual(yield* Effect.flatMap(Api.get("/empty"), ({ text }) => text), "")
            assert.strictEqual((yield* Api.head("/gzip")).status, 200)
            yield* eventually("no connection is held", Effect.map(Api.stats, ({ used }) => used === 0))
          })
        )
      }))

    it.live("hands on a body to two that read it at once, one of them piece by piece", () =>
      Effect.gen(function*() {
        const options = yield* server
        yield* withApi(
          { ...options, decompress: true, maxConnections: 1 },
          Effect.gen(function*() {
            for (const path of ["/gzip", "/br", "/plain"]) {
              const response = yield* Api.get(path)
              const pieces = Stream.mkString(Stream.decodeText(response.stream))
              const both = yield* Effect.all([response.text, pieces], { concurrency: 2 })
              assert.deepStrictEqual(both, [long, long], path)
            }
          })
        )
      }))

    it.live("is bounded by what a body becomes, not by what it was on its way", () =>
      Effect.gen(function*() {
        const options = yield* server
        yield* withApi(
          { ...options, decompress: true, maxResponseSize: 1_000_000 },
          Effect.gen(function*() {
            const whole = yield* Effect.flip(Effect.flatMap(Api.get("/bomb"), ({ text }) => text))
            assert.include(whole.message, "once it is no longer compressed")
            const streamed = yield* Effect.flip(
              Effect.flatMap(Api.get("/bomb"), ({ stream }) => Stream.runDrain(stream))
            )
            assert.include(streamed.message, "once it is no longer compressed")
            yield* eventually("no connection is held", Effect.map(Api.stats, ({ used }) => used === 0))
          })
        )
        yield* withApi(
          { ...options, decompress: true },
          Effect.gen(function*() {
            const error = yield* Effect.flatMap(Api.get("/bomb"), ({ text }) => text).pipe(
              Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(1_000_000)),
              Effect.flip
            )
            assert.include(error.message, "MaxBodySize")
          })
        )
      }))

    it.live("tells what is not compressed as it says by a typed error", () =>
      Effect.gen(function*() {
        const options = yield* server
        yield* withApi(
          { ...options, decompress: true },
          Effect.gen(function*() {
            for (const read of [Stream.runDrain, Stream.runCollect]) {
              const error = yield* Effect.flip(
                Effect.flatMap(Api.get("/broken"), ({ stream }) => Effect.asVoid(read(stream)))
              )
              assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : "", "DecodeError")
            }
            const error = yield* Effect.flip(Effect.flatMap(Api.get("/broken"), ({ text }) => text))
            assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : "", "DecodeError")
          })
        )
      }))

    it.live("is off unless it is asked for", () =>
      Effect.gen(function*() {
        const options = yield* server
        yield* withApi(
          options,
          Effect.gen(function*() {
            const response = yield* Api.get("/gzip")
            assert.strictEqual(response.headers["x-accepts"], "undefined")
            const own = yield* Api.get("/gzip", { headers: { "accept-encoding": "gzip" } })
            assert.strictEqual(own.headers["content-encoding"], "gzip")
            assert.strictEqual(Zlib.gunzipSync(new Uint8Array(yield* own.arrayBuffer)).toString(), long)
          })
        )
      }))
  })
}
