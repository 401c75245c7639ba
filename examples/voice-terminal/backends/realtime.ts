/**
 * The realtime server: it acknowledges every message, and tells all of its clients the time twice a second. It answers
 * their pings, takes their heartbeats, and cuts off whoever leaves three of its own pings without a pong.
 */
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
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port,
      path: "/realtime",
      handleProtocols: (protocols) => protocols.has(protocol) ? protocol : false
    })
    server.once("error", (error) => resume(Effect.fail(error)))
    server.once("listening", () => resume(Effect.succeed(server)))
    server.on("connection", (socket) => {
      socket.on("error", () => {})
      let unanswered = 0
      const pinging = setInterval(() => {
        if (++unanswered > 3) socket.close(1008, "no pong")
        else socket.send(JSON.stringify({ type: "ping", id: crypto.randomUUID() }))
      }, 1000)
      socket.on("close", () => clearInterval(pinging))
      socket.on("message", (data) => {
        const { id, type } = JSON.parse(String(data)) as { readonly type: string; readonly id?: string }
        if (type === "ping") socket.send(JSON.stringify({ type: "pong", id }))
        else if (type === "pong") unanswered = 0
        else if (type !== "heartbeat") socket.send(JSON.stringify({ type: "ack", id }))
      })
    })
  })

const protocol = "voice-terminal-protocol"

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
