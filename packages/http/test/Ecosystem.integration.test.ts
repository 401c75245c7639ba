import { NodeHttpServer } from "@effect/platform-node"
import { HttpPool, HttpPools } from "@effect-pools/http"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import {
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiClient, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import * as Http from "node:http"

class Api extends HttpPool.Service<Api>()("app/Api") {}

/** Programs written for the `HttpClient` of Effect, over each of our clients. */
const clients: Readonly<Record<string, (origin: string) => Layer.Layer<HttpClient.HttpClient, unknown>>> = {
  HttpPool: (origin) => Api.layer({ origin, metrics: false }),
  HttpPools: () => HttpPools.layer()
}

const serving = NodeHttpServer.layer(() => Http.createServer(), { port: 0 })

/** Runs a test with a server of these routes, and a client of ours. */
const over = <A, E>(
  client: (origin: string) => Layer.Layer<HttpClient.HttpClient, unknown>,
  routes: Layer.Layer<never, unknown, HttpRouter.HttpRouter>,
  test: (origin: string) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(serving)
    )
    const context = yield* Layer.buildWithScope(server, scope)
    const { address } = Context.get(context, HttpServer.HttpServer)
    const origin = `http://127.0.0.1:${(address as { readonly port: number }).port}`
    const exit = yield* Effect.exit(Effect.scoped(Effect.provide(test(origin), client(origin))))
    // The client is gone, so that nothing keeps the server from closing.
    const isClosed = yield* Effect.timeoutOption(Scope.close(scope, Exit.void), "5 seconds")
    assert.strictEqual(isClosed._tag, "Some", "the server closes")
    return yield* exit
  })

class User extends Schema.Class<User>("User")({ id: Schema.Number, name: Schema.String }) {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}

const users = HttpApi.make("users").add(
  HttpApiGroup.make("users").add(
    HttpApiEndpoint.get("byId", "/users/:id", {
      params: { id: Schema.FiniteFromString },
      success: User,
      error: NotFound
    }),
    HttpApiEndpoint.post("create", "/users", { payload: User, success: User })
  )
)

const usersRoutes = HttpApiBuilder.layer(users).pipe(
  Layer.provide(HttpApiBuilder.group(users, "users", (handlers) =>
    handlers
      .handle("byId", ({ params }) =>
        params.id === 7
          ? Effect.succeed(new User({ id: 7, name: "Ada" }))
          : Effect.fail(new NotFound({ id: params.id })))
      .handle("create", ({ payload }) => Effect.succeed(payload)))),
  Layer.provide(HttpServer.layerServices)
)

class Calls extends RpcGroup.make(
  Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String, error: NotFound }),
  Rpc.make("Count", { payload: { to: Schema.Number }, success: Schema.Number, stream: true })
) {}

const callsLayer = Calls.toLayer({
  Greet: ({ name }) => name === "" ? Effect.fail(new NotFound({ id: 0 })) : Effect.succeed(`hello ${name}`),
  Count: ({ to }) => Stream.range(1, to)
})

const serializations = {
  json: RpcSerialization.layerJson,
  ndjson: RpcSerialization.layerNdjson,
  binary: RpcSerialization.layerSchemaBinary()
}

const echo = HttpRouter.add(
  "*",
  "/*",
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    return HttpServerResponse.jsonUnsafe({
      method: request.method,
      url: request.url,
      body: yield* Effect.orDie(request.text)
    })
  })
)

