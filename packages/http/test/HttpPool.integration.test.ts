import { assert, describe, it } from "@effect/vitest"
import { PoolError } from "@effect-pools/core"
import { HttpPool } from "@effect-pools/http"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer, Redacted, Tracer } from "effect"
import { HttpBody, HttpClient, HttpClientError, HttpClientRequest } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, withApi } from "./support.ts"

/** Answers with what it got. */
const echo: Servers.Handler = (request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
      port: request.socket.remotePort
    }))
  })
}

interface Echo {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly port: number
}

const read = (effect: Effect.Effect<{ readonly json: Effect.Effect<unknown, unknown> }, unknown, Api>) =>
  Effect.map(Effect.flatMap(effect, (response) => response.json), (json) => json as Echo)

describe("requests", () => {
  it.live("each static sends its method, and one connection serves them all", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(echo)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          const answers = [
            yield* read(Api.get("/")),
            yield* read(Api.post("/", { body: HttpBody.text("a") })),
            yield* read(Api.put("/")),
            yield* read(Api.patch("/")),
            yield* read(Api.del("/")),
            yield* read(Api.request(HttpClientRequest.options("/")))
          ]
          assert.deepStrictEqual(answers.map(({ method }) => method), [
            "GET",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS"
          ])
          assert.strictEqual(answers[1]?.body, "a")
          const head = yield* Api.head("/")
          assert.strictEqual(head.status, 200)
          assert.strictEqual(yield* head.text, "")
          yield* read(Api.get("/"))
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("relative URLs go below the base path, absolute ones to where they say", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin, basePath: "/v1/" },
        Effect.gen(function*() {
          const urls = ["/a?b=c", "a", "", "?q=1", "/ü b", "/a/../x", `${origin}/v1/plain#fragment`]
          const seen = yield* Effect.forEach(urls, (url) => Effect.map(read(Api.get(url)), (answer) => answer.url))
          assert.deepStrictEqual(seen, ["/v1/a?b=c", "/v1/a", "/v1", "/v1?q=1", "/v1/%C3%BC%20b", "/v1/x", "/v1/plain"])
          const withParams = yield* read(Api.get("/a?x=1", { urlParams: { y: "2 3" } }))
          assert.strictEqual(withParams.url, "/v1/a?x=1&y=2+3")
          const response = yield* Api.get("/a#fragment")
          assert.strictEqual(response.url, `${origin}/v1/a`)
        })
      )
    }))

  it.live("a URL of another origin is refused without a connection", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(echo)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Api.get("http://example.invalid/"))
          assert.instanceOf(error, HttpClientError.HttpClientError)
          assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : "", "InvalidUrlError")
          assert.include(error.message, `the pool serves ${server.origin} only`)
          assert.strictEqual(server.accepted(), 0)
        })
      )
    }))

  it.live("headers of the pool go with every request, and a request's own go before them", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      let turn = 0
      yield* withApi(
        {
          origin,
          userAgent: "tester/1",
          headers: { "X-Team": "blue", authorization: Redacted.make("static"), "x-own": "pool" },
          credentials: Effect.sync(() => ({ Authorization: Redacted.make(`token ${++turn}`) }))
        },
        Effect.gen(function*() {
          const { headers } = yield* read(Api.get("/", { headers: { "x-own": "request" } }))
          assert.deepInclude(headers, {
            "user-agent": "tester/1",
            "x-team": "blue",
            "x-own": "request",
            authorization: "token 1"
          })
          assert.strictEqual((yield* read(Api.get("/"))).headers["authorization"], "token 2")
        })
      )
    }))

  it.live("a request without credentials fails and tells no more than their message", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin, credentials: Effect.fail(Object.assign(new Error("vault sealed"), { token: "canary" })) },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Api.get("/"))
          assert.include(error.message, "no credentials could be obtained: vault sealed")
          assert.notInclude(JSON.stringify(error), "canary")
        })
      )
    }))

  it.live("bodies of every kind arrive", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      const form = new FormData()
      form.append("name", "Ada")
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const json = yield* read(Api.post("/", { body: HttpBody.jsonUnsafe({ a: 1 }) }))
          assert.strictEqual(json.body, "{\"a\":1}")
          assert.strictEqual(json.headers["content-type"], "application/json")
          const raw = yield* read(Api.post("/", { body: HttpBody.raw("as it is", { contentType: "text/plain" }) }))
          assert.strictEqual(raw.body, "as it is")
          const sent = yield* read(Api.post("/", { body: HttpBody.formData(form) }))
          assert.match(sent.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
          assert.include(sent.body, "Ada")
        })
      )
    }))

  it.live("a header that HTTP does not allow fails the request and harms no connection", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(echo)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Api.get("/", { headers: { "x-bad": "a\r\nb: c" } }))
          assert.strictEqual(error._tag, "HttpClientError")
          yield* read(Api.get("/"))
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))
})

