import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

describe("keep-alive", () => {
  it.live("an idle connection is given up before the server would close it", () =>
    Effect.gen(function*() {
      const closedByUs: Array<boolean> = []
      const server = yield* Servers.plain((request, response) => {
        request.socket.once("end", () => closedByUs.push(true))
        response.setHeader("keep-alive", "timeout=1")
        response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, keepAliveMargin: "700 millis" },
        Effect.gen(function*() {
          yield* text("/")
          yield* eventually("the connection is gone", Effect.map(Api.stats, ({ total }) => total === 0))
          yield* eventually("the server saw its end", Effect.sync(() => closedByUs.length === 1))
          const { retired } = (yield* Api.stats).counts
          assert.deepInclude(retired, { broken: 0, invalid: 0, ended: 1 })
        })
      )
    }))

  it.live("a connection in use is kept whatever the server says of idle ones", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) => {
        response.setHeader("keep-alive", "timeout=1")
        setTimeout(() => response.end("ok"), 150)
      })
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.repeat(text("/"), { times: 9 })
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("Connection: close retires the connection with its response, as something usual", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) => {
        response.setHeader("connection", "close")
        response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.repeat(text("/"), { times: 4 })
          assert.strictEqual(server.accepted(), 5)
          const { ended, failedToValidate, retired } = (yield* Api.stats).counts
          assert.strictEqual(ended.success, 5)
          assert.deepInclude(retired, { broken: 0, ended: 5 })
          assert.strictEqual(failedToValidate, 0)
        })
      )
    }))

  it.live("an idle connection that the server closes is retired at once, as something usual", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(Servers.json)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          yield* text("/")
          server.sockets.forEach((socket) => socket.end())
          yield* eventually("the connection is gone", Effect.map(Api.stats, ({ total }) => total === 0))
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))

  it.live("a connection that was never used is noticed to be closed too", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain(Servers.json)
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          yield* Api.warmUp(1)
          server.sockets.forEach((socket) => socket.end())
          yield* eventually("the connection is gone", Effect.map(Api.stats, ({ total }) => total === 0))
        })
      )
    }))
})

