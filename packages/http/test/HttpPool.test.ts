import { assert, describe, expect, it } from "@effect/vitest"
import { PoolError } from "@effect-pools/core"
import { HttpPool } from "@effect-pools/http"
import { Deferred, Effect, Fiber, type Layer } from "effect"
import { HttpBody, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

class Api extends HttpPool.Service<Api>()("app/Api") {}

describe("layerTest", () => {
  it.effect("a function answers the requests", () => {
    const seen: Array<string> = []
    return Effect.gen(function*() {
      const response = yield* Api.post("/users?x=1", { body: HttpBody.jsonUnsafe({ name: "Ada" }) })
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.headers["x-id"], "7")
      assert.deepStrictEqual(yield* response.json, { id: 7 })
      const client = yield* HttpClient.HttpClient
      assert.strictEqual(yield* Effect.flatMap(client.get("/plain"), (response) => response.text), "")
      assert.deepStrictEqual(seen, [
        "POST http://scripted/users?x=1 application/json",
        "GET http://scripted/plain undefined"
      ])
    }).pipe(Effect.provide(Api.layerTest((request) => {
      seen.push(`${request.method} ${request.url} ${request.headers["content-type"]}`)
      return request.method === "POST"
        ? Response.json({ id: 7 }, { status: 201, headers: { "x-id": "7" } })
        : HttpClientResponse.fromWeb(request, new Response(null, { status: 204 }))
    })))
  })

  it.effect("it can fail as a network does", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Api.get("/"))
      assert.strictEqual(error._tag, "HttpClientError")
    }).pipe(
      Effect.provide(Api.layerTest((request) =>
        Effect.fail(new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) }))
      ))
    ))

  it.effect("a function that throws is a failed request, not a hung one", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Api.get("/"))
      assert.include(error.message, "no script for this")
    }).pipe(Effect.provide(Api.layerTest(() => {
      throw new Error("no script for this")
    }))))

  it.effect("a function that returns no response is told so", () =>
    Effect.gen(function*() {
      for (const path of ["/nothing", "/promise"]) {
        const error = yield* Effect.flip(Api.get(path))
        assert.include(error.message, "must return a Response")
      }
    }).pipe(
      // What the compiler refuses, a program without types can do.
      Effect.provide(Api.layerTest(
        (({ url }: { readonly url: string }) =>
          url.endsWith("/promise") ? Promise.resolve(new Response()) : undefined) as never
      ))
    ))

  it.effect("all cookies of a response arrive", () =>
    Effect.gen(function*() {
      const { cookies } = yield* Api.get("/")
      assert.deepStrictEqual(Object.keys(cookies.cookies), ["a", "b"])
    }).pipe(
      Effect.provide(
        Api.layerTest(() => new Response("", { headers: [["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2"]] }))
      )
    ))

  it.effect("the pool is a real one: leases are counted and end", () =>
    Effect.gen(function*() {
      const client = yield* Api.withConnection((client) => Effect.as(client.get("/"), client))
      const misuse = yield* Effect.catchDefect(client.get("/"), (defect) => Effect.succeed(defect))
      assert.instanceOf(misuse, PoolError.PoolMisuse)
      assert.strictEqual((yield* Api.stats).counts.ended.success, 1)
    }).pipe(Effect.provide(Api.layerTest(() => new Response("ok")))))
})

describe("time limits", () => {
  it.effect("a head that does not come ends the request at headersTimeout, by the clock of the program", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Api.get("/")))
      yield* TestClock.adjust(0)
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert.include(error.message, "headersTimeout")
      assert.strictEqual((yield* Api.stats).used, 0)
    }).pipe(Effect.provide(Api.layerTest(() => Effect.never))))

  it.effect("an interrupted request stops who answers it", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const layer = Api.layerTest(() =>
        Effect.onInterrupt(
          Effect.andThen(Deferred.succeed(started, undefined), Effect.never),
          () => Deferred.succeed(stopped, undefined)
        )
      )
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Api.get("/"))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(stopped)
      }).pipe(Effect.provide(layer))
    }))
})

describe("types", () => {
  it("what a call needs and how it fails is known", () => {
    const get: Effect.Effect<
      HttpClientResponse.HttpClientResponse,
      HttpClientError.HttpClientError | PoolError.PoolError,
      Api
    > = Api.get("/")
    const request: typeof get = Api.request(HttpClientRequest.get("/"))
    const layer: Layer.Layer<Api | HttpClient.HttpClient> = Api.layerTest(() => new Response())
    const bound = Api.withConnection((client) => client.get("/"))
    const typed: typeof get = bound
    expect([get, request, layer, typed]).toHaveLength(4)
  })
})
