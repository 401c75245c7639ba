/** A server that sends every message back. */
import * as Effect from "effect/Effect"
import type { AddressInfo } from "node:net"
import { WebSocketServer } from "ws"
import type { Started } from "../started.ts"

export const start: Started = Effect.callback<WebSocketServer>((resume) => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
  server.once("listening", () => resume(Effect.succeed(server)))
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
}).pipe(Effect.map((server) => {
  const { port } = server.address() as AddressInfo // it listens at a port
  return { url: `ws://127.0.0.1:${port}`, connections: Effect.sync(() => server.clients.size) }
}))