describe("proofs", () => {
  it.live("by default no request is sent to prove an idle connection", () =>
    Effect.gen(function*() {
      let requests = 0
      const server = yield* Servers.plain((request, response) => {
        requests++
        Servers.json(request, response)
      })
      yield* withApi(
        { origin: server.origin, freshnessWindow: 0 },
        Effect.gen(function*() {
          yield* Effect.repeat(text("/"), { times: 4 })
          assert.strictEqual(requests, 5)
          assert.isAbove((yield* Api.stats).counts.validated, 0)
        })
      )
    }))

  it.live("healthRequest is asked before a lease, and a bad answer retires the connection", () =>
    Effect.gen(function*() {
      const probes: Array<string> = []
      const statuses: Array<number> = []
      const server = yield* Servers.plain((request, response) => {
        if (request.url === "/healthz?deep=1") {
          probes.push(`${request.method} ${request.headers["x-team"]}`)
          response.statusCode = statuses.pop() ?? 200
        }
        response.end("a body to be read away")
      })
      yield* withApi(
        {
          origin: server.origin,
          freshnessWindow: 0,
          headers: { "x-team": "blue" },
          healthRequest: { path: "/healthz?deep=1", method: "GET" }
        },
        Effect.gen(function*() {
          yield* text("/")
          yield* text("/")
          assert.deepStrictEqual(probes, ["GET blue", "GET blue"], "at the dial, and before the second lease")
          assert.strictEqual(server.accepted(), 1)
          statuses.push(500)
          yield* text("/")
          assert.strictEqual(server.accepted(), 2)
          assert.strictEqual((yield* Api.stats).counts.retired.invalid, 1)
        })
      )
    }))

  it.live("a dial whose healthRequest is answered badly has failed, and no caller gets its connection", () =>
    Effect.gen(function*() {
      let status = 503
      const requests: Array<string> = []
      const server = yield* Servers.plain((request, response) => {
        requests.push(`${request.method} ${request.url}`)
        response.statusCode = request.url?.startsWith("/healthz") === true ? status : 200
        response.end()
      })
      yield* withApi(
        {
          origin: server.origin,
          healthRequest: { path: "/healthz?token=secret" },
          retry: Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 2 }))
        },
        Effect.gen(function*() {
          const error = yield* Effect.flip(text("/"))
          assert.include(String(error), "HEAD /healthz: the server answered with status 503")
          assert.notInclude(String(error), "secret")
          assert.deepStrictEqual(new Set(requests), new Set(["HEAD /healthz?token=secret"]))
          assert.isAtLeast((yield* Api.stats).counts.failedToOpen, 2)
          status = 204
          assert.strictEqual(yield* text("/"), "")
        })
      )
    }))

  it.live("a dial whose healthRequest is not answered ends with connectTimeout", () =>
    Effect.gen(function*() {
      const silent = yield* Servers.raw(() => {})
      yield* withApi(
        {
          origin: silent.origin,
          healthRequest: { path: "/healthz" },
          connectTimeout: "100 millis",
          acquireTimeout: "1 second"
        },
        Effect.gen(function*() {
          yield* Effect.flip(text("/"))
          const { counts } = yield* Api.stats
          assert.isAtLeast(counts.failedToOpen, 1)
          assert.strictEqual(counts.opened, 0)
        })
      )
    }))

  it.live("a health request by HEAD keeps the connection", () =>
    Effect.gen(function*() {
      const methods: Array<string | undefined> = []
      const server = yield* Servers.plain((request, response) => {
        methods.push(request.method)
        response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, freshnessWindow: 0, healthRequest: { path: "/" } },
        Effect.gen(function*() {
          yield* Effect.repeat(text("/"), { times: 2 })
          assert.deepStrictEqual(methods, ["HEAD", "GET", "HEAD", "GET", "HEAD", "GET"])
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))
})

describe("Retry-After", () => {
  const busy: Servers.Handler = (_, response) => {
    response.writeHead(503, { "retry-after": "1" })
    response.end()
  }

  it.live.each([429, 503])(
    "status %i brings the limit to one fewer than are open, and no request is lost",
    (status) =>
      Effect.gen(function*() {
        let isFull = true
        const { origin } = yield* Servers.plain((_, response) => {
          setTimeout(() => {
            response.writeHead(isFull ? status : 200, isFull ? { "retry-after": "60" } : {})
            response.end("so")
          }, 50)
        })
        yield* withApi(
          { origin, maxConnections: 6 },
          Effect.gen(function*() {
            const get = Effect.map(Api.get("/"), (response) => response.status)
            const many = Effect.all(Array.from({ length: 18 }, () => get), { concurrency: "unbounded" })
            const first = yield* Effect.all(Array.from({ length: 6 }, () => get), { concurrency: "unbounded" })
            assert.deepStrictEqual(first, [status, status, status, status, status, status])
            assert.deepInclude(yield* Api.stats, { limit: 5, limitedBy: "server" })
            isFull = false
            assert.isTrue((yield* many).every((each) => each === 200))
            assert.deepInclude(yield* Api.stats, { limit: 5, limitedBy: "server", total: 5 })
            assert.include((yield* Api.health).diagnosis?.text, `status ${status}`)
          })
        )
      })
  )

  it.live("pauses the pool for as long as the server asks, where maxRetryAfter allows", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(busy)
      yield* withApi(
        { origin, maxRetryAfter: "200 millis" },
        Effect.gen(function*() {
          assert.strictEqual((yield* Api.get("/")).status, 503)
          const refused = yield* Effect.flip(Api.get("/"))
          assert.strictEqual(refused._tag === "PoolError" ? refused.reason._tag : "", "PoolPaused")
          yield* eventually("the pool goes on", Effect.map(Api.stats, ({ state }) => state === "open"))
        })
      )
    }))

  it.live("ends no pause that somebody asked for meanwhile", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(busy)
      yield* withApi(
        { origin, maxRetryAfter: "200 millis" },
        Effect.gen(function*() {
          yield* Api.get("/")
          yield* eventually("the pool is paused", Effect.map(Api.stats, ({ state }) => state === "paused"))
          yield* Api.pause
          yield* Effect.sleep("400 millis")
          assert.strictEqual((yield* Api.stats).state, "paused")
          yield* Api.resume
          assert.strictEqual((yield* Api.stats).state, "open")
        })
      )
    }))

  it.live("is not heeded by default", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain(busy)
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          yield* Api.get("/")
          assert.strictEqual((yield* Api.get("/")).status, 503)
          assert.strictEqual((yield* Api.stats).counts.ended.failure, 2)
        })
      )
    }))
})
