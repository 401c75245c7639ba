import { HttpPools } from "@effect-pools/http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpBody, HttpClient } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, trusted, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

const url: Servers.Handler = (request, response) => response.end(`${request.headers.host} ${request.url}`)

const refused = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>, rule: string) =>
  Effect.map(Effect.flip(effect), (error) => assert.include(error.message, rule))

describe("where a request may go", () => {
  it.live("credentials in a URL are refused, and shown by nobody", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(url)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          const address = `${server.origin.replace("//", "//ada:hunter2@")}/`
          for (const request of [Api.get(address), HttpClient.get(address)]) {
            const error = yield* Effect.flip(
              Effect.asVoid<unknown, { readonly message: string }, Api | HttpClient.HttpClient>(request)
            )
            assert.include(error.message, "credentials belong in a header")
            assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
          }
          assert.strictEqual(server.accepted(), 0)
        })
      )
    }))

  it.live("a relative URL never leads out of basePath", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(url)
      yield* withApi(
        { origin: server.origin, basePath: "/v1" },
        Effect.gen(function*() {
          for (
            const path of [
              "/../admin",
              "../admin",
              "/a/../../admin",
              "/%2e%2e/admin",
              "/%2E./admin",
              "/../v1x"
            ]
          ) {
            yield* refused(Api.get(path), "leads out of basePath")
            yield* refused(HttpClient.get(path), "leads out of basePath")
          }
          const host = server.origin.slice("http://".length)
          assert.strictEqual(yield* text("/a/../b"), `${host} /v1/b`)
          assert.strictEqual(yield* text("?c"), `${host} /v1?c`)
          assert.strictEqual(yield* text("@example.invalid/"), `${host} /v1/@example.invalid/`)
        })
      )
    }))

  it.live("a redirect is the caller's to follow, and never leads to another origin", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) =>
        response.writeHead(302, { location: "http://example.invalid/" }).end()
      )
      yield* withApi(
        { origin: server.origin, headers: { authorization: "secret" } },
        Effect.gen(function*() {
          assert.strictEqual((yield* Api.get("/")).status, 302)
          const client = HttpClient.followRedirects(yield* HttpClient.HttpClient)
          yield* refused(client.get("/"), "the pool serves")
        })
      )
    }))

  it.live("another header host needs no other connection, with TLS neither", () =>
    Effect.gen(function*() {
      const secure = yield* Servers.secure(url)
      const h2 = yield* Servers.h2((request, response) => response.end(`${request.authority} ${request.url}`))
      for (const server of [secure, h2]) {
        yield* withApi(
          { origin: server.origin, tls: trusted, maxConnections: 1 },
          Effect.gen(function*() {
            const response = yield* Api.get("/", { headers: { host: "shop.example" } })
            assert.strictEqual(yield* response.text, "shop.example /")
            assert.strictEqual(yield* text("/"), `${server.origin.slice("https://".length)} /`)
            assert.strictEqual(server.accepted(), 1)
          })
        )
      }
    }))

  it.live("HttpPools sends to absolute URLs of HTTP only, and keeps no place for others", () =>
    Effect.gen(function*() {
      const pools = yield* HttpPools.make({ maxOrigins: 1 })
      yield* refused(pools.client.get("/relative"), "the URL must be absolute")
      yield* refused(pools.client.get("ftp://example.invalid/"), "only http: and https:")
      yield* refused(pools.client.get("http://ada:hunter2@example.invalid/"), "credentials belong in a header")
      assert.deepStrictEqual(yield* pools.origins, [])
    }))
})

describe("a fault of our own side", () => {
  const cases = {
    "a body that fails": HttpBody.stream(Stream.concat(Stream.make(new Uint8Array(10)), Stream.fail(new Error("no")))),
    "a body shorter than it said": HttpBody.stream(Stream.make(new Uint8Array(10)), "a/b", 20),
    "a body longer than it said": HttpBody.stream(Stream.make(new Uint8Array(10)), "a/b", 5)
  }
  for (const [name, body] of Object.entries(cases)) {
    it.live(`${name} is counted against no connection and no upstream`, () =>
      Effect.gen(function*() {
        const server = yield* Servers.plain((request, response) =>
          void request.resume().on("end", () => response.end())
        )
        yield* withApi(
          {
            upstreams: [{ origin: server.origin }],
            maxConnections: 1,
            outlierEjection: { consecutiveFailures: 1, maxEjectedShare: 1 }
          },
          Effect.gen(function*() {
            yield* Effect.flip(Api.post("/", { body }))
            assert.strictEqual((yield* Api.get("/")).status, 200)
            assert.deepInclude((yield* Api.stats).counts.retired, { broken: 0, ended: 1 })
          })
        )
      }))
  }
})

describe("HTTP/2 beside unread bodies", () => {
  it.live("a body that nobody reads keeps no other stream waiting", () =>
    Effect.gen(function*() {
      const big = Buffer.alloc(500_000)
      const server = yield* Servers.h2((request, response) => response.end(request.url === "/big" ? big : "ok"))
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          const unread = yield* Effect.forEach(Array.from({ length: 15 }), () => Api.get("/big"), { concurrency: 15 })
          assert.strictEqual(yield* text("/"), "ok")
          const body = yield* unread[14]!.arrayBuffer
          assert.strictEqual(body.byteLength, big.length)
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))
})
