/**
 * An HTTP/1.1 connection: an undici client over the one socket it is given. When it asks for another, the connection has
 * ended.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Socket } from "node:net"
import { Client, type Dispatcher } from "undici"
import type { Exchange } from "./exchange.ts"
import { BadRequest, SocketGone } from "./faults.ts"
import type { Job } from "./job.ts"
import type { Outgoing } from "./outgoing.ts"
import type { Proxy } from "./proxy.ts"
import type { ConnectionSettings } from "./settings.ts"
import * as UndiciInternals from "./undiciInternals.ts"
import type { End, MakeWire, Wire } from "./wire.ts"

export const make: MakeWire = (settings, socket, address, onGone) =>
  Effect.gen(function*() {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => clientOf(settings, socket)),
      (client) => Effect.promise(() => client.destroy())
    )
    const wire = new Http1Wire(settings, client, socket, address)
    client.on("disconnect", (_, __, error) => onGone(error, endOf(error)))
    yield* attach(client, wire.servername)
    return wire
  })

const clientOf = (settings: ConnectionSettings, socket: Socket): Client => {
  let isTaken = false
  const client: Client = new Client(settings.origin, {
    connect: (_, callback) => {
      if (isTaken) return void client.destroy(new SocketGone())
      isTaken = true
      // undici goes on with what waits only when it is called from outside.
      queueMicrotask(() => callback(null, socket))
    },
    // The pool says how long a connection is kept and a request may take, and how large a body may be.
    keepAliveTimeout: 0x7fffffff,
    keepAliveMaxTimeout: 0x7fffffff,
    keepAliveTimeoutThreshold: -1e9,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: settings.maxHeaderSize,
    allowH2: false
  })
  return client
}

/**
 * Makes undici take the socket now: without a request it would not notice that the socket ends. The request is given up
 * before a byte of it is written.
 */
const attach = (client: Client, servername: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const nothing = (): void => {}
    client.dispatch(withServername({ method: "GET", path: "/" }, servername), {
      onRequestStart: () => {
        throw new SocketGone()
      },
      onResponseStart: nothing,
      onResponseData: nothing,
      onResponseEnd: nothing,
      onResponseError: () => resume(Effect.void)
    })
  })

// The types of undici have no place for it.
const withServername = (outgoing: Dispatcher.DispatchOptions, servername: string): Dispatcher.DispatchOptions =>
  ({ ...outgoing, servername }) as Dispatcher.DispatchOptions

class Http1Wire implements Wire {
  readonly protocol = "HTTP/1.1"
  readonly origin: string
  readonly address: string
  readonly servername: string
  readonly maxStreams = 1
  private readonly client: Client
  private readonly socket: Socket
  private readonly isTls: boolean
  /** How a request is written to a proxy that reads it. */
  private readonly proxied: ((path: string, headers: Outgoing["headers"]) => Partial<Outgoing>) | undefined
  private readonly keep = (headers: Exchange["headers"]): void => {
    const { connection, "transfer-encoding": coding } = headers
    if (coding === undefined && !/close/i.test(String(connection ?? ""))) UndiciInternals.keepAfter304(this.socket)
  }

  constructor(settings: ConnectionSettings, client: Client, socket: Socket, address: string) {
    this.origin = settings.origin
    this.address = address
    this.client = client
    this.socket = socket
    this.servername = new URL(settings.origin).hostname
    this.isTls = settings.origin.startsWith("https:")
    this.proxied = this.isTls || settings.proxy === undefined ? undefined : proxiedBy(settings.proxy, settings.origin)
  }

  isOpen(): boolean {
    return !this.socket.destroyed && !this.client.destroyed
  }

  bytesRead(): number {
    return this.socket.bytesRead
  }

  dispatch({ outgoing }: Job, exchange: Exchange): void {
    // undici knows it over HTTP/2 alone, and closes a connection that says 100 over HTTP/1.
    if (outgoing.headers["expect"] !== undefined) {
      return exchange.onResponseError(undefined, new BadRequest("the header expect is spoken over HTTP/2 only"))
    }
    const { body, headers, length, method, path } = outgoing
    const sized = length === undefined || body instanceof Uint8Array
      ? headers
      : { "content-length": String(length), ...headers }
    const options = {
      method,
      path,
      body,
      headers: sized,
      // Told none, undici would take the header `host` for it, and close the connection when that changes.
      servername: this.isTls ? this.servername : undefined,
      // And after HEAD too, for the sake of servers that answer it with a body.
      reset: method === "HEAD" ? false : undefined
    }
    if (this.proxied !== undefined) Object.assign(options, this.proxied(path, sized))
    exchange.onNotModified = this.keep
    this.client.dispatch(options as Dispatcher.DispatchOptions, exchange)
  }
}

const proxiedBy =
  ({ authorization }: Proxy, origin: string) =>
  (path: string, headers: Outgoing["headers"]): Pick<Outgoing, "path" | "headers"> => ({
    path: origin + path,
    headers: authorization === undefined
      ? headers
      : { ...headers, "proxy-authorization": Redacted.value(authorization) }
  })

const endOf = ({ code }: Error & { readonly code?: string }): End =>
  code === "UND_ERR_INFO" ? "orderly" : code === "UND_ERR_SOCKET" ? "closed" : "failed"
