import { assert, describe, it } from "@effect/vitest"
import { HttpPools } from "@effect-pools/http"
import { Effect, Fiber, Layer, Logger, References, Scope } from "effect"
import { HttpClient } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

/** A server that tells its name, and can be told to fail. */
const named = (name: string) =>
  Effect.map(
    Effect.suspend(() => {
      const state = { status: 200, seen: 0, retryAfter: "" }
      return Effect.map(
        Servers.plain((_, response) => {
          state.seen++
          response.statusCode = state.status
          if (state.retryAfter !== "") response.setHeader("retry-after", state.retryAfter)
          response.end(name)
        }),
        (server) => ({ ...server, state })
      )
    }),
    (server) => server
  )

describe("upstreams", () => {
  it.live("requests go to all of them, by weight", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* named("one"), yield* named("two")]
      yield* withApi(
        {
          upstreams: [{ origin: one.origin, weight: 3 }, { origin: two.origin }],
          strategy: "roundRobin",
          maxConnections: 2
        },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 40 }), () => text("/"))
          assert.strictEqual(one.state.seen, 30)
          assert.strictEqual(two.state.seen, 10)
          const response = yield* Api.get("/x")
          assert.include([`${one.origin}/x`, `${two.origin}/x`], response.url)
          assert.strictEqual((yield* HttpClient.get(`${two.origin}/`)).status, 200)
        })
      )
    }))

  it.live("an upstream that answers badly is left out, and the caller got its answers all the same", () =>
    Effect.gen(function*() {
      const [good, bad] = [yield* named("good"), yield* named("bad")]
      bad.state.status = 503
      yield* withApi(
        {
          upstreams: [{ origin: good.origin }, { origin: bad.origin }],
          strategy: "roundRobin",
          outlierEjection: { consecutiveFailures: 3 }
        },
        Effect.gen(function*() {
          const statuses = yield* Effect.forEach(
            Array.from({ length: 40 }),
            () => Effect.map(Api.get("/"), ({ status }) => status)
          )
          assert.strictEqual(bad.state.seen, 3)
          assert.strictEqual(statuses.filter((status) => status === 503).length, 3)
        })
      )
    }))

  it.live("statuses that are the caller's own fault leave no upstream out", () =>
    Effect.gen(function*() {
      const [good, other] = [yield* named("good"), yield* named("other")]
      other.state.status = 404
      yield* withApi(
        {
          upstreams: [{ origin: good.origin }, { origin: other.origin }],
          strategy: "roundRobin",
          outlierEjection: { consecutiveFailures: 3 }
        },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 20 }), () => Api.get("/"))
          assert.strictEqual(other.state.seen, 10)
        })
      )
    }))

  it.live("outlierEjection: false leaves nobody out", () =>
    Effect.gen(function*() {
      const [good, bad] = [yield* named("good"), yield* named("bad")]
      bad.state.status = 500
      yield* withApi(
        {
          upstreams: [{ origin: good.origin }, { origin: bad.origin }],
          strategy: "roundRobin",
          outlierEjection: false
        },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 40 }), () => Api.get("/"))
          assert.strictEqual(bad.state.seen, 20)
        })
      )
    }))

  it.live("an upstream that is down keeps neither the pool from starting nor a request from its answer", () =>
    Effect.gen(function*() {
      const good = yield* named("good")
      const port = yield* Effect.scoped(Effect.map(named("gone"), ({ port }) => port))
      yield* withApi(
        { upstreams: [{ origin: good.origin }, { origin: `http://127.0.0.1:${port}` }] },
        Effect.gen(function*() {
          const answers = yield* Effect.forEach(Array.from({ length: 20 }), () => text("/"), { concurrency: 4 })
          assert.isTrue(answers.every((answer) => answer === "good"))
        })
      )
    }))

  it.live("an upstream that asks to be left alone is, and the others serve meanwhile", () =>
    Effect.gen(function*() {
      const [good, busy] = [yield* named("good"), yield* named("busy")]
      Object.assign(busy.state, { status: 429, retryAfter: "5" })
      yield* withApi(
        {
          upstreams: [{ origin: good.origin }, { origin: busy.origin }],
          strategy: "roundRobin",
          maxRetryAfter: "5 seconds"
        },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 20 }), () => Api.get("/"))
          assert.strictEqual(busy.state.seen, 1)
        })
      )
    }))

  it.live("a health request finds an upstream that is not well before a caller does", () =>
    Effect.gen(function*() {
      const [good, sick] = [yield* named("good"), yield* named("sick")]
      yield* withApi(
        {
          upstreams: [{ origin: good.origin }, { origin: sick.origin }],
          healthRequest: { path: "/healthz" },
          freshnessWindow: 0,
          minConnections: 2,
          maxConnections: 2,
          healthCheck: "50 millis"
        },
        Effect.gen(function*() {
          yield* Api.warmUp()
          sick.state.status = 500
          yield* eventually("it is found", Effect.map(Api.stats, ({ counts }) => counts.failedToValidate > 0))
        })
      )
    }))
})

