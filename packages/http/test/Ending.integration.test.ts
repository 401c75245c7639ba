import { NodeHttpServer } from "@effect/platform-node"
import { HttpPool, HttpPools } from "@effect-pools/http"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { HttpClient, HttpServer, HttpServerResponse } from "effect/http"
import * as Http from "node:http"
import * as Servers from "./fixtures/servers.ts"
import { eventually, trusted } from "./support.ts"

class Api extends HttpPool.Service<Api>()("app/Api") {}

const large = Buffer.alloc(10 * 1024 * 1024, "a")

const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const [took, value] = yield* Effect.timed(effect)
    assert.isBelow(Duration.toMillis(took), 2000)
    return value
  })

describe("the end of a program", () => {
  it.live(
    "waits for no response that nobody reads, over HTTP/1 and 2, of one origin or many",
    () =>
      Effect.gen(function*() {
        const plain = yield* Servers.plain((_, response) => response.end(large))
        const h2 = yield* Servers.h2((_, response) => response.end(large))
        const clients: ReadonlyArray<readonly [string, Layer.Layer<HttpClient.HttpClient, unknown>]> = [
          [plain.origin, HttpPools.layer()],
          [h2.origin, HttpPools.layer({ tls: trusted })],
          [plain.origin, Api.layer({ origin: plain.origin, metrics: false })],
          [h2.origin, Api.layer({ origin: h2.origin, tls: trusted, metrics: false })],
          [h2.origin, Api.layer({ upstreams: [{ origin: h2.origin }], tls: trusted, metrics: false })]
        ]
        for (const [origin, layer] of clients) {
          yield* soon(Effect.provide(Effect.map(HttpClient.get(`${origin}/`), ({ status }) => status), layer))
        }
        yield* eventually("no connection is left", Effect.sync(() => plain.connections() + h2.connections() === 0))
      }),
    60_000
  )

  it.live("waits for one that is being read", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end(large))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Api.layer({ origin, metrics: false }), scope)
      const response = yield* Effect.provideContext(Api.get("/"), context)
      let read = 0
      const reader = yield* Effect.forkChild(
        Stream.runForEach(response.stream, (chunk) => {
          read += chunk.length
          return Effect.sleep("2 millis")
        })
      )
      yield* eventually("it is being read", Effect.sync(() => read > 0))
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(reader)
      assert.strictEqual(read, large.length)
    }))

  it.live("a drain gives a response that has come a second to be read", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => response.end(large))
      yield* Effect.gen(function*() {
        const unread = yield* Api.get("/")
        const read = yield* Api.get("/")
        const [took] = yield* Effect.all([
          Effect.timed(Api.drain),
          Effect.map(
            Effect.delay(read.arrayBuffer, "100 millis"),
            (body) => assert.strictEqual(body.byteLength, large.length)
          )
        ], { concurrency: 2 })
        assert.isBelow(Duration.toMillis(took[0]), 4000)
        assert.include((yield* Effect.flip(unread.text)).message, "nobody read it, and the pool ends")
      }).pipe(Effect.provide(Api.layer({ origin, metrics: false, maxConnections: 2 })))
    }))

  it.live(
    "a server that closes before its client waits for no connection that was never used",
    () =>
      Effect.gen(function*() {
        const server = NodeHttpServer.layer(() => Http.createServer(), { port: 0 })
        const client = Layer.unwrap(
          Effect.map(
            HttpServer.HttpServer,
            ({ address }) =>
              Api.layer({ origin: `http://127.0.0.1:${(address as { readonly port: number }).port}`, metrics: false })
          )
        )
        const app = HttpServer.serve(Effect.succeed(HttpServerResponse.text("hi"))).pipe(
          Layer.provideMerge(client),
          Layer.provideMerge(server)
        )
        yield* soon(Effect.gen(function*() {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(app, scope)
          yield* Effect.sleep("100 millis")
          assert.strictEqual((yield* Context.get(context, Api).stats).total, 0)
          yield* Scope.close(scope, Exit.void)
        }))
      }),
    40_000
  )

  it.live("connections are opened ahead when they are asked for", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) => response.end("ok"))
      for (const options of [{ minConnections: 2 }, { startup: "failFast" }] as const) {
        yield* Effect.map(Api.stats, ({ total }) => assert.isAtLeast(total, 1)).pipe(
          Effect.provide(Api.layer({ origin: server.origin, metrics: false, ...options }))
        )
      }
    }))
})
