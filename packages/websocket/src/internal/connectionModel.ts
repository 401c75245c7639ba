/**
 * A connection of a WebSocket pool as its borrower sees it.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"

/**
 * Options of one request.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestOptions {
  /** Default: the option `requestTimeout` of the pool. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The view that a borrower gets: one open WebSocket. It ends with the lease: using it afterwards is a defect
 * (`PoolMisuse`).
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
