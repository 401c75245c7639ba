/**
 * How the pool opens, checks and gives up a WebSocket, and what a borrower gets.
 *
 * It is the client of `ws`. Most programs use `WebSocketPool` and never meet the connector.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as ConnectorParts from "./internal/connector.ts"
import * as Hub from "./internal/hub.ts"
import * as Options from "./internal/options.ts"
import type { Session } from "./internal/session.ts"
import { open } from "./internal/wsWire.ts"
import { kind, type RawMessage, type WebSocketOptions } from "./WebSocketConfig.ts"
import type { WebSocketError } from "./WebSocketError.ts"

/**
 * What may be said about one request.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestOptions {
  /** Default: the option `requestTimeout` of the pool. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What a borrower is given: one open WebSocket. It ends with the lease: using it afterwards is a defect (`PoolMisuse`).
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketConnection<in out Message> {
  /** Counts up from 1 in each pool. It is the tag `socket` in `connections`, and `connection` in `inbound`. */
  readonly id: number
  /** The subprotocol that the server chose; empty if none. */
  readonly protocol: string
  /** Sends a message, and succeeds when it is handed to the network. */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  /**
   * Sends a message and waits for its reply: the message with its id or, without a `correlation`, the next message that
   * arrives. If such a request is abandoned, its reply may still come in its turn: it is an ordinary message then, and the
   * connection is replaced after the lease.
   */
  readonly request: (message: Message, options?: RequestOptions) => Effect.Effect<Message, WebSocketError>
  /**
   * The messages of this connection that arrive while it is lent, replies to requests excepted. It fails when the
   * connection ends. What the borrower leaves unread goes to the pool's `messages`.
   *
   * A connection lent by `withShared` has none: its messages go to the pool.
   */
  readonly messages: Stream.Stream<Message, WebSocketError>
  /** Begins to close the connection, which is replaced after the lease. Default code 1000. */
  readonly close: (code?: number, reason?: string) => Effect.Effect<void>
}

/**
 * An open WebSocket, as the pool holds it.
 *
 * @category models
 * @since 0.1.0
 */
export type WebSocketSession<Message = RawMessage> = Session<Message>

/**
 * Makes a connector, for a pool that one builds oneself with `ConnectionPool.make`. Each connection is lent to one
 * borrower at a time: `sharing` needs the routes that `WebSocketPool` keeps, and so do `messages` that nobody has
 * leased, which are dropped here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<Message = RawMessage>(
  options: WebSocketOptions<Message>
): Effect.fn.Return<Connector<WebSocketSession<Message>, WebSocketConnection<Message>>, InvalidOption> {
  const name = options.name ?? "websocket"
  const { settings } = yield* Effect.fromResult(
    Options.check(options, name, PoolConfig.defaultsOf(kind).closeTimeout)
  )
  return { ...ConnectorParts.make(yield* Hub.make(name, settings), open), sharers: 1 }
})
