/**
 * The connector, from the parts that do its work.
 */
import type { Connector } from "@effect-pools/core/Connector"
import { at } from "@effect-pools/core/Describe"
import * as DialError from "@effect-pools/core/DialError"
import * as ServerText from "@effect-pools/core/ServerText"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Scope from "effect/Scope"
import type { HttpConnection } from "./connectionModel.ts"
import * as Client from "./client.ts"
import type { Connection } from "./connection.ts"
import * as Dial from "./dial.ts"
import { Exchange } from "./exchange.ts"
import { GivenUp } from "./faults.ts"
import { BadStatus, send } from "./job.ts"
import { KeepAlive } from "./keepAlive.ts"
import * as Lent from "./lent.ts"
import { Prepare } from "./prepare.ts"
import type { HealthRequest } from "./optionTable.ts"
import type { ConnectionSettings } from "./settings.ts"
import type { Watch } from "./watch.ts"

type HttpConnectorOf = Connector<Connection, HttpConnection>

/** The server, or its rule for idle connections, ended a connection in order. */
class ConnectionEnded extends Error {
  override readonly name = "ConnectionEnded"
  override readonly message: string = "the server ended the connection"
}

/** `dialer` makes the dial: over the network, or of a script. */
export const make = Effect.fnUntraced(function*(
  name: string,
  settings: ConnectionSettings,
  watch: Watch,
  onAsked: ((exchange: Exchange) => void) | undefined,
  dialer: typeof Dial.make = Dial.make
): Effect.fn.Return<HttpConnectorOf, never, Scope.Scope> {
  const open = new Set<Connection>()
  const canShare = settings.allowH2 && settings.origin.startsWith("https:")
  const prepare = new Prepare(settings, [settings.origin])
  const dial = dialer(settings, { watch, keepAlive: yield* KeepAlive.make, onAsked })
  return {
    warnings: settings.warnings,
    connect: (signals) =>
      Effect.tap(dial(signals), (connection) => {
        open.add(connection)
        const forget = Effect.addFinalizer(() => Effect.sync(() => open.delete(connection)))
        return settings.healthRequest === undefined
          ? forget
          : Effect.andThen(forget, proveDial(prepare, connection, settings.healthRequest))
      }),
    lend: Lent.make(Client.overLease(prepare, name)),
    revoke: (lent) => Lent.leaseOf(lent).end(),
    // Asked for at each lease: what the server speaks is known only once it has spoken.
    get sharers() {
      return canShare ? streams(settings, open) : 1
    },
    // One session carries many requests best, since their frames leave together. But before a server has shown that it
    // speaks HTTP/2, nobody waits for one connection where each may need its own.
    get joins() {
      return canShare && isMultiplexed(open) ? "busiest" : "idle"
    },
    validate: (connection) =>
      !connection.wire.isOpen()
        ? Effect.fail(new ConnectionEnded())
        : settings.healthRequest === undefined
        ? Effect.void
        : probe(prepare, connection, settings.healthRequest),
    isBroken: (connection) => connection.isBroken || (!connection.isEnded && !connection.wire.isOpen()),
    reset: (connection) => connection.exchanges.size === 0 ? undefined : quiet(connection),
    inspect
  }
})

/** How many requests each connection may carry: of connections that differ, what all can do. */
const streams = (settings: ConnectionSettings, open: ReadonlySet<Connection>): number => {
  if (open.size === 0) return settings.maxConcurrentStreams
  let least = Infinity
  for (const { wire } of open) least = Math.min(least, wire.maxStreams)
  return Math.max(1, least)
}

const isMultiplexed = (open: ReadonlySet<Connection>): boolean => {
  for (const connection of open) return connection.isMultiplexed
  return false
}

/** A server that accepts connections and is not well has not been reached. The query may hold secrets, and is not told. */
const proveDial = (
  prepare: Prepare,
  connection: Connection,
  request: HealthRequest
): Effect.Effect<void, DialError.DialError> =>
  Effect.mapError(probe(prepare, connection, request), (error) => {
    const { address } = connection.wire
    const { code, isRetryable } = DialError.fromCause(error, address)
    const [path = ""] = request.path.split("?")
    const said = `${request.method} ${path}: ${ServerText.messageOf(error, "it failed")}`
    return new DialError.DialError({ address, code, isRetryable, message: at(address, said) })
  })

/** A round trip that must be answered well. The body of the answer is read away. */
const probe = (
  prepare: Prepare,
  connection: Connection,
  { method, path }: HealthRequest
): Effect.Effect<void, unknown> =>
  Effect.withFiber((fiber) =>
    prepare.job(
      HttpClientRequest.make(method)(path),
      { origin: connection.wire.origin, path },
      undefined,
      fiber,
      (job) =>
        Effect.callback<void, unknown>((resume) => {
          const exchange = new Exchange()
          exchange.isCollecting = true
          exchange.isOwn = true
          send(connection, job, exchange, () => {
            if (exchange.error !== undefined) resume(Effect.fail(exchange.error))
            else resume(exchange.status < 500 ? Effect.void : Effect.fail(new BadStatus(exchange.status)))
          })
          return Effect.sync(() => {
            // The pool is told by the validation that failed: to the connection this is no end in order.
            exchange.onEnd = undefined
            connection.exchanges.delete(exchange)
            exchange.abort(new GivenUp("the health request was given up"), true)
          })
        })
    )
  )

/** Waits until what the borrower left is read away. */
const quiet = (connection: Connection): Effect.Effect<void> =>
  Effect.callback((resume) => {
    connection.onQuiet = () => resume(Effect.void)
  })

const inspect: HttpConnectorOf["inspect"] = ({ inspection }) => inspection
