import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpBody } from "effect/http"
import { certificate, key } from "@effect-pools/testing/TestCertificate"
import { spawn } from "node:child_process"
import * as Http2 from "node:http2"
import * as Frames from "./fixtures/frames.ts"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

const codes = { NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, CANCEL: 8, ENHANCE_YOUR_CALM: 11 }

describe("bodies over HTTP/2", () => {
  for (const [name, code] of Object.entries(codes)) {
    it.live(`a body that RST_STREAM with ${name} cuts short is an error, whole or streamed, at once or later`, () =>
      Effect.gen(function*() {
        for (const millis of [0, 20]) {
          const origin = yield* Frames.server((socket, stream) => {
            socket.write(Buffer.concat([Frames.ok(stream), Frames.data(stream, "partial")]))
            setTimeout(() => socket.write(Frames.reset(stream, code)), millis)
          })
          yield* withApi(
            { origin, tls: trusted },
            Effect.gen(function*() {
              const whole = yield* Effect.flip(text("/"))
              assert.include(whole.message, `before the response was complete (${name}`)
              const streamed = yield* Effect.flip(
                Effect.flatMap(Api.get("/"), (response) => Stream.runDrain(response.stream))
              )
              assert.include(streamed.message, "before the response was complete")
            })
          )
        }
      }))
  }

  it.live("a body that the end of its session cuts short is an error, with GOAWAY or without it", () =>
    Effect.gen(function*() {
      const partial = (stream: number) => Buffer.concat([Frames.ok(stream), Frames.data(stream, "partial")])
      const endings: ReadonlyArray<
        (socket: Parameters<Parameters<typeof Frames.server>[0]>[0], stream: number) => void
      > = [
        (socket, stream) => void socket.end(partial(stream)),
        (socket, stream) => void socket.end(Buffer.concat([partial(stream), Frames.goaway(stream, 0)])),
        (socket, stream) => void socket.end(Buffer.concat([partial(stream), Frames.goaway(stream, 2)])),
        (socket, stream) => socket.write(partial(stream), () => socket.destroy())
      ]
      for (const ending of endings) {
        const origin = yield* Frames.server(ending)
        yield* withApi(
          { origin, tls: trusted },
          Effect.map(
            Effect.flip(text("/")),
            (error) => assert.include(error.message, "before the response was complete")
          )
        )
      }
    }))

  it.live("a status that came is told though its body is cut short in the same piece of data", () =>
    Effect.gen(function*() {
      const origin = yield* Frames.server((socket, stream) => {
        const partial = Buffer.concat([Frames.ok(stream), Frames.data(stream, "partial")])
        socket.write(Buffer.concat([partial, Frames.reset(stream, codes.INTERNAL_ERROR)]))
      })
      yield* withApi(
        { origin, tls: trusted },
        Effect.gen(function*() {
          const response = yield* Api.get("/")
          assert.strictEqual(response.status, 200)
          assert.include((yield* Effect.flip(response.text)).message, "before the response was complete")
        })
      )
    }))

  it.live("a body of the length that its head declared is whole, though its end is not told", () =>
    Effect.gen(function*() {
      const text = (length: number, code: number) =>
        Effect.gen(function*() {
          const origin = yield* Frames.server((socket, stream) => {
            socket.write(Buffer.concat([Frames.ok(stream, length), Frames.data(stream, "whole")]))
            setTimeout(() => socket.write(Frames.reset(stream, code)), 20)
          })
          return yield* withApi({ origin, tls: trusted }, Effect.flatMap(Api.get("/"), (response) => response.text))
        })
      assert.strictEqual(yield* text(5, codes.NO_ERROR), "whole")
      for (const [length, code] of [[6, codes.NO_ERROR], [4, codes.NO_ERROR], [5, codes.INTERNAL_ERROR]] as const) {
        assert.include((yield* Effect.flip(text(length, code))).message, "before the response was complete")
      }
    }))

  it.live("a body with END_STREAM is whole, whatever comes after it", () =>
    Effect.gen(function*() {
      const origin = yield* Frames.server((socket, stream) => {
        const whole = Buffer.concat([Frames.ok(stream), Frames.data(stream, "whole", true)])
        // RFC 9113, 8.1: a server that does not want the rest of a request says so, after its answer.
        socket.write(Buffer.concat([whole, Frames.reset(stream, codes.NO_ERROR)]))
      })
      yield* withApi(
        { origin, tls: trusted },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "whole")
          const body = HttpBody.stream(Stream.concat(Stream.make(new Uint8Array(10)), Stream.never))
          const response = yield* Api.post("/", { body })
          assert.strictEqual(yield* response.text, "whole")
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))

  it.live("a head larger than maxHeaderSize is an error, and the session serves on", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) => {
        if (request.url === "/large") response.setHeader("x-large", "a".repeat(20_000))
        if (request.url === "/many") { for (let i = 0; i < 400; i++) response.setHeader(`x-${i}`, "a".repeat(20)) }
        response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          for (const path of ["/large", "/many"]) {
            const error = yield* Effect.flip(Api.get(path))
            assert.include(error.message, "maxHeaderSize")
          }
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 1)
        })
      )
      yield* withApi(
        { origin: server.origin, tls: trusted, maxHeaderSize: 64 * 1024 },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/large"), "ok")
          assert.strictEqual(yield* text("/many"), "ok")
        })
      )
    }))
})

