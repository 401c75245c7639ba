import { HttpPools } from "@effect-pools/http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Stream, Tracer } from "effect"
import { HttpBody, HttpClient } from "effect/http"
import { inspect } from "node:util"
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

  it.live("no URL leads out of basePath in the eyes of any server, absolute or encoded", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(url)
      yield* withApi(
        { origin: server.origin, basePath: "/v1" },
        Effect.gen(function*() {
          const client = yield* HttpClient.HttpClient
          for (
            const path of [
              "/..%2fadmin",
              "/..%2Fadmin",
              "/a%2f..%2f..%2fadmin",
              "/..%5cadmin",
              "/..\\admin",
              "/%2e%2e%2fadmin",
              "/%252e%252e%252fadmin",
              "/..%252fadmin",
              "/..;/admin",
              `${server.origin}/admin`,
              `${server.origin}/`,
              `${server.origin}/v1/../admin`,
              `${server.origin}/v1/..%2fadmin`,
              `${server.origin}/v1x`
            ]
          ) {
            yield* refused(Api.get(path), "leads out of basePath")
            yield* refused(client.get(path), "leads out of basePath")
            yield* refused(Api.withConnection((client) => client.get(path)), "leads out of basePath")
          }
          assert.strictEqual(server.accepted(), 1)
          const host = server.origin.slice("http://".length)
          for (const path of ["/a%2fb", "/a;b=1", "/..a", "/%2541", "/a%2f..%2fb", "/a%2e"]) {
            assert.strictEqual(yield* text(path), `${host} /v1${path}`)
          }
          assert.strictEqual(yield* text(`${server.origin}/v1/a`), `${host} /v1/a`)
        })
      )
    }))

  it.live("the query of a request is in no span and no error, unless showQuery wants it", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((request, response) => {
        response.statusCode = request.url?.startsWith("/ok") === true ? 200 : 500
        response.end("no json")
      })
      const shown: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          const attribute = span.attribute.bind(span)
          span.attribute = (key, value) => {
            shown.push(`${key} ${String(value)}`)
            attribute(key, value)
          }
          return span
        }
      })
      const tried = Effect.gen(function*() {
        const bare = yield* HttpClient.HttpClient
        const client = HttpClient.filterStatusOk(bare)
        const query = { urlParams: { secret: "canary" } }
        const failures = [
          Effect.flip(client.get("/bad?secret=canary")),
          Effect.flip(client.get("/bad", query)),
          Effect.flip(client.get("/bad?canary")),
          Effect.flip(client.get("/bad?a=b&canary&c=d#canary", query)),
          Effect.flip(Effect.flatMap(bare.get("/ok?secret=canary", query), (response) => response.json)),
          Effect.flip(Effect.flatMap(Api.get("/ok?secret=canary"), (response) => response.json)),
          Effect.flip(Effect.asVoid(Api.get("http://elsewhere.invalid/?secret=canary"))),
          Effect.flip(Effect.asVoid(bare.get("http://elsewhere.invalid/?secret=canary")))
        ]
        for (const failure of failures) {
          const error = yield* Effect.withTracer(Effect.withSpan(failure, "outer"), tracer)
          shown.push(error.message, inspect(error, { depth: 12 }), JSON.stringify(error))
        }
      })
      yield* withApi({ origin: server.origin }, tried)
      assert.isAbove(shown.length, 20)
      assert.deepStrictEqual(shown.filter((text) => text.includes("canary")), [])
      yield* withApi({ origin: server.origin, showQuery: true }, tried)
      assert.isTrue(shown.some((text) => text.startsWith("url.full") && text.includes("canary")))
    }))

  it.live("a query whose parts have no value is asked for as it is, in a trace too", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(({ url }, response) => response.end(url))
      yield* withApi(
        { origin: server.origin, basePath: "/v1" },
        Effect.gen(function*() {
          const client = yield* HttpClient.HttpClient
          const asked = ({ get }: Pick<typeof Api, "get">) =>
            Effect.forEach(
              ["/a?key", "/a?key&b=1&&c", "?key", "/a?b=1", "/a?key#part"],
              (url) => Effect.flatMap(get(url, { urlParams: { d: "2" } }), ({ text }) => text)
            )
          const expected = ["/v1/a?key&d=2", "/v1/a?key&b=1&&c&d=2", "/v1?key&d=2", "/v1/a?b=1&d=2", "/v1/a?key&d=2"]
          const own: Pick<typeof Api, "get"> = { get: (url, options) => Api.get(url, options) }
          const bare = { get: (url: string | URL, options?: object) => client.get(url, options) }
          for (const way of [own, bare]) {
            const paths = yield* Effect.withSpan(asked(way as typeof own), "outer")
            assert.deepStrictEqual(
              paths.map((path) => path.replace("&&", "&")),
              expected.map((e) => e.replace("&&", "&"))
            )
          }
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

describe("what HttpPools says to each origin", () => {
  const keys = ["authorization", "cookie", "x-api-key"]

  /** Two servers, of which the first sends to the second, and what the second was told. */
  const partners = Effect.gen(function*() {
    const told: Array<string> = []
    const note: Servers.Handler = (request, response) => {
      told.push(...keys.map((key) => String(request.headers[key])))
      response.end("ok")
    }
    const second = yield* Servers.plain(note)
    const first = yield* Servers.plain((request, response) => {
      if (request.url === "/hook") response.writeHead(302, { location: `${second.origin}/` }).end()
      else note(request, response)
    })
    return { first: first.origin, second: second.origin, told }
  })

  const secret = { authorization: Redacted.make("canary"), cookie: "sid=canary", "x-api-key": Redacted.make("canary") }

  const options: Readonly<Record<string, (origin: string) => HttpPools.HttpPoolsOptions>> = {
    headers: (trusted) => ({ headers: (origin) => origin === trusted ? secret : undefined }),
    credentials: (trusted) => ({ credentials: (origin) => origin === trusted ? Effect.succeed(secret) : undefined })
  }
  for (const [option, of] of Object.entries(options)) {
    it.live(`${option} of one origin go to no other, by a redirect neither`, () =>
      Effect.gen(function*() {
        const { first, second, told } = yield* partners
        yield* Effect.gen(function*() {
          const pools = yield* HttpPools.HttpPools
          const client = HttpClient.followRedirects(pools.client, 3)
          yield* client.get(`${first}/hook`)
          yield* client.get(`${second}/`)
          yield* Effect.scoped(Effect.flatMap(pools.pool(second), (pool) => pool.withConnection((one) => one.get("/"))))
          assert.deepStrictEqual([...new Set(told)], ["undefined"])
          told.length = 0
          yield* client.get(`${first}/`)
          yield* Effect.scoped(Effect.flatMap(pools.pool(first), (pool) => pool.withConnection((one) => one.get("/"))))
          assert.deepStrictEqual(told, ["canary", "sid=canary", "canary", "canary", "sid=canary", "canary"])
        }).pipe(Effect.provide(HttpPools.layer(of(first))))
      }))
  }

  it.live("what goes to all origins alike is refused, and what is wrong with an origin's is an error", () =>
    Effect.gen(function*() {
      const { first } = yield* partners
      for (const wrong of [{ headers: secret }, { credentials: Effect.succeed(secret) }]) {
        const error = yield* Effect.flip(Effect.scoped(HttpPools.make(wrong as never)))
        assert.include(error.message, "must be a function of the origin")
        assert.notInclude(inspect(error, { depth: 12 }), "canary")
      }
      const throwing = (): never => {
        throw new Error("vault sealed")
      }
      for (const headers of [() => ({ "x-a": "canary\n" }), throwing]) {
        const { client } = yield* HttpPools.make({ headers })
        const error = yield* Effect.flip(client.get(first))
        assert.include(error.message, "no headers could be obtained")
        assert.notInclude(inspect(error, { depth: 12 }), "canary")
      }
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
