/**
 * A server that knows just enough HTTP/1.1: requests without a body, answers that are ready. That of Node takes longer
 * than some of the clients, and then it would be the server that is timed.
 */
import * as Effect from "effect/Effect"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import type { Started } from "../started.ts"
import { itemOf, items, pathOf } from "./data.ts"

const respond = (i: number): string => {
  const body = JSON.stringify(itemOf(i))
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

const answers = new Map(Array.from({ length: items }, (_, i) => [pathOf(i), respond(i)]))

const notFound = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"

const serve = (socket: Socket): void => {
  let received = ""
  socket.setNoDelay(true).setEncoding("latin1")
  socket.on("error", () => {})
  socket.on("data", (chunk: string) => {
    received += chunk
    for (let end = received.indexOf("\r\n\r\n"); end !== -1; end = received.indexOf("\r\n\r\n")) {
      socket.write(answers.get(received.split(" ", 2)[1] ?? "") ?? notFound)
      received = received.slice(end + 4)
    }
  })
}

const count = (server: Server): Effect.Effect<number> =>
  Effect.callback((resume) => {
    server.getConnections((_, count) => resume(Effect.succeed(count)))
  })

export const start: Started = Effect.callback<Server>((resume) => {
  const server = createServer(serve)
  server.once("listening", () => resume(Effect.succeed(server)))
  void server.listen(0, "127.0.0.1")
}).pipe(Effect.map((server) => {
  const { port } = server.address() as AddressInfo // it listens at a port
  return { url: `http://127.0.0.1:${port}`, connections: count(server) }
}))
