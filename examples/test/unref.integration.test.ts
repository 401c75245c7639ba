import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { certificate, key } from "@effect-pools/testing/TestCertificate"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, type Scope, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createServer } from "node:http"
import { createSecureServer } from "node:http2"
import type { AddressInfo, Server } from "node:net"
import { fileURLToPath } from "node:url"
import { WebSocketServer } from "ws"

const script = fileURLToPath(new URL("fixtures/scriptWithPools.ts", import.meta.url))

const start = (kind: string, url: string, unref: boolean) =>
  ChildProcess.make(process.execPath, ["--conditions=@effect-pools/source", script, kind, url, String(unref)])

/** The script says that it is done and ends by itself soon after, though it closes nothing. */
const ends = (kind: string, url = "") =>
  Effect.gen(function*() {
    const program = yield* start(kind, url, true)
    const lines = Stream.splitLines(Stream.decodeText(program.stdout))
    const last = yield* Stream.runLast(Stream.takeUntil(lines, (line) => line === "done"))
    assert.deepStrictEqual(last, Option.some("done"))
    assert.strictEqual(yield* Effect.timeout(program.exitCode, "5 seconds"), 0)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const listening = <A extends Server | WebSocketServer>(make: () => A): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<A>((resume) => {
        const server = make()
        server.once("listening", () => resume(Effect.succeed(server)))
        if ("listen" in server) server.listen(0, "127.0.0.1")
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          if ("closeAllConnections" in server) (server.closeAllConnections as () => void)()
          server.close(() => resume(Effect.void))
        })
    ),
    (server) => (server.address() as AddressInfo).port
  )

const late = (answer: () => void): void => void setTimeout(answer, 300)

describe("with unref a script ends while its pool is idle, and not while anybody waits:", () => {
  it.live("PostgreSQL", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.make()
      yield* ends("postgres", Redacted.value(server.url))
    }).pipe(Effect.scoped))

  it.live("a PostgreSQL cluster", () =>
    Effect.gen(function*() {
      const primary = yield* EmbeddedPostgres.make()
      const replica = yield* EmbeddedPostgres.replica(primary)
      yield* ends("cluster", `${Redacted.value(primary.url)} ${Redacted.value(replica.url)}`)
    }).pipe(Effect.scoped))

  it.live("Redis", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make()
      yield* ends("redis", Redacted.value(server.url))
    }).pipe(Effect.scoped))

  it.live("HTTP/1.1", () =>
    Effect.gen(function*() {
      const port = yield* listening(() => createServer((_, response) => late(() => void response.end("ok"))))
      yield* ends("http", `http://127.0.0.1:${port}`)
    }).pipe(Effect.scoped))

  it.live("HTTP/2", () =>
    Effect.gen(function*() {
      const port = yield* listening(() =>
        createSecureServer({ cert: certificate, key }, (_, response) => late(() => void response.end("ok")))
      )
      yield* ends("http2", `https://localhost:${port}`)
    }).pipe(Effect.scoped))

  it.live("WebSocket", () =>
    Effect.gen(function*() {
      const port = yield* listening(() => {
        const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
        return server.on("connection", (socket) => {
          socket.on("message", (data) => late(() => socket.send(data.toString())))
        })
      })
      yield* ends("websocket", `ws://127.0.0.1:${port}`)
    }).pipe(Effect.scoped))

  it.live("a caller in an outage", () => ends("outage"))

  it.live("a start in an outage", () => ends("start"))
})

describe("without unref", () => {
  it.live("a pool keeps the process alive until it is closed", () =>
    Effect.gen(function*() {
      const port = yield* listening(() => createServer((_, response) => void response.end("ok")))
      const program = yield* start("http", `http://127.0.0.1:${port}`, false)
      yield* Stream.runHead(Stream.decodeText(program.stdout))
      const ended = yield* Effect.timeoutOption(program.exitCode, "1 second")
      assert.strictEqual(ended._tag, "None")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})
