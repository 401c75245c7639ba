/** What one writes around `ws`: the answers told from each other by an id, or one request at a time on each. */
import genericPool from "generic-pool"
import { once } from "node:events"
import { WebSocket } from "ws"
import { bareClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"
import { type Message, messageOf } from "./data.ts"

const open = async (url: string): Promise<WebSocket> => {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  await once(socket, "open")
  return socket
}

const close = async (socket: WebSocket): Promise<void> => {
  const closed = once(socket, "close")
  socket.close()
  await closed
}

const correlated = async (url: string) => {
  const sockets = await Promise.all(Array.from({ length: poolSize }, () => open(url)))
  const waiting = new Map<string, (message: Message) => void>()
  for (const socket of sockets) {
    socket.on("message", (data) => {
      const message: Message = JSON.parse(String(data))
      waiting.get(message.id ?? "")?.(message)
      waiting.delete(message.id ?? "")
    })
  }
  let sent = 0
  const request = (message: Message) =>
    new Promise<Message>((resolve) => {
      const id = String(++sent)
      waiting.set(id, resolve)
      sockets[sent % poolSize]?.send(JSON.stringify({ ...message, id }))
    })
  return { request, close: () => Promise.all(sockets.map(close)) }
}

export const wsShared: Contender<Message> = {
  name: "ws",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const { close, request } = await correlated(url)
    return bareClient((i) => request(messageOf(i)), close)
  }
}

const pooled = async (url: string) => {
  const pool = genericPool.createPool<WebSocket>({ create: () => open(url), destroy: close }, {
    min: poolSize,
    max: poolSize
  })
  await pool.ready()
  const request = (message: Message) =>
    pool.use((socket) =>
      new Promise<Message>((resolve) => {
        socket.once("message", (data) => resolve(JSON.parse(String(data))))
        socket.send(JSON.stringify(message))
      })
    )
  return { request, close: () => pool.drain().then(() => pool.clear()) }
}

export const wsExclusive: Contender<Message> = {
  name: "ws in generic-pool",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const { close, request } = await pooled(url)
    return bareClient((i) => request(messageOf(i)), close)
  }
}
