/** A server for MEMO. */
import { Effect } from "effect"
import * as Net from "node:net"
import * as Readline from "node:readline"

/** Starts one at a free port until the scope closes. */
export const start = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly cut: () => void; readonly stop: () => void }>((resume) => {
    const memos = new Map<string, string>()
    const sockets = new Set<Net.Socket>()
    const server = Net.createServer((socket) => {
      let area = "main"
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
      Readline.createInterface(socket).on("error", () => {}).on("line", (line) => {
        const [verb, key = "", ...rest] = line.split(" ")
        const place = `${area}/${key}`
        if (verb === "USE") area = key
        if (verb === "PUT") memos.set(place, rest.join(" "))
        const answer = verb === "GET" ? memos.get(place) ?? "ERROR no such memo" : verb === "PING" ? "PONG" : "OK"
        socket.write(`${answer}\n`)
      })
    })
    const cut = () => sockets.forEach((socket) => socket.destroy())
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as Net.AddressInfo
      resume(Effect.succeed({ port, cut, stop: () => server.close() }))
    })
  }),
  ({ cut, stop }) => Effect.sync(() => (stop(), cut()))
)
