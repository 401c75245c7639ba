/**
 * One connection through the proxy: its two sockets and how they end.
 */
import type * as Net from "node:net"
import type { Ending } from "./faults.ts"

export interface Link {
  readonly client: Net.Socket
  readonly upstream: Net.Socket
}

export const finishOne = (socket: Net.Socket): void => void socket.end()

/**
 * Only an established connection can be reset, and one whose end is on its way no more: Node would leave it open for ever
 * and the process would never end.
 */
export const resetOne = (socket: Net.Socket): void =>
  void (socket.connecting || isEnding(socket) ? socket.destroy() : socket.resetAndDestroy())

const isEnding = ({ writableEnded, writableFinished }: Net.Socket): boolean => writableEnded && !writableFinished

const both = (f: (socket: Net.Socket) => void) => ({ client, upstream }: Link): void => {
  f(client)
  f(upstream)
}

const finish = both(finishOne)

const reset = both(resetOne)

export const end = (link: Link, ending: Ending): void => ending === "fin" ? finish(link) : reset(link)

export const destroy = both((socket) => void socket.destroy())