describe("HttpPools", () => {
  const get = (url: string) => Effect.flatMap(HttpClient.get(url), (response) => response.text)

  it.live("each request goes to the pool of its origin", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* named("one"), yield* named("two")]
      yield* Effect.gen(function*() {
        const urls = [`${one.origin}/a`, `${two.origin}/a`, `${one.origin}/b`]
        assert.deepStrictEqual(yield* Effect.forEach(urls, get), ["one", "two", "one"])
        assert.strictEqual(one.accepted(), 1)
        const pools = yield* HttpPools.HttpPools
        assert.deepStrictEqual((yield* pools.origins).toSorted(), [one.origin, two.origin].toSorted())
        const stats = yield* Effect.scoped(Effect.flatMap(pools.pool(one.origin), (pool) => pool.stats))
        assert.strictEqual(stats.counts.ended.success, 2)
      }).pipe(Effect.provide(HttpPools.layer()))
    }))

  it.live("an origin that nobody asks is released, and can be asked again", () =>
    Effect.gen(function*() {
      const one = yield* named("one")
      yield* Effect.gen(function*() {
        const pools = yield* HttpPools.HttpPools
        yield* get(one.origin)
        yield* eventually("it is released", Effect.map(pools.origins, (origins) => origins.length === 0))
        yield* eventually("its connection is closed", Effect.sync(() => one.connections() === 0))
        assert.strictEqual(yield* get(one.origin), "one")
      }).pipe(Effect.provide(HttpPools.layer({ originIdleTimeout: "100 millis" })))
    }))

  it.live("an origin is not released while a body of it is read", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) => {
        response.write("a")
        setTimeout(() => response.end("b"), 300)
      })
      yield* Effect.map(get(server.origin), (body) => assert.strictEqual(body, "ab")).pipe(
        Effect.provide(HttpPools.layer({ originIdleTimeout: "20 millis" }))
      )
    }))

  it.live("no more than maxOrigins have a pool", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* named("one"), yield* named("two")]
      yield* Effect.gen(function*() {
        yield* get(one.origin)
        const error = yield* Effect.flip(get(two.origin))
        assert.include(error.message, "1 origins have a pool already")
        const pools = yield* HttpPools.HttpPools
        const refused = yield* Effect.flip(Effect.scoped(pools.pool(two.origin)))
        assert.strictEqual(refused.reason._tag, "InvalidOption")
      }).pipe(Effect.provide(HttpPools.layer({ maxOrigins: 1 })))
    }))

  it.live("options are refused before any origin is asked", () =>
    Effect.gen(function*() {
      const refusal = (options: HttpPools.HttpPoolsOptions) =>
        Effect.map(Effect.flip(Effect.scoped(HttpPools.make(options))), ({ message }) => message)
      assert.include(yield* refusal({ maxOrigins: 0 }), "maxOrigins")
      assert.include(yield* refusal({ originIdleTimeout: 0 }), "originIdleTimeout")
      assert.include(yield* refusal({ headersTimeout: -1 }), "headersTimeout")
      assert.include(yield* refusal({ maxConnections: 0 }), "maxConnections")
      assert.include(yield* refusal({ misspelt: 1 } as HttpPools.HttpPoolsOptions), "misspelt")
    }))

  it.live("closing the pools closes all origins and ends what is under way", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(() => {})
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(HttpPools.layer({ drainTimeout: "50 millis" }), scope)
      const fiber = yield* Effect.forkChild(Effect.provideContext(get(server.origin), context))
      yield* eventually("the request is there", Effect.sync(() => server.connections() === 1))
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* Effect.flip(Fiber.join(fiber))
      yield* eventually("its connection is closed", Effect.sync(() => server.connections() === 0))
    }))

  it.live("a host with TLS and without it are two pools, with two names", () =>
    Effect.gen(function*() {
      const { pool } = yield* HttpPools.make({ name: "crawler" })
      assert.strictEqual((yield* pool("https://host.test")).name, "crawler/host.test")
      assert.strictEqual((yield* pool("http://host.test")).name, "crawler/host.test:80")
      assert.strictEqual((yield* pool("http://HOST.test:80/")).name, "crawler/host.test:80")
      assert.strictEqual((yield* pool("http://host.test:8080")).name, "crawler/host.test:8080")
    }).pipe(Effect.scoped))

  it.live("a request after the end is told that the pools are closed", () =>
    Effect.gen(function*() {
      const { client, pool } = yield* Effect.scoped(HttpPools.make())
      const error = yield* Effect.flip(client.get("http://127.0.0.1:1/"))
      assert.include(error.message, "closed")
      const { reason } = yield* Effect.flip(Effect.scoped(pool("http://127.0.0.1:1")))
      assert.strictEqual(reason._tag, "PoolClosed")
    }))

  it.live("the pool of an origin does not write its log in the name of the request that made it", () => {
    const annotations: Array<unknown> = []
    const logger = Logger.make(({ fiber }) => {
      annotations.push(fiber.getRef(References.CurrentLogAnnotations)["request"])
    })
    return Effect.gen(function*() {
      const one = yield* named("one")
      yield* Effect.gen(function*() {
        yield* Effect.annotateLogs(get(one.origin), "request", "the first")
        const pool = yield* Effect.flatMap(HttpPools.HttpPools, ({ pool }) => pool(one.origin))
        const slow = pool.withConnection(() => Effect.sleep("50 millis"))
        yield* Effect.all([slow, slow], { concurrency: 2 })
        yield* eventually("a slow lease is logged", Effect.sync(() => annotations.length > 0))
        assert.isUndefined(annotations[0])
      }).pipe(Effect.provide(HttpPools.layer({ maxConnections: 1, slowAcquireTimeout: "10 millis" })))
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})