describe("requests over HTTP/2", () => {
  it.live(
    "uploads that are interrupted under load leave the process, its memory and the server well",
    () =>
      Effect.gen(function*() {
        let open = 0
        const server = yield* Servers.h2((request, response) => {
          open++
          request.stream.once("close", () => open--)
          request.stream.on("error", () => {})
          request.resume()
          setTimeout(() => {
            if (!request.stream.destroyed) response.end("ok")
          }, 5)
        })
        const [code, said] = yield* inChild(server.origin)
        assert.deepStrictEqual([code, said], [0, "ok"])
        yield* eventually("the server has no stream left", Effect.sync(() => open === 0))
      }),
    60_000
  )

  it.live("requests sent at once on a session that has just been destroyed are sent over another", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) => {
        // More than it said: the client's own side ends the session for it.
        if (request.url === "/broken") response.writeHead(200, { "content-length": 2 })
        response.end("much longer")
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 2 },
        Effect.gen(function*() {
          for (let round = 0; round < 20; round++) {
            yield* Effect.flip(text("/broken"))
            const body = HttpBody.text("x")
            const answer = round % 2 === 0 ? Api.get("/") : Api.post("/", { body })
            assert.strictEqual(yield* Effect.flatMap(answer, (response) => response.text), "much longer")
          }
        })
      )
    }))

  it.live("a dead session is found though no caller waits for headersTimeout", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((_, response) => response.end("ok"))
      const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
      yield* withApi(
        { origin: `https://localhost:${proxy.port}`, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          yield* text("/")
          yield* proxy.blackhole(true)
          yield* Effect.flip(Effect.timeout(text("/"), "50 millis"))
          yield* eventually(
            "the session is given up",
            Effect.map(Api.stats, ({ counts }) => counts.retired.broken === 1)
          )
          yield* proxy.blackhole(false)
          assert.strictEqual(yield* text("/"), "ok")
        })
      )
    }), 20_000)

  it.live("a session that answers the question whether it lives is kept", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) => {
        if (request.url === "/") response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          yield* text("/")
          yield* Effect.flip(Effect.timeout(text("/hang"), "50 millis"))
          yield* Effect.sleep("6 seconds")
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }), 20_000)

  it.live("a form is sent with the type and boundary of its own", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => response.end(`${request.headers["content-type"]} ${Buffer.concat(chunks).toString()}`))
      })
      yield* withApi(
        { origin: server.origin, tls: trusted },
        Effect.gen(function*() {
          const form = new FormData()
          form.append("name", "Ada")
          form.append("file", new Blob(["content"]), "a.txt")
          const response = yield* Api.post("/", { body: HttpBody.formData(form) })
          const said = yield* response.text
          const [, boundary] = /^multipart\/form-data; boundary=(\S+)/.exec(said) ?? []
          assert.isString(boundary)
          assert.include(said, `--${boundary}--`)
          assert.include(said, "Ada")
          assert.include(said, "filename=\"a.txt\"")
        })
      )
    }))

  it.live("what HTTP/2 does not allow in a request fails it and harms no session", () =>
    Effect.gen(function*() {
      const server = yield* Servers.h2((_, response) => response.end("ok"))
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          for (
            const [name, value] of [["x-bad", "a\r\nb: c"], ["transfer-encoding", "chunked"], ["te", "gzip"], [
              "x y",
              "a"
            ]]
          ) {
            const error = yield* Effect.flip(Api.get("/", { headers: { [name!]: value! } }))
            assert.strictEqual(error._tag, "HttpClientError")
          }
          const wrong = HttpBody.raw("four", { contentLength: 5 })
          yield* Effect.flip(Api.post("/", { body: wrong, headers: { "content-length": "5" } }))
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 1)
          assert.strictEqual((yield* Api.stats).counts.retired.broken, 0)
        })
      )
    }))
})