for (const [name, client] of Object.entries(clients)) {
  describe(`programs of Effect over ${name}`, () => {
    const url = (response: Effect.Effect<{ readonly json: Effect.Effect<unknown, unknown> }, unknown>) =>
      Effect.map(
        Effect.flatMap(response, (response) => response.json),
        (json) => (json as { readonly url: string }).url
      )

    it.live("a base URL is put before the request's own, in each of the usual ways", () =>
      over(client, echo, (origin) =>
        Effect.gen(function*() {
          const bare = yield* HttpClient.HttpClient
          const { appendUrl, prependUrl, setHeader, setUrl } = HttpClientRequest
          const ways = [
            HttpClient.mapRequest(bare, prependUrl(origin)),
            HttpClient.mapRequestEffect(bare, (request) => Effect.succeed(prependUrl(request, origin))),
            HttpClient.mapRequestInput(bare, prependUrl(origin)),
            HttpClient.mapRequest(bare, prependUrl(origin)).pipe(HttpClient.mapRequest(setHeader("x-a", "b"))),
            HttpClient.mapRequest(bare, (request) => setUrl(request, origin + request.url))
          ]
          for (const way of ways) {
            assert.strictEqual(yield* url(way.get("/text?a=1")), "/text?a=1")
            assert.strictEqual(yield* url(way.get("/text", { urlParams: { b: "2" } })), "/text?b=2")
            // A client that is told its base for each request, many at once.
            const many = Array.from({ length: 20 }, (_, index) => url(way.get(`/${index}`)))
            const expected = many.map((_, index) => `/${index}`)
            assert.deepStrictEqual(yield* Effect.all(many, { concurrency: "unbounded" }), expected)
          }
          const deeper = HttpClient.mapRequest(bare, prependUrl(`${origin}/v2`))
          assert.strictEqual(yield* url(deeper.get("/text")), "/v2/text")
          assert.strictEqual(yield* url(HttpClient.mapRequest(deeper, appendUrl("tail")).get("/text")), "/v2/text/tail")
          const request = HttpClientRequest.get("/shared")
          assert.strictEqual(yield* url(ways[0]!.execute(request)), "/shared")
          assert.strictEqual(request.url, "/shared")
        })))

    it.live("HttpApiClient calls an HttpApi", () =>
      over(client, usersRoutes, (origin) =>
        Effect.gen(function*() {
          const api = yield* HttpApiClient.make(users, { baseUrl: origin })
          assert.deepStrictEqual(yield* api.users.byId({ params: { id: 7 } }), new User({ id: 7, name: "Ada" }))
          const missing = yield* Effect.flip(api.users.byId({ params: { id: 8 } }))
          assert.strictEqual(missing._tag, "NotFound")
          const created = yield* api.users.create({ payload: new User({ id: 9, name: "Bob" }) })
          assert.strictEqual(created.name, "Bob")
        })))

    for (const [serialization, layer] of Object.entries(serializations)) {
      it.live(`RPC over HTTP works with ${serialization}`, () => {
        const routes = RpcServer.layerHttp({ group: Calls, path: "/rpc", protocol: "http" }).pipe(
          Layer.provide(callsLayer),
          Layer.provide(layer)
        )
        return over(client, routes, (origin) =>
          Effect.gen(function*() {
            const calls = yield* RpcClient.make(Calls)
            const names = Array.from({ length: 30 }, (_, index) => `n${index}`)
            const greetings = yield* Effect.forEach(names, (name) => calls.Greet({ name }), { concurrency: 10 })
            assert.deepStrictEqual(greetings, names.map((name) => `hello ${name}`))
            assert.strictEqual((yield* Effect.flip(calls.Greet({ name: "" })))._tag, "NotFound")
            const counted = yield* Stream.runCollect(calls.Count({ to: 200 }))
            assert.strictEqual(counted.length, 200)
            const some = yield* Stream.runCollect(Stream.take(calls.Count({ to: 100_000 }), 3))
            assert.deepStrictEqual(some, [1, 2, 3])
          }).pipe(Effect.provide(
            RpcClient.layerProtocolHttp({ url: `${origin}/rpc` }).pipe(Layer.provide(layer))
          )))
      })
    }

    it.live("a retried, filtered and scoped request is one like any other", () =>
      over(client, echo, (origin) =>
        Effect.gen(function*() {
          const client = (yield* HttpClient.HttpClient).pipe(
            HttpClient.mapRequest(HttpClientRequest.prependUrl(origin)),
            HttpClient.filterStatusOk,
            HttpClient.retryTransient({ times: 2 }),
            HttpClient.withScope
          )
          const body = HttpBody.jsonUnsafe({ a: 1 })
          const response = yield* client.post("/p", { body })
          assert.deepInclude(yield* response.json, { method: "POST", url: "/p", body: "{\"a\":1}" })
          assert.strictEqual(response.request.url, `${origin}/p`)
        })))
  })
}
