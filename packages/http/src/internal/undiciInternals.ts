/**
 * The one thing that undici keeps to itself and that there is no other way to.
 *
 * It takes a 304 with `Content-Length` for the sign of a server that may send a body after all, and closes the connection.
 * But such a length is that of the body that was not sent (RFC 9110, 8.6), and most servers say it. What comes unasked
 * closes the connection anyway. Looked for by its description, it may be absent: then a 304 costs a connection. To be
 * dropped when undici keeps a connection whose 304 has a length.
 */
import type { Socket } from "node:net"

/** To be called in the middle of the head of a 304: lets the connection serve on. */
export const keepAfter304 = (socket: Socket): void => {
  const symbols = Object.getOwnPropertySymbols(socket)
  const held = socket as unknown as Record<symbol, unknown>
  const [parser, reset] = ["parser", "reset"].map((name) => symbols.find(({ description }) => description === name))
  if (parser === undefined || reset === undefined) return
  const state = held[parser]
  if (typeof state !== "object" || state === null || !("shouldKeepAlive" in state)) return
  state.shouldKeepAlive = true
  held[reset] = false
}
