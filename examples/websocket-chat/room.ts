/** A room: what one says everybody hears. */
import { Effect } from "effect"
import type { AddressInfo } from "node:net"
import { WebSocket, WebSocketServer } from "ws"

interface Said {
  readonly type: string
  readonly id?: string
  readonly text?: string
}

const listen = Effect.callback<WebSocketServer>((resume) => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
  server.once("listening", () => resume(Effect.succeed(server)))
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data) => hear(server, socket, JSON.parse(String(data)) as Said))
  })
})

const hear = (server: WebSocketServer, socket: WebSocket, { id, text, type }: Said): void => {
  if (type === "who") return socket.send(JSON.stringify({ type: "present", id, count: server.clients.size }))
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify({ type: "said", text }))
  }
}

const disconnectAll = (server: WebSocketServer): void => {
  for (const client of server.clients) client.close(1012, "restarting")
}

export const startRoom = Effect.acquireRelease(
  listen,
  (server) =>
    Effect.callback<void>((resume) => {
      for (const client of server.clients) client.terminate()
      server.close(() => resume(Effect.void))
    })
).pipe(Effect.map((server) => ({
  url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
  disconnectAll: () => disconnectAll(server)
})))
