import { assert, describe, it } from "@effect/vitest"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { Effect, Fiber } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

/** Answers each request after so many milliseconds, and tells how many it had at once. */
const busyFor = (millis: number) => {
  let most = 0
  let now = 0
  const answer = (_: unknown, response: { readonly end: (body: string) => void }) => {
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      response.end("ok")
    }, millis)
  }
  return { answer, most: () => most }
}

describe("HTTP/2", () => {
  it.live("many requests run at once on one session", () =>
    Effect.gen(function*() {
      const busy = busyFor(100)
      const server = yield* Servers.h2(busy.answer)
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 30 }), () => text("/"), { concurrency: "unbounded" })
          assert.strictEqual(server.accepted(), 1)
          assert.strictEqual(busy.most(), 30)
          const [connection] = yield* Api.connections
          assert.strictEqual(connection?.tags["protocol"], "HTTP/2")
        })
      )
    }))

  it.live("requests fill a session before another is opened", () =>
    Effect.gen(function*() {
      const busy = busyFor(50)
      const server = yield* Servers.h2(busy.answer)
      yield* withApi(
        { origin: server.origin, tls: trusted, minConnections: 1, maxConnections: 4, maxConcurrentStreams: 10 },
        Effect.gen(function*() {
          const many = (count: number) =>
            Effect.forEach(Array.from({ length: count }), () => text("/"), { concurrency: "unbounded" })
          yield* text("/")
          yield* many(10)
          assert.strictEqual(server.accepted(), 1)
          yield* many(20)
          assert.strictEqual(server.accepted(), 2)
        })
      )
    }))

  it.live("bodies that nobody reads leave the session to the others", () =>
    Effect.gen(function*() {
      const large = Buffer.alloc(1024 * 1024)
      const server = yield* Servers.h2((request, response) => response.end(request.url === "/large" ? large : "ok"))
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 8 }), () => Api.get("/large"))
          assert.strictEqual(yield* Effect.timeout(text("/"), "2 seconds"), "ok")
        })
      )
    }))

  it.live("no more requests run on a session than the server allows, or the option", () =>
    Effect.gen(function*() {
      const run = (settings: number, option: number) =>
        Effect.gen(function*() {
          const busy = busyFor(20)
          const server = yield* Servers.h2(busy.answer, { maxConcurrentStreams: settings })
          yield* withApi(
            { origin: server.origin, tls: trusted, maxConnections: 1, maxConcurrentStreams: option },
            Effect.gen(function*() {
              // The first finds out what the server allows.
              yield* text("/")
              const requests = yield* Effect.forkChild(
                Effect.forEach(Array.from({ length: 12 }), () => text("/"), { concurrency: "unbounded" })
              )
              yield* eventually("the others wait for the pool", Effect.map(Api.stats, ({ pending }) => pending > 0))
              yield* Fiber.join(requests)
            })
          )
          return busy.most()
        })
      assert.strictEqual(yield* run(3, 100), 3)
      assert.strictEqual(yield* run(100, 4), 4)
    }))

  it.live("an interrupted request resets its stream and leaves the others alone", () =>
    Effect.gen(function*() {
      let closed = 0
      const server = yield* Servers.h2((request, response) => {
        request.stream.once("close", () => closed++)
        if (request.url !== "/hang") setTimeout(() => response.end("ok"), 200)
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          const hanging = yield* Effect.forkChild(Api.get("/hang"))
          const other = yield* Effect.forkChild(text("/"))
          yield* eventually("both are under way", Effect.map(Api.connections, ([one]) => one?.state === "used"))
          yield* Fiber.interrupt(hanging)
          yield* eventually("the stream is closed", Effect.sync(() => closed >= 1))
          assert.strictEqual(yield* Fiber.join(other), "ok")
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("a slow answer fails at headersTimeout and leaves the session to the others", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) => {
        if (request.url === "/hang") return
        response.write("a")
        const timer = setInterval(() => response.write("a"), 20)
        setTimeout(() => {
          clearInterval(timer)
          response.end()
        }, 900)
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1, headersTimeout: "300 millis" },
        Effect.gen(function*() {
          const streaming = yield* Effect.forkChild(text("/"))
          const error = yield* Effect.flip(Api.get("/hang"))
          assert.include(error.message, "the server has not answered for 300 ms (headersTimeout)")
          yield* Fiber.join(streaming)
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("a session in a black hole is given up as a whole", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((_, response) => response.end("ok"))
      const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
      yield* withApi(
        {
          origin: `https://localhost:${proxy.port}`,
          tls: trusted,
          maxConnections: 1,
          headersTimeout: "300 millis"
        },
        Effect.gen(function*() {
          yield* text("/")
          yield* proxy.blackhole(true)
          const error = yield* Effect.flip(Api.get("/"))
          assert.include(error.message, "headersTimeout")
          yield* proxy.blackhole(false)
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 2)
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 1)
        })
      )
    }))

  it.live("after GOAWAY what is under way ends, and the next request has a new session", () =>
    Effect.gen(function*() {
      let go: () => void = () => {}
      const server = yield* Servers.h2((request, response) => {
        if (request.url === "/slow") go = () => response.end("slow")
        else response.end("fast")
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 2 },
        Effect.gen(function*() {
          const slow = yield* Effect.forkChild(text("/slow"))
          yield* eventually("the request is there", Effect.sync(() => server.sessions.size > 0))
          yield* eventually("it is under way", Effect.map(Api.stats, ({ used }) => used === 1))
          yield* Effect.sleep("50 millis")
          // Where the first dial was slow, a second one was made beside it.
          const before = server.accepted()
          server.sessions.forEach((session) => session.close())
          // A request that meets the closing session is swallowed by the server of the test.
          const another = Effect.map(Effect.timeoutOption(text("/"), "200 millis"), () => server.accepted() > before)
          yield* eventually("another session serves", another)
          go()
          assert.strictEqual(yield* Fiber.join(slow), "slow")
          yield* eventually("the old session is gone", Effect.map(Api.stats, ({ total }) => total === 1))
        })
      )
    }))

  it.live("requests that meet a session on its way out are sent once more", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((_, response) => response.end("ok"))
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          for (let round = 0; round < 10; round++) {
            yield* text("/")
            server.sessions.forEach((session) => session.close())
            assert.strictEqual(yield* Effect.flatMap(Api.post("/"), (response) => response.text), "ok")
          }
        })
      )
    }))

  it.live("a large body is stopped by a slow reader, who loses its stream at bodyTimeout and nothing else", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) =>
        response.end(request.url === "/large" ? Buffer.alloc(4 * 1024 * 1024) : "ok")
      )
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1, bodyTimeout: "300 millis" },
        Effect.gen(function*() {
          const response = yield* Api.get("/large")
          yield* eventually("the stream is given up", Effect.map(Api.stats, ({ used }) => used === 0))
          const error = yield* Effect.flip(response.text)
          assert.include(error.message, "has not been read")
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("allowH2: false speaks HTTP/1.1 with a server that has both", () =>
    Effect.gen(function*() {
      const server = yield* Servers.secure((request, response) => response.end(request.httpVersion))
      yield* withApi(
        { origin: server.origin, tls: trusted, allowH2: false },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "1.1")
        })
      )
      const both = yield* Servers.both((request, response) => response.end(request.httpVersion))
      yield* withApi(
        { origin: both.origin, tls: trusted, allowH2: false },
        Effect.map(text("/"), (version) => assert.strictEqual(version, "1.1"))
      )
      yield* withApi(
        { origin: both.origin, tls: trusted },
        Effect.map(text("/"), (version) => assert.strictEqual(version, "2.0"))
      )
    }))

  it.live("a server that speaks HTTP/1.1 only gets a connection for each request", () =>
    Effect.gen(function*() {
      const busy = busyFor(30)
      const server = yield* Servers.secure(busy.answer)
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 2 },
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 8 }), () => text("/"), { concurrency: "unbounded" })
          assert.strictEqual(busy.most(), 2)
          assert.strictEqual(server.accepted(), 2)
        })
      )
    }))
})
