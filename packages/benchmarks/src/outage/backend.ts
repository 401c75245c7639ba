/** A server in a process of its own that answers a byte with a byte, and that can be away for a while. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { endWithParent } from "../children.ts"

/** Sent when it listens, at first and again. */
export interface Listening {
  readonly port: number
  /** The moment, in milliseconds since the epoch: the clients are in other processes. */
  readonly at: number
}

const sockets = new Set<Socket>()

const listen = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
      socket.on("data", (bytes) => socket.write(bytes))
    })
    server.once("error", reject)
    server.listen({ port, host: "127.0.0.1", backlog: 1024 }, () => resolve(server))
  })

const tell = (server: Server): void => {
  const { port } = server.address() as AddressInfo // it listens at a port
  const listening: Listening = { port, at: Date.now() }
  process.send?.(listening)
}

endWithParent()
let server = await listen(0)
process.on("message", ({ away }: { readonly away: number }) => {
  const { port } = server.address() as AddressInfo // as above
  server.close()
  for (const socket of sockets) socket.resetAndDestroy()
  setTimeout(() =>
    void listen(port).then((again) => {
      server = again
      tell(again)
    }), away)
})
tell(server)
