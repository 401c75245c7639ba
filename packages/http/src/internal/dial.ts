/**
 * Opens one connection: address look-up, TCP, TLS, the choice of the protocol and, with HTTP/2, the server's settings.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it.
 */
import type { Signals } from "@effect-pools/core/Connector"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { buildConnector } from "undici"
import * as DialError from "@effect-pools/core/DialError"
import * as PoolContext from "@effect-pools/core/PoolContext"
import { Connection } from "./connection.ts"
import type { Exchange } from "./exchange.ts"
import { SocketGone } from "./faults.ts"
import * as Http1Wire from "./http1Wire.ts"
import * as Http2Wire from "./http2Wire.ts"
import type { KeepAlive } from "./keepAlive.ts"
import type { ConnectionSettings } from "./settings.ts"
import * as Tunnel from "./tunnel.ts"
import type { Watch } from "./watch.ts"
import type { End, OnGone, Wire } from "./wire.ts"

/** The parts that all connections of a pool share. */
interface Shared {
  readonly watch: Watch
  readonly keepAlive: KeepAlive
  /** Told when the server asked by `Retry-After` not to be asked for a while. */
  readonly onAsked: ((exchange: Exchange) => void) | undefined
}

export type Dial = (signals: Signals) => Effect.Effect<Connection, DialError.DialError, Scope.Scope>

export const make = (settings: ConnectionSettings, shared: Shared): Dial => {
  const { address, open } = opener(settings)
  return Effect.fnUntraced(function*(signals: Signals) {
    const before = shared.watch.now()
    const socket = yield* Effect.acquireRelease(open, closed, { interruptible: true })
    if (yield* PoolContext.Unref) socket.unref()
    const lost = Deferred.makeUnsafe<never, DialError.DialError>()
    let connection: Connection | undefined
    const onGone: OnGone = (error, end) => {
      if (connection !== undefined) return disconnected(connection, error, end)
      Deferred.doneUnsafe(lost, Effect.fail(DialError.fromCause(error, address)))
    }
    const makeWire = socket.alpnProtocol === "h2" ? Http2Wire.make : Http1Wire.make
    const wire = yield* Effect.raceFirst(makeWire(settings, socket, address, onGone), Deferred.await(lost))
    connection = yield* connectionOf(wire, settings, shared, signals)
    connection.roundTrip = Math.max(connection.roundTrip, shared.watch.now() - before)
    if (Deferred.isDoneUnsafe(lost)) return yield* Deferred.await(lost)
    if (!wire.isOpen()) return yield* DialError.fromCause(new SocketGone(), address)
    return connection
  })
}

/** A connection over an open wire, watched until the scope closes. */
export const connectionOf = (
  wire: Wire,
  settings: ConnectionSettings,
  { keepAlive, onAsked, watch }: Shared,
  signals: Signals
): Effect.Effect<Connection, never, Scope.Scope> => {
  const connection = new Connection(wire, {
    signals,
    asked: (exchange) => onAsked?.(exchange),
    watch,
    keepAlive,
    keepAliveMargin: settings.keepAliveMargin,
    maxResponseSize: settings.maxResponseSize
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

const opener = (settings: ConnectionSettings): Opener => {
  const { proxy } = settings
  const url = new URL(settings.origin)
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port
  const tls = settings.tls as buildConnector.BuildOptions
  const connect = buildConnector({ ...tls, allowH2: settings.allowH2, preferH2: true, timeout: 0 })
  const target = { hostname: url.hostname.replace(/^\[|\]$/g, ""), host: url.host, protocol: url.protocol, port }
  const authority = `${url.hostname}:${port}`
  const address = proxy === undefined ? authority : `${authority} by way of the proxy ${proxy.host}:${proxy.port}`
  // The cache of undici holds sessions weakly: without this the next garbage collection takes them.
  const kept: Array<Uint8Array> = []
  const direct = (httpSocket?: Socket) =>
    Effect.callback<AnySocket, DialError.DialError>((resume) => {
      const socket = connect(
        httpSocket === undefined ? target : { ...target, httpSocket } as typeof target,
        (error, socket) =>
          resume(error === null ? Effect.succeed(socket) : Effect.fail(DialError.fromCause(error, address)))
      ) as unknown as AnySocket
      socket.on("session", (session: Uint8Array) => void kept.splice(0, 1, session))
      return Effect.sync(() => void socket.destroy())
    })
  if (proxy === undefined) return { address, open: direct() }
  const refused = (error: Error): DialError.DialError => {
    const { code, message } = DialError.fromCause(error, address)
    return new DialError.DialError({
      address,
      code,
      message,
      isRetryable: Tunnel.isRetryable(error),
      refusal: Tunnel.refusalOf(error)
    })
  }
  const toProxy = Effect.mapError(Tunnel.toProxy(proxy), refused)
  if (url.protocol === "http:") return { address, open: toProxy }
  const tunnel = (socket: Socket) => Effect.mapError(Tunnel.throughProxy(socket, authority, proxy), refused)
  const open = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      restore(toProxy),
      (socket) =>
        Effect.onError(restore(Effect.flatMap(tunnel(socket), direct)), () => Effect.sync(() => void socket.destroy()))
    )
  )
  return { address, open }
}

const closed = (socket: Socket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (socket.closed) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
    socket.destroy()
  })

/** An idle connection that the server closes in order, or a session it says goodbye to, is nothing unusual in HTTP. */
const disconnected = (connection: Connection, error: Error, end: End): void => {
  if (end === "orderly" || (end === "closed" && connection.exchanges.size === 0)) connection.end()
  else connection.break(error)
}
