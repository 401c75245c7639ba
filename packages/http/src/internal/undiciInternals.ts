/**
 * What is not public in undici and has no other way to it, in one place.
 *
 * It is looked for by its description and may be absent: then HTTP/2 works with the limits of the options instead of
 * those of the server.
 */
import type { ClientHttp2Session } from "node:http2"
import type { Socket } from "node:net"

/** The HTTP/2 session that undici keeps on a socket. */
export const sessionOf = (socket: Socket): ClientHttp2Session | undefined => {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "http2Session")
  if (symbol === undefined) return undefined
  const session = (socket as unknown as Record<symbol, unknown>)[symbol]
  const isSession = typeof session === "object" && session !== null && "remoteSettings" in session
  return isSession ? session as ClientHttp2Session : undefined
}
