/**
 * The members of a WebSocket pool: types alone.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Socket from "effect/socket/Socket"
import type * as Stream from "effect/Stream"
import type { RequestOptions, WebSocketConnection } from "./connectionModel.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Inbound, InboundMessage, Traffic } from "../WebSocketInbound.ts"

/**
 * The outcome of a broadcast on one connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface BroadcastResult {
  readonly connection: number
  readonly result: Result.Result<void, WebSocketError>
}

/**
 * The members of a WebSocket pool beyond lending. `Env` is what a member asks for: nothing on a pool, the class on a
 * class.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketMembers<in out Message, out Env = never> {
  /**
   * Sends a message on some connection, and succeeds when it is handed to the network. What could not be is the error:
   * `delivery` tells whether it may be sent again. One that could not leave because its connection was being closed is
   * sent on another, once; so is a `request`.
   */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError | PoolError, Env>
  /**
   * Sends a request on some connection and waits for its reply. With a `correlation` many are under way on each
   * connection; without one each has a connection to itself.
   */
  readonly request: (
    message: Message,
    options?: RequestOptions
  ) => Effect.Effect<Message, WebSocketError | PoolError, Env>
  /**
   * Sends a message on every connection that is open, those that are lent included, and tells what became of it on each.
   * It opens none and waits for none.
   */
  readonly broadcast: (message: Message) => Effect.Effect<ReadonlyArray<BroadcastResult>, never, Env>
  /**
   * The messages of all connections, except replies and those that a borrower has read on a connection of its own. It
   * goes on when connections are lost and replaced, and ends with the pool.
   *
   * The first stream to run also gets the last messages that came before it, at most `inboundCapacity`. While none runs
   * after that, messages that nobody claims are dropped and counted as `unread`.
   */
  readonly messages: Stream.Stream<InboundMessage<Message>, never, Env>
  /** `messages` with the gaps: what was `Opened`, `Closed`, `Dropped` and `Undecodable`, in its place among the messages. */
  readonly inbound: Stream.Stream<Inbound<Message>, never, Env>
  /** How many messages were sent, received and lost. */
  readonly traffic: Effect.Effect<Traffic, never, Env>
  /** The `Socket` that `layer` provides: frames as they are on the wire, whatever the `schema`. */
  readonly socket: Effect.Effect<Socket.Socket, never, Env>
}

/**
 * A pool of WebSockets: the members of every pool, and those of `WebSocketMembers`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketPool<in out Message>
  extends ConnectionPool<WebSocketConnection<Message>>, WebSocketMembers<Message>
{}
