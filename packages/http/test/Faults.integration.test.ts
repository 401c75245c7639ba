import { assert, describe, it } from "@effect/vitest"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import type { HttpConfig } from "@effect-pools/http"
import { Effect, Fiber, Schedule, type Scope, Stream } from "effect"
import { HttpBody } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, type Services, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

/** Runs a test with a proxy between the pool and the server. */
const faulty = <A, E, R>(
  options: HttpConfig.HttpOptions,
  handler: Servers.Handler,
  test: (proxy: TcpProxy.TcpProxy, server: Servers.Server) => Effect.Effect<A, E, R | Services | Scope.Scope>
) =>
  Effect.gen(function*() {
    const server = yield* Servers.plain(handler)
    const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
    const origin = `http://${proxy.host}:${proxy.port}`
    yield* withApi({ origin, retry: Schedule.spaced("50 millis"), ...options }, test(proxy, server))
  })

const ok: Servers.Handler = (_, response) => response.end("ok")

describe("a server that accepts whatever comes and closes it", () => {
  for (const how of ["end", "destroy", "resetAndDestroy"] as const) {
    it.live(
      `is dialled about once a second, which health tells, and used again when it is well: ${how}`,
      () =>
        Effect.gen(function*() {
          let isWell = false
          const server = yield* Servers.raw((socket) => {
            if (!isWell) return void socket[how]()
            socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
          })
          yield* withApi(
            { origin: server.origin, minConnections: 1, startup: "lazy" },
            Effect.gen(function*() {
              yield* Effect.sleep("3 seconds")
              assert.isAtMost(server.accepted(), 5)
              const { counts } = yield* Api.stats
              assert.isAtLeast(counts.failedToOpen, 2)
              assert.strictEqual((yield* Api.health).status, "unhealthy")
              isWell = true
              yield* Effect.sleep("2500 millis")
              assert.strictEqual((yield* Api.stats).idle, 1)
              assert.strictEqual(yield* text("/"), "ok")
            })
          )
        }),
      15_000
    )
  }
})

describe("a server that hangs up on every first request", () => {
  it.live("is not dialled by each of its callers as fast as they come", () =>
    Effect.gen(function*() {
      let isWell = false
      const server = yield* Servers.raw((socket) => {
        if (!isWell) return void socket.end()
        socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
      })
      yield* withApi(
        { origin: server.origin, startup: "lazy", maxConnections: 10 },
        Effect.gen(function*() {
          const caller = Effect.forever(Effect.andThen(Effect.exit(Api.get("/")), Effect.sleep(10)))
          yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkScoped(caller))
          yield* Effect.sleep("2 seconds")
          const before = server.accepted()
          yield* Effect.sleep("3 seconds")
          assert.isAtMost(server.accepted() - before, 4)
          isWell = true
          // The breaker may have opened, which takes 5 s.
          yield* Effect.sleep("6 seconds")
          assert.strictEqual(yield* text("/"), "ok")
        })
      )
    }), 20_000)
})

