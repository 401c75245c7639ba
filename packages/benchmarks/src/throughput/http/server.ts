/**
 * Servers that know just enough HTTP/1.1: requests without a body, answers that are ready. That of Node takes longer than
 * some of the clients, and then it would be the server that is timed. HTTP/2 is Node's.
 */
import { TestCertificate } from "@effect-pools/testing"
import * as Effect from "effect/Effect"
import { createSecureServer, type ServerHttp2Stream } from "node:http2"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import type { Started } from "../started.ts"
import { bodyOf } from "./data.ts"

const respond = (path: string): string => {
  const body = bodyOf(path)
  return body === undefined
    ? "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
    : `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

const answers = new Map<string, string>()

const answerTo = (path: string): string => {
  const known = answers.get(path) ?? respond(path)
  answers.set(path, known)
  return known
}

const serve = (socket: Socket): void => {
  let received = ""
  socket.setNoDelay(true).setEncoding("latin1")
  socket.on("error", () => {})
  socket.on("data", (chunk: string) => {
    received += chunk
    for (let end = received.indexOf("\r\n\r\n"); end !== -1; end = received.indexOf("\r\n\r\n")) {
      socket.write(answerTo(received.split(" ", 2)[1] ?? ""))
      received = received.slice(end + 4)
    }
  })
}

const serveStream = (stream: ServerHttp2Stream, { ":path": path = "" }: { readonly ":path"?: string }): void => {
  const body = bodyOf(path)
  stream.on("error", () => {})
  stream.respond({ ":status": body === undefined ? 404 : 200, "content-type": "application/json" })
  stream.end(body)
}

const identity = { cert: TestCertificate.certificate, key: TestCertificate.key }

const count = (server: Server): Effect.Effect<number> =>
  Effect.callback((resume) => {
    server.getConnections((_, count) => resume(Effect.succeed(count)))
  })

const started = (scheme: string, host: string, create: () => Server): Started =>
  Effect.callback<Server>((resume) => {
    const server = create()
    server.once("listening", () => resume(Effect.succeed(server)))
    void server.listen(0, host)
  }).pipe(Effect.map((server) => {
    const { port } = server.address() as AddressInfo // it listens at a port
    return { url: `${scheme}://${host}:${port}`, connections: count(server) }
  }))

export const start: Started = started("http", "127.0.0.1", () => createServer(serve))

export const startWithTls: Started = started("https", "localhost", () => createTlsServer(identity, serve))

export const startHttp2: Started = started(
  "https",
  "localhost",
  () => createSecureServer(identity).on("stream", serveStream)
)
