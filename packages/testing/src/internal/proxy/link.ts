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

/** Only an established connection can be reset. */
export const resetOne = (socket: Net.Socket): void =>
  void (socket.connecting ? socket.destroy() : socket.resetAndDestroy())

const both = (f: (socket: Net.Socket) => void) => ({ client, upstream }: Link): void => {
  f(client)
  f(upstream)
}

const finish = both(finishOne)

const reset = both(resetOne)

export const end = (link: Link, ending: Ending): void => ending === "fin" ? finish(link) : reset(link)

export const destroy = both((socket) => void socket.destroy())
