/**
 * Opens a socket to a proxy, and through it to an origin with TLS.
 */
import * as SocketError from "@effect-pools/core/SocketError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Proxy } from "./proxy.ts"

/** The proxy did not lead to the origin. */
class ProxyRefused extends Error {
  override readonly name = "ProxyRefused"
  readonly isRetryable: boolean
  readonly refusal: "credentials" | undefined
  constructor(status: number) {
    super(`the proxy answered CONNECT with status ${status}`)
    // Only a change of the options can mend these: no or wrong credentials, or an origin that is not allowed.
    this.isRetryable = status !== 407 && status !== 403 && status !== 405
    this.refusal = status === 407 ? "credentials" : undefined
  }
}

/** The proxy spoke before it was asked, so that what it says can't be the origin's. */
class ProxySpoke extends Error {
  override readonly name = "ProxySpoke"
  override readonly message: string = "the proxy sent more than its answer to CONNECT"
}

/** A socket to the proxy itself. An interruption gives it up. */
export const toProxy = ({ host, isTls, port, tls }: Proxy): Effect.Effect<Net.Socket, Error> =>
  Effect.callback((resume) => {
    const socket = isTls
      ? Tls.connect({ servername: Net.isIP(host) === 0 ? host : "", ...tls, host, port, ALPNProtocols: ["http/1.1"] })
      : Net.connect({ host, port })
    // It stays: an error without a listener would end the process.
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.setNoDelay(true)
    socket.once(isTls ? "secureConnect" : "connect", () => resume(Effect.succeed(socket)))
    return Effect.sync(() => void socket.destroy())
  })

/** The same socket, which from here on is one to the origin. */
export const throughProxy = (
  socket: Net.Socket,
  authority: string,
  { authorization }: Proxy
): Effect.Effect<Net.Socket, Error> =>
  Effect.callback((resume) => {
    const headers = {
      host: authority,
      ...(authorization === undefined ? {} : { "proxy-authorization": Redacted.value(authorization) })
    }
    const request = Http.request({
      method: "CONNECT",
      path: authority,
      headers,
      setDefaultHeaders: false,
      createConnection: () => socket
    })
    request.on("error", (error) => resume(Effect.fail(error)))
    request.on("connect", (response, _, head) => {
      const status = response.statusCode ?? 0
      const failure = status < 200 || status > 299
        ? new ProxyRefused(status)
        : head.length > 0
        ? new ProxySpoke()
        : undefined
      if (failure === undefined) return resume(Effect.succeed(socket))
      socket.destroy()
      resume(Effect.fail(failure))
    })
    request.end()
    return Effect.sync(() => void socket.destroy())
  })

/** Why the proxy turned the dial away, where it says so. */
export const refusalOf = (error: unknown): "credentials" | undefined =>
  error instanceof ProxyRefused ? error.refusal : undefined

/** Whether another dial may succeed. */
export const isRetryable = (error: unknown): boolean =>
  error instanceof ProxyRefused ? error.isRetryable : !SocketError.isPermanent(SocketError.codeOf(error))
