import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import { HttpBody, HttpClient } from "effect/http"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

describe("a 304", () => {
  const answering = (answer: string) => Servers.raw((socket) => socket.on("data", () => socket.write(answer)))

  it.live("costs no connection, whatever length it says", () =>
    Effect.gen(function*() {
      const server = yield* answering("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\n")
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          for (let i = 0; i < 10; i++) {
            const response = yield* Api.get("/", { headers: i % 2 === 0 ? { "if-none-match": "\"x\"" } : {} })
            assert.strictEqual(response.status, 304)
            assert.strictEqual(yield* response.text, "")
          }
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))

  it.live("with a body after all, or with Connection: close, costs its connection and no other answer", () =>
    Effect.gen(function*() {
      for (
        const answer of [
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nbad",
          "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        ]
      ) {
        const server = yield* answering(answer)
        yield* withApi(
          { origin: server.origin, maxConnections: 1 },
          Effect.gen(function*() {
            for (let i = 0; i < 3; i++) assert.strictEqual((yield* Api.get("/")).status, 304)
            yield* eventually("each had its own", Effect.sync(() => server.accepted() === 3))
          })
        )
      }
    }))
})

describe("a request whose connection ended without an answer", () => {
  it.live("is not sent again when the server may have been at work on it", () =>
    Effect.gen(function*() {
      let seen = 0
      const server = yield* Servers.plain((request) => {
        seen++
        setTimeout(() => request.socket.destroy(), 600)
      })
      yield* withApi(
        { origin: server.origin },
        Effect.gen(function*() {
          yield* Effect.flip(Api.get("/"))
          assert.strictEqual(seen, 1)
        })
      )
    }))

  it.live("is sent again when it met a closing socket", () =>
    Effect.gen(function*() {
      let seen = 0
      const server = yield* Servers.plain((request, response) => {
        if (++seen === 2) request.socket.destroy()
        else response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(seen, 3)
          assert.strictEqual(
            yield* Effect.flatMap(Api.post("/", { body: HttpBody.text("x") }), (response) => response.text),
            "ok"
          )
        })
      )
    }))
})

describe("an error with a large body", () => {
  const large = Buffer.alloc(4 * 1024 * 1024, "a")

  const cases = {
    "HTTP/1": Effect.map(
      Servers.plain((request, response) => {
        response.statusCode = request.url === "/ok" ? 200 : 500
        response.end(large)
      }),
      ({ origin }) => ({ origin })
    ),
    "HTTP/2": Effect.map(
      Servers.h2((request, response) => {
        response.statusCode = request.url === "/ok" ? 200 : 500
        response.end(large)
      }),
      ({ origin }) => ({ origin, tls: trusted, maxConcurrentStreams: 1 })
    )
  }
  for (const [protocol, options] of Object.entries(cases)) {
    it.live(
      `holds no connection for long when filterStatusOk has seen its status, over ${protocol}`,
      () =>
        Effect.gen(function*() {
          const given = yield* options
          yield* withApi(
            { ...given, maxConnections: 1 },
            Effect.gen(function*() {
              const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
              const [took] = yield* Effect.timed(
                Effect.gen(function*() {
                  yield* Effect.flip(client.get("/"))
                  yield* Effect.flip(client.get("/"))
                  yield* Effect.flatMap(client.get("/ok"), (response) => response.arrayBuffer)
                })
              )
              assert.isBelow(Duration.toMillis(took), 5000)
              assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
            })
          )
        }),
      20_000
    )
  }

  it.live("is read by whoever begins to read it", () =>
    Effect.gen(function*() {
      const { origin } = yield* cases["HTTP/1"]
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          const body = yield* Effect.flatMap(Api.get("/"), (response) => response.arrayBuffer)
          assert.strictEqual(body.byteLength, large.length)
        })
      )
    }))
})

describe("a small body that is kept", () => {
  it.live("keeps no more than itself over HTTP/2", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((_, response) => response.end("x".repeat(16)))
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          const bodies = yield* Effect.forEach(
            Array.from({ length: 50 }),
            () => Effect.flatMap(Api.get("/"), (response) => Stream.runCollect(response.stream)),
            { concurrency: 50 }
          )
          const held = new Set(bodies.flat().map(({ buffer }) => buffer))
          let bytes = 0
          for (const { byteLength } of held) bytes += byteLength
          assert.isAtMost(bytes, 2 * 16 * 50)
        })
      )
    }))
})