describe("Expect: 100-continue", () => {
  const expecting = { headers: { expect: "100-continue" } }

  /** Sends a request whose body tells that it was asked for, and yields its answer and whether it was. */
  const upload = Effect.gen(function*() {
    let asked = 0
    const body = HttpBody.stream(
      Stream.fromEffect(Effect.sync(() => {
        asked++
        return new Uint8Array(10)
      }))
    )
    const response = yield* Api.post("/", { ...expecting, body })
    return [response.status, yield* response.text, asked] as const
  })

  it.live("a body is sent when the server wants it, and kept when it does not", () =>
    Effect.gen(function*() {
      let isWanted = true
      const server = Http2.createSecureServer({ cert: certificate, key }, (request, response) => {
        let bytes = 0
        request.on("data", (chunk: Buffer) => (bytes += chunk.length))
        request.on("end", () => response.end(String(bytes)))
      })
      server.on("checkContinue", (request: Http2.Http2ServerRequest, response: Http2.Http2ServerResponse) => {
        if (!isWanted) {
          response.statusCode = 401
          return void response.end("no")
        }
        response.writeContinue()
        server.emit("request", request, response)
      })
      const listened = yield* Servers.listening(server, "https")
      yield* withApi(
        { origin: listened.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* upload, [200, "10", 1])
          isWanted = false
          assert.deepStrictEqual(yield* upload, [401, "no", 0])
          isWanted = true
          assert.deepStrictEqual(yield* upload, [200, "10", 1])
          assert.strictEqual(listened.accepted(), 1)
        })
      )
    }))

  it.live("a server that never says it gets the body after a second", () =>
    Effect.gen(function*() {
      const origin = yield* Frames.server((socket, stream) => {
        setTimeout(() => socket.write(Buffer.concat([Frames.ok(stream), Frames.data(stream, "late", true)])), 1500)
      })
      yield* withApi(
        { origin, tls: trusted },
        Effect.map(upload, (answer) => assert.deepStrictEqual(answer, [200, "late", 1]))
      )
    }))

  it.live("is refused over HTTP/1, and harms no connection", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((_, response) => response.end("ok"))
      yield* withApi(
        { origin: server.origin, maxConnections: 1 },
        Effect.gen(function*() {
          assert.strictEqual(yield* text("/"), "ok")
          assert.include((yield* Effect.flip(upload)).message, "over HTTP/2 only")
          assert.strictEqual(yield* text("/"), "ok")
          assert.strictEqual(server.accepted(), 1)
        })
      )
    }))
})

const inChild = (origin: string): Effect.Effect<readonly [code: number | null, said: string]> =>
  Effect.callback((resume) => {
    const file = new URL("./fixtures/interrupted.ts", import.meta.url).pathname
    const child = spawn(process.execPath, ["--conditions=@effect-pools/source", "--no-warnings", file], {
      env: { ...process.env, ORIGIN: origin },
      stdio: ["ignore", "pipe", "inherit"]
    })
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
    const watchdog = setTimeout(() => child.kill("SIGKILL"), 40_000)
    child.once("close", (code) => {
      clearTimeout(watchdog)
      resume(Effect.succeed([code, said] as const))
    })
  })