describe("resets", () => {
  it.live("a reset idle connection is noticed and replaced, and no caller notices", () =>
    faulty({ maxConnections: 4 }, ok, (proxy) =>
      Effect.gen(function*() {
        yield* Api.warmUp(4)
        yield* eventually("the proxy has them", Effect.map(proxy.connections, (count) => count === 4))
        yield* proxy.cut
        yield* eventually("all are gone", Effect.map(Api.stats, ({ total }) => total === 0))
        assert.strictEqual((yield* Api.stats).counts.retired.broken, 4)
        assert.strictEqual(yield* text("/"), "ok")
      })))

  it.live("a request that meets a socket being closed is sent once more if that does no harm", () => {
    const seen: Array<string | undefined> = []
    return faulty(
      { maxConnections: 1 },
      (request, response) => {
        // Closes under the second request of each connection, as if its time for idle connections had just run out.
        const count = (counts.get(request.socket) ?? 0) + 1
        counts.set(request.socket, count)
        seen.push(request.method)
        if (count === 2) request.socket.destroy()
        else response.end("ok")
      },
      () =>
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(yield* text("/"), "ok")
          assert.deepStrictEqual(seen, ["GET", "GET", "GET"])
          const error = yield* Effect.flip(Api.post("/", { body: HttpBody.text("once") }))
          assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : "", "TransportError")
          assert.deepStrictEqual(seen, ["GET", "GET", "GET", "POST"])
        })
    )
  })

  const counts = new WeakMap<object, number>()

  it.live("it is sent no more than twice", () => {
    let seen = 0
    return faulty({ maxConnections: 1 }, (request) => {
      seen++
      request.socket.destroy()
    }, () =>
      Effect.gen(function*() {
        yield* Effect.flip(Api.get("/"))
        assert.strictEqual(seen, 2)
      }))
  })

  it.live("a reset in the middle of a response is an error of that response, and of no other", () =>
    faulty(
      { maxConnections: 1 },
      (request, response) => {
        if (request.url === "/ok") return void response.end("ok")
        response.writeHead(200, { "content-length": 1_000_000 })
        response.write("partial")
      },
      (proxy) =>
        Effect.gen(function*() {
          const response = yield* Api.get("/partial")
          yield* proxy.cut
          const error = yield* Effect.flip(response.text)
          assert.strictEqual(error.reason._tag, "DecodeError")
          assert.strictEqual(yield* text("/ok"), "ok")
        })
    ))

  it.live("a body that ends too early is an error, never a short body or another's", () =>
    faulty(
      { maxConnections: 1 },
      (request, response) => {
        response.writeHead(200, { "content-length": 100 })
        response.end(request.url?.padEnd(100, "."))
      },
      (proxy) =>
        Effect.gen(function*() {
          assert.include(yield* text("/one"), "/one")
          yield* proxy.cutAfter(150, "fin")
          const error = yield* Effect.flip(text("/two"))
          assert.strictEqual(error._tag, "HttpClientError")
          yield* proxy.cutAfter(undefined)
          assert.include(yield* text("/three"), "/three")
          const stats = yield* Api.stats
          assert.strictEqual(stats.counts.opened, 2)
        })
    ))

  it.live("a chunked body that ends without its end is an error", () =>
    faulty(
      { maxConnections: 1 },
      (_, response) => {
        response.write("a")
        response.write("b")
      },
      (proxy) =>
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          yield* proxy.fin
          const error = yield* Effect.flip(Stream.runDrain(response.stream))
          assert.strictEqual(error.reason._tag, "DecodeError")
        })
    ))
})

describe("silence", () => {
  it.live("a black hole under a request ends it at headersTimeout, and its connection with it", () =>
    faulty({ maxConnections: 1, headersTimeout: "200 millis" }, ok, (proxy) =>
      Effect.gen(function*() {
        yield* text("/")
        yield* proxy.blackhole(true)
        const error = yield* Effect.flip(Api.get("/"))
        assert.include(error.message, "the server has not answered for 200 ms (headersTimeout)")
        yield* proxy.blackhole(false)
        assert.strictEqual(yield* text("/"), "ok")
        assert.strictEqual((yield* Api.stats).counts.retired.broken, 1)
      })))

  it.live("a body that stands still ends at bodyTimeout", () =>
    faulty(
      { maxConnections: 1, bodyTimeout: "200 millis" },
      (_, response) => response.write("some"),
      () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(text("/"))
          assert.include(error.message, "nothing has come of the body of the response for 200 ms (bodyTimeout)")
          yield* eventually("its connection is gone", Effect.map(Api.stats, ({ used }) => used === 0))
        })
    ))

  it.live("a body that comes slowly but steadily is no reason to give up", () =>
    faulty(
      { bodyTimeout: "200 millis" },
      (_, response) => {
        let left = 15
        const timer = setInterval(() => {
          response.write("x")
          if (--left > 0) return
          clearInterval(timer)
          response.end()
        }, 50)
      },
      () => Effect.map(text("/"), (body) => assert.strictEqual(body, "x".repeat(15)))
    ))

  it.live("a black hole under idle connections is found by the health request before a caller meets it", () =>
    faulty(
      { maxConnections: 2, freshnessWindow: 0, healthRequest: { path: "/" }, validateTimeout: "200 millis" },
      ok,
      (proxy) =>
        Effect.gen(function*() {
          yield* Api.warmUp(2)
          yield* proxy.blackhole(true)
          const request = yield* Effect.forkChild(text("/"))
          yield* eventually("they are found dead", Effect.map(Api.stats, ({ counts }) => counts.retired.invalid === 2))
          yield* proxy.blackhole(false)
          assert.strictEqual(yield* Fiber.join(request), "ok")
        })
    ))

  it.live("a server that accepts and is silent costs a request its time and nobody else's", () =>
    Effect.gen(function*() {
      const silent = yield* Servers.raw(() => {})
      yield* withApi(
        { origin: silent.origin, maxConnections: 2, headersTimeout: "200 millis" },
        Effect.gen(function*() {
          const errors = yield* Effect.forEach([1, 2, 3, 4], () => Effect.flip(Api.get("/")), { concurrency: 4 })
          errors.forEach((error) => assert.include(error.message, "headersTimeout"))
          assert.strictEqual((yield* Api.stats).used, 0)
        })
      )
    }))
})

