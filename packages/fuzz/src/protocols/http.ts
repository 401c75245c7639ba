/** HTTP/1.1: a server that answers with bodies of known length, in chunks, compressed by name only, and with none. */
import { HttpPool } from "@effect-pools/http"
import * as Effect from "effect/Effect"
import type { Protocol } from "../Protocol.ts"
import { limits } from "./limits.ts"

class Api extends HttpPool.Service<Api>()("fuzz/Api") {}

const replies = [
  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"a\":[1,2]}",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\nx-a: 2\r\n\r\n4\r\nbody\r\n3;ext=1\r\n!!!\r\n0\r\ntrailer: t\r\n\r\n",
  "HTTP/1.1 204 No Content\r\nkeep-alive: timeout=5\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnone",
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
]

const answerer = (): (received: Buffer) => Buffer => {
  let next = 0
  return (received) => {
    const requests = received.toString("latin1").split(/ HTTP\/1\.1\r\n/).length - 1
    return Buffer.from(Array.from({ length: requests }, () => replies[next++ % replies.length]!).join(""), "latin1")
  }
}

const program = Effect.all([
  Effect.exit(Effect.flatMap(Api.get("/json"), ({ json }) => json)),
  Effect.exit(Effect.flatMap(Api.get("/chunks"), ({ text }) => text)),
  Effect.exit(Api.del("/nothing")),
  Effect.exit(Effect.flatMap(Api.post("/missing"), ({ text }) => text)),
  Effect.exit(Api.withConnection((client) => Effect.flatMap(client.get("/busy"), ({ text }) => text)))
])

export const http: Protocol = {
  name: "http",
  answerer,
  use: (port) =>
    Effect.provide(
      program,
      Api.layer({ origin: `http://127.0.0.1:${port}`, headersTimeout: 300, bodyTimeout: 300, ...limits })
    )
}