describe("connections", () => {
  it.live("withConnection gives a client of one connection, which is dead after the lease", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const [ports, client] = yield* Api.withConnection((client) =>
            Effect.gen(function*() {
              assert.strictEqual(client.protocol, "HTTP/1.1")
              const first = yield* Effect.flatMap(client.get("/"), (response) => response.json)
              const second = yield* Effect.flatMap(client.get("/"), (response) => response.json)
              return [[first, second].map((json) => (json as unknown as Echo).port), client] as const
            })
          )
          assert.strictEqual(ports[0], ports[1])
          const exit = yield* Effect.exit(client.get("/"))
          assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof PoolError.PoolMisuse)
        })
      )
    }))

  it.live("the provided HttpClient runs over the pool, and carries its errors as a cause", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const response = yield* HttpClient.get("/relative")
          assert.strictEqual(((yield* response.json) as unknown as Echo).url, "/relative")
          yield* Api.pause
          const error = yield* Effect.flip(HttpClient.get(`${origin}/`))
          assert.strictEqual(error.reason._tag, "TransportError")
          assert.strictEqual((error.cause as PoolError.PoolError).reason._tag, "PoolPaused")
          const own = yield* Effect.flip(Api.get("/"))
          assert.strictEqual(own._tag === "PoolError" ? own.reason._tag : "", "PoolPaused")
        })
      )
    }))

  it.live("a response lends its connection on when the body has been read", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const ports = yield* Effect.forEach(
            Array.from({ length: 50 }),
            () => read(Api.get("/")),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(new Set(ports.map(({ port }) => port)).size, 1)
          const stats = yield* Api.stats
          assert.strictEqual(stats.counts.ended.success, 50)
          assert.strictEqual(stats.used, 0)
        })
      )
    }))

  it.live("an interrupted request gives up its connection at once", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((request, response) => {
        if (request.url !== "/hang") response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Api.get("/hang"))
          yield* eventually("the request is under way", Effect.map(Api.stats, ({ used }) => used === 1))
          yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* Api.stats).used, 0)
          assert.strictEqual(yield* Effect.flatMap(Api.get("/"), (response) => response.text), "ok")
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))

  it.live("an interrupted waiter leaves the queue", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(() => {})
      yield* withApi(
        { origin, maxConnections: 1 },
        Effect.gen(function*() {
          const first = yield* Effect.forkChild(Api.get("/"))
          yield* eventually("one is lent", Effect.map(Api.stats, ({ used }) => used === 1))
          const second = yield* Effect.forkChild(Api.get("/"))
          yield* eventually("one waits", Effect.map(Api.stats, ({ pending }) => pending === 1))
          yield* Fiber.interrupt(second)
          assert.strictEqual((yield* Api.stats).pending, 0)
          yield* Fiber.interrupt(first)
        })
      )
    }))
})

describe("spans", () => {
  const names = (tracer: Array<string>) =>
    Tracer.make({
      span: (options) => {
        tracer.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })

  it.live("a request in a trace has a span and tells the server of it; one outside has none", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const inTrace = yield* Effect.withSpan(read(Api.get("/")), "outer")
          assert.isString(inTrace.headers["traceparent"])
          assert.isUndefined((yield* read(Api.get("/"))).headers["traceparent"])
          const spans: Array<string> = []
          const traced = yield* Effect.withTracer(read(Api.get("/")), names(spans))
          assert.isString(traced.headers["traceparent"])
          assert.deepStrictEqual(spans, ["GET"])
        })
      )
    }))
})

describe("layers", () => {
  it.live("layerConfig reads the options", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(echo)
      const layer = Api.layerConfig({ origin: Config.String("ORIGIN"), metrics: Config.succeed(false) })
      const provider = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ORIGIN: origin }))
      const answer = yield* Effect.provide(read(Api.get("/x")), Layer.provide(layer, provider))
      assert.strictEqual(answer.url, "/x")
    }))

  it.live("two pools live side by side", () =>
    Effect.gen(function*() {
      class Other extends HttpPool.Service<Other>()("app/Other") {}
      const one = yield* Servers.plain((_, response) => response.end("one"))
      const two = yield* Servers.plain((_, response) => response.end("two"))
      const both = Layer.merge(
        Api.layer({ origin: one.origin, metrics: false }),
        Other.layerPoolOnly({ origin: two.origin, metrics: false })
      )
      const text = yield* Effect.all([
        Effect.flatMap(Api.get("/"), (response) => response.text),
        Effect.flatMap(Other.get("/"), (response) => response.text)
      ]).pipe(Effect.provide(both))
      assert.deepStrictEqual(text, ["one", "two"])
    }))
})