describe("slow and broken networks", () => {
  it.live("latency with jitter and pieces of one byte change nothing in what arrives", () =>
    faulty({ maxConnections: 3 }, Servers.json, (proxy) =>
      Effect.gen(function*() {
        yield* proxy.slice(1)
        yield* proxy.delay("2 millis", "10 millis")
        const urls = Array.from({ length: 20 }, (_, index) => `/item/${index}`)
        const answers = yield* Effect.forEach(urls, text, { concurrency: "unbounded" })
        assert.deepStrictEqual(answers, urls.map((url) => JSON.stringify({ url, method: "GET" })))
      })))

  it.live("a narrow line slows a body down without ending it", () =>
    faulty(
      { bodyTimeout: "1 second" },
      (_, response) => response.end(Buffer.alloc(100_000)),
      (proxy) =>
        Effect.gen(function*() {
          yield* proxy.throttle(100_000)
          const response = yield* Api.get("/")
          assert.strictEqual((yield* response.arrayBuffer).byteLength, 100_000)
        })
    ))

  it.live("a close that the server learns of late keeps nobody waiting", () =>
    faulty({ maxConnections: 1 }, (_, response) => {
      response.setHeader("connection", "close")
      response.end("ok")
    }, (proxy) =>
      Effect.gen(function*() {
        yield* proxy.slowClose("10 seconds")
        assert.strictEqual(yield* text("/"), "ok")
        assert.strictEqual(yield* text("/"), "ok")
      })))

  it.live("down under load and up again: errors meanwhile, answers after, nothing left", () =>
    faulty(
      { maxConnections: 5, acquireTimeout: "200 millis", breaker: { openDuration: "100 millis" } },
      ok,
      (proxy) =>
        Effect.gen(function*() {
          let answered = 0
          let failed = 0
          const one = Effect.match(text("/"), { onSuccess: () => answered++, onFailure: () => failed++ })
          const load = yield* Effect.forEach(
            Array.from({ length: 20 }),
            () => Effect.forkScoped(Effect.forever(Effect.andThen(one, Effect.sleep("5 millis"))))
          )
          yield* eventually("requests are answered", Effect.sync(() => answered > 100))
          yield* proxy.down
          yield* eventually("requests fail", Effect.sync(() => failed > 50))
          yield* proxy.up
          const before = answered
          yield* eventually("requests are answered again", Effect.sync(() => answered > before + 100))
          yield* Effect.forEach(load, Fiber.interrupt)
          yield* eventually("all are idle", Effect.map(Api.stats, ({ pending, used }) => used === 0 && pending === 0))
        })
    ))
})

describe("servers out of line", () => {
  const answering = (bytes: string) => Servers.raw((socket) => socket.on("data", () => socket.write(bytes)))

  it.live("a head larger than maxHeaderSize is an error", () =>
    Effect.gen(function*() {
      const { origin } = yield* Servers.plain((_, response) => {
        response.setHeader("x-large", "a".repeat(20_000))
        response.end("ok")
      })
      yield* withApi(
        { origin },
        Effect.map(Effect.flip(Api.get("/")), (error) => assert.include(error.message, "Headers Overflow"))
      )
      yield* withApi(
        { origin, maxHeaderSize: 64 * 1024 },
        Effect.map(text("/"), (body) => assert.strictEqual(body, "ok"))
      )
    }))

  it.live("what is not HTTP is an error, and its connection is not used again", () =>
    Effect.gen(function*() {
      const server = yield* answering("220 smtp.example.com ESMTP\r\n")
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.flip(Api.get("/"))
          yield* eventually("it is gone", Effect.map(Api.stats, ({ total }) => total === 0))
        })
      )
    }))

  it.live("an answer nobody asked for is never taken for the next one", () =>
    Effect.gen(function*() {
      const answer = (body: string) => `HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n${body}`
      let count = 0
      const server = yield* Servers.raw((socket) =>
        socket.on("data", () => socket.write(count++ === 0 ? answer("ok") + answer("no") : answer("ok")))
      )
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 2)
        })
      )
    }))
})
