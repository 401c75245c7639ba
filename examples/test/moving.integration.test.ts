import { NodeServices } from "@effect/platform-node"
import { EmbeddedPostgres, EmbeddedRedis } from "@effect-pools/testing"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { WebSocketServer } from "ws"

/** An HTTP API and a WebSocket server that answers in capitals, on one port. */
class Servers extends Context.Service<Servers, { readonly port: number }>()("test/Servers") {
  static readonly layer = Layer.effect(
    Servers,
    Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
        const http = createServer(answer)
        const sockets = new WebSocketServer({ server: http })
        sockets.on("connection", (socket) =>
          socket.on("message", (data) => {
            const { id, text } = JSON.parse(String(data)) as { readonly id: string; readonly text: string }
            socket.send(JSON.stringify({ id, text: text.toUpperCase() }))
          }))
        http.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed({
            port: (http.address() as AddressInfo).port,
            close: () => {
              sockets.close()
              http.closeAllConnections()
              http.close()
            }
          })))
      }),
      ({ close }) => Effect.sync(close)
    )
  )
}

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  }
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost")
  if (pathname !== "/v1/voices") return send(404, { error: "unknown" })
  if (request.method === "GET" && searchParams.get("language") === "en") return send(200, [{ id: 1, name: "Ada" }])
  let body = ""
  request.on("data", (chunk) => body += String(chunk))
  request.on("end", () => send(201, { ...(JSON.parse(body) as object), id: 2 }))
}

const run = (program: string) =>
  Effect.gen(function*() {
    const postgres = yield* EmbeddedPostgres.EmbeddedPostgres
    const redis = yield* EmbeddedRedis.EmbeddedRedis
    const { port } = yield* Servers
    const child = yield* ChildProcess.make(
      process.execPath,
      ["--conditions=@effect-pools/source", `moving/${program}.ts`],
      {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        extendEnv: true,
        env: {
          DATABASE_URL: Redacted.value(postgres.url),
          REDIS_URL: Redacted.value(redis.url),
          ORIGIN: `http://127.0.0.1:${port}`,
          CHAT_URL: `ws://127.0.0.1:${port}`
        }
      }
    )
    const [output, errors, code] = yield* Effect.all([
      Stream.mkString(Stream.decodeText(child.stdout)),
      Stream.mkString(Stream.decodeText(child.stderr)),
      child.exitCode
    ], { concurrency: "unbounded" })
    assert.strictEqual(code, 0, output + errors)
    assert.strictEqual(errors, "")
    return output
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

/** The output of both programs. */
const programs: ReadonlyArray<readonly [library: string, prints: string]> = [
  ["pg-pool", "refused\nAda: 30\nGrace: 50\n"],
  ["generic-pool", `+OK\n:42\n${Array.from({ length: 10 }, () => "+PONG").join(" ")}\n`],
  ["ioredis", "Ada null\n[1,2,[\"Ada\",\"Grace\"]]\n10\nhello\n"],
  ["undici", "1 Ada\n201 Grace\n404\n"],
  ["ws", "HELLO\nANYBODY THERE\nGOOD-BYE\n"]
]

const All = Layer.mergeAll(EmbeddedPostgres.layer(), EmbeddedRedis.layer(), Servers.layer)

layer(All, { excludeTestServices: true, timeout: "1 minute" })("a program moved to a pool does as before", (it) => {
  for (const [library, prints] of programs) {
    // Programs of two libraries have nothing in common.
    it.effect(library, () =>
      Effect.gen(function*() {
        const [before, after] = yield* Effect.all([run(`${library}/before`), run(`${library}/after`)])
        assert.strictEqual(before, prints)
        assert.strictEqual(after, prints)
      }), { concurrent: true })
  }
})
