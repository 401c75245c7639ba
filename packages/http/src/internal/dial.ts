/**
 * Opens one connection: address look-up, TCP, TLS, the choice of the protocol and, with HTTP/2, the server's settings.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it. The undici client that sends
 * the requests is given this one socket: when it asks for another, the connection has ended.
 */
import type { Signals } from "@effect-pools/core/Connector"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientHttp2Session } from "node:http2"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { buildConnector, Client, type Dispatcher } from "undici"
import * as DialError from "../DialError.ts"
import { Connection, type Wire } from "./connection.ts"
import { type Exchange, SocketGone } from "./exchange.ts"
import type { KeepAlive } from "./keepAlive.ts"
import type { HttpSettings } from "./settings.ts"
import * as UndiciInternals from "./undiciInternals.ts"
import type { Watch } from "./watch.ts"

/** What all connections of a pool share. */
interface Shared {
  readonly watch: Watch
  readonly keepAlive: KeepAlive
  /** Told when the server asked by `Retry-After` not to be asked for a while. */
  readonly onAsked: ((exchange: Exchange) => void) | undefined
}

export type Dial = (signals: Signals) => Effect.Effect<Connection, DialError.DialError, Scope.Scope>

export const make = (settings: HttpSettings, shared: Shared): Dial => {
  const { address, open } = opener(settings)
  return Effect.fnUntraced(function*(signals: Signals) {
    const socket = yield* Effect.acquireRelease(open, closed, { interruptible: true })
    const client = clientOf(settings, socket)
    yield* Effect.addFinalizer(() => Effect.promise(() => client.destroy()))
    const lost = Deferred.makeUnsafe<never, DialError.DialError>()
    let connection: Connection | undefined
    client.on("disconnect", (_, __, error) => {
      if (connection === undefined) Deferred.doneUnsafe(lost, Effect.fail(DialError.fromCause(error, address)))
      else disconnected(connection, error)
    })
    const servername = new URL(settings.origin).hostname
    yield* attach(client, servername)
    const session = socket.alpnProtocol === "h2" ? UndiciInternals.sessionOf(socket) : undefined
    if (session !== undefined) yield* Effect.raceFirst(settingsOf(session), Deferred.await(lost))
    const wire = wireOf(settings, client, socket, session, { address, servername })
    connection = yield* connectionOf(wire, settings, shared, signals)
    if (Deferred.isDoneUnsafe(lost)) return yield* Deferred.await(lost)
    if (!wire.isOpen()) return yield* DialError.fromCause(new SocketGone(), address)
    return connection
  })
}

/** A connection over an open wire, watched until the scope closes. */
export const connectionOf = (
  wire: Wire,
  settings: HttpSettings,
  { keepAlive, onAsked, watch }: Shared,
  signals: Signals
): Effect.Effect<Connection, never, Scope.Scope> => {
  const connection = new Connection(wire, {
    signals,
    asked: (exchange) => onAsked?.(exchange),
    watch,
    keepAlive,
    keepAliveMargin: settings.keepAliveMargin
  })
  watch.add(connection)
  return Effect.as(
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        watch.delete(connection)
        keepAlive.delete(connection)
      })
    ),
    connection
  )
}

type AnySocket = Socket & Partial<Pick<TLSSocket, "alpnProtocol">>

interface Opener {
  readonly address: string
  readonly open: Effect.Effect<AnySocket, DialError.DialError>
}

const opener = (settings: HttpSettings): Opener => {
  const url = new URL(settings.origin)
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port
  const tls = settings.tls as buildConnector.BuildOptions
  const connect = buildConnector({ ...tls, allowH2: settings.allowH2, preferH2: true, timeout: 0 })
  const target = { hostname: url.hostname.replace(/^\[|\]$/g, ""), host: url.host, protocol: url.protocol, port }
  const address = `${url.hostname}:${port}`
  // The cache of undici holds sessions weakly: without this the next garbage collection takes them.
  const kept: Array<Uint8Array> = []
  const open = Effect.callback<AnySocket, DialError.DialError>((resume) => {
    const socket = connect(
      target,
      (error, socket) =>
        resume(error === null ? Effect.succeed(socket) : Effect.fail(DialError.fromCause(error, address)))
    ) as unknown as AnySocket
    socket.on("session", (session: Uint8Array) => void kept.splice(0, 1, session))
    return Effect.sync(() => void socket.destroy())
  })
  return { address, open }
}

const closed = (socket: Socket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (socket.closed) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
    socket.destroy()
  })

const clientOf = (settings: HttpSettings, socket: AnySocket): Client => {
  let isTaken = false
  const client: Client = new Client(settings.origin, {
    connect: (_, callback) => {
      if (isTaken) return void client.destroy(new SocketGone())
      isTaken = true
      // undici goes on with what waits only when it is called from outside.
      queueMicrotask(() => callback(null, socket))
    },
    // The pool says how long a connection is kept and a request may take.
    keepAliveTimeout: 0x7fffffff,
    keepAliveMaxTimeout: 0x7fffffff,
    keepAliveTimeoutThreshold: -1e9,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: settings.maxHeaderSize,
    maxResponseSize: settings.maxResponseSize,
    allowH2: settings.allowH2,
    h2Options: { maxConcurrentStreams: settings.maxConcurrentStreams }
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

const settingsOf = (session: ClientHttp2Session): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    session.once("remoteSettings", done)
    return Effect.sync(() => session.off("remoteSettings", done))
  })

const wireOf = (
  settings: HttpSettings,
  client: Client,
  socket: AnySocket,
  session: ClientHttp2Session | undefined,
  { address, servername }: { readonly address: string; readonly servername: string }
): Wire => {
  const isH2 = socket.alpnProtocol === "h2"
  const isTls = settings.origin.startsWith("https:")
  return {
    origin: settings.origin,
    protocol: isH2 ? "HTTP/2" : "HTTP/1.1",
    address,
    get maxStreams() {
      if (!isH2) return 1
      return Math.min(settings.maxConcurrentStreams, session?.remoteSettings?.maxConcurrentStreams ?? Infinity)
    },
    isOpen: () => !socket.destroyed && !client.destroyed,
    bytesRead: () => socket.bytesRead,
    dispatch: ({ outgoing }, exchange) => {
      // Told none, undici would take the header `host` for it, and close the connection when that changes.
      const own = isTls ? withServername(outgoing, servername) : outgoing
      // And after HEAD too, for the sake of servers that answer it with a body.
      client.dispatch(outgoing.method === "HEAD" ? { ...own, reset: false } : own, exchange)
    }
  }
}

/** An idle connection that the server closes in order, or a session it says goodbye to, is nothing unusual in HTTP. */
const disconnected = (connection: Connection, error: Error & { readonly code?: string }): void => {
  const isOrderly = error.code === "UND_ERR_INFO" ||
    (error.code === "UND_ERR_SOCKET" && connection.exchanges.size === 0)
  if (isOrderly) connection.end()
  else connection.break(error)
}
