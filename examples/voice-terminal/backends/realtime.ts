/** The realtime server: it acknowledges every message, and tells all of its clients the time twice a second. */
import { Effect } from "effect"
import type { AddressInfo } from "node:net"
import { WebSocketServer } from "ws"
import { restartable } from "./Backend.ts"

export const make = restartable("realtime", (port) =>
  Effect.acquireRelease(listen(port), close).pipe(
    Effect.tap((server) => Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(500), tellTime(server))))),
    Effect.map((server) => (server.address() as AddressInfo).port)
  ))

const listen = (port: number) =>
  Effect.callback<WebSocketServer, Error>((resume) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/realtime" })
    server.once("error", (error) => resume(Effect.fail(error)))
    server.once("listening", () => resume(Effect.succeed(server)))
    server.on("connection", (socket) => {
      socket.on("error", () => {})
      socket.on("message", (data) => {
        const { id } = JSON.parse(String(data)) as { readonly id?: string }
        socket.send(JSON.stringify({ type: "ack", id }))
      })
    })
  })

const tellTime = (server: WebSocketServer) =>
  Effect.sync(() => {
    const message = JSON.stringify({ type: "time", at: new Date().toISOString() })
    for (const client of server.clients) client.send(message)
  })

/** At once, without a farewell. */
const close = (server: WebSocketServer) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    for (const client of server.clients) client.terminate()
  })
