/** The code that one writes around `ws`: the answers told from each other by an id, or one request at a time on each. */
import genericPool, { type Pool } from "generic-pool"
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

interface Opened {
  readonly close: () => Promise<unknown>
}

export const openSockets = async (
  url: string
): Promise<Opened & { readonly sockets: ReadonlyArray<WebSocket> }> => {
  const sockets = await Promise.all(Array.from({ length: poolSize }, () => open(url)))
  const closeAll = (): Promise<unknown> => Promise.all(sockets.map(close))
  return { sockets, close: closeAll }
}

type OnReply = (message: Message) => void

interface Requests {
  /** Gives the id of the request. */
  readonly send: (message: Message, onReply: OnReply) => string
  readonly forget: (id: string) => void
}

/** Requests on several sockets, whose answers carry their ids. */
export const correlate = (sockets: ReadonlyArray<WebSocket>): Requests => {
  const waiting = new Map<string, OnReply>()
  for (const socket of sockets) {
    socket.on("message", (data) => {
      const message: Message = JSON.parse(String(data))
      waiting.get(message.id ?? "")?.(message)
      waiting.delete(message.id ?? "")
    })
  }
  let sent = 0
  const send = (message: Message, onReply: OnReply): string => {
    const id = String(++sent)
    waiting.set(id, onReply)
    sockets[sent % sockets.length]?.send(JSON.stringify({ ...message, id }))
    return id
  }
  const forget = (id: string): void => void waiting.delete(id)
  return { send, forget }
}

export const wsShared: Contender<Message> = {
  name: "ws",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const { close, sockets } = await openSockets(url)
    const { send } = correlate(sockets)
    const request = (message: Message) => new Promise<Message>((resolve) => void send(message, resolve))
    return bareClient((i) => request(messageOf(i)), close)
  }
}

export const openPool = async (url: string): Promise<Opened & { readonly pool: Pool<WebSocket> }> => {
  const pool = genericPool.createPool<WebSocket>({ create: () => open(url), destroy: close }, {
    min: poolSize,
    max: poolSize
  })
  await pool.ready()
  const closeAll = (): Promise<unknown> => pool.drain().then(() => pool.clear())
  return { pool, close: closeAll }
}

/** Sends a message on a socket that nobody else uses: the next that comes is the answer. */
export const nextMessage = (socket: WebSocket, message: Message, onReply: OnReply): void => {
  socket.once("message", (data) => onReply(JSON.parse(String(data))))
  socket.send(JSON.stringify(message))
}

export const wsExclusive: Contender<Message> = {
  name: "ws in generic-pool",
  isOurs: false,
  connections: poolSize,
  async open(url) {
    const { close, pool } = await openPool(url)
    const request = (message: Message) =>
      pool.use((socket) => new Promise<Message>((resolve) => nextMessage(socket, message, resolve)))
    return bareClient((i) => request(messageOf(i)), close)
  }
}
