/**
 * The options of a WebSocket pool.
 */
import type * as PoolConfig from "@effect-pools/core/PoolConfig"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type { ConnectionOptions } from "node:tls"
import type { WebSocketConnection } from "./connectionModel.ts"

/**
 * A message as it is on the wire: text, or bytes.
 *
 * @category models
 * @since 0.1.0
 */
export type RawMessage = string | Uint8Array

/**
 * The headers of the request that opens a connection. Secrets are `Redacted`.
 *
 * @category models
 * @since 0.1.0
 */
export type Headers = Readonly<Record<string, string | Redacted.Redacted>>

/**
 * How a reply is found to belong to a request, so that many can be under way on one connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Correlation<Message> {
  /** Puts the pool's id into a request. */
  readonly withId: (message: Message, id: string) => Message
  /** Reads the id, as it was given to `withId`, out of a message that arrived; `undefined` if it is no reply. */
  readonly idOf: (message: Message) => string | undefined
  /**
   * Reads the id out of a frame that the `schema` can't decode, so that its request fails at once with `DecodeFailed`.
   * By default `idOf` is asked about the JSON of the text. Give it where the id of the encoded message stands elsewhere
   * than that of the message, or frames are no JSON: otherwise the request waits until `requestTimeout`.
   */
  readonly idOfFrame?: ((frame: RawMessage) => string | undefined) | undefined
}

/**
 * A ping and pong of the application's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeepAlive<Message> {
  /** The ping: a message of the pool's type. */
  readonly message: Message
  /** Whether a message that arrived is the pong. */
  readonly isReply: (message: Message) => boolean
}

/**
 * The meaning of a message of `ControlMessages`: a ping of the server's with the reply it wants, the pong to one of the
 * pool's pings, or a heartbeat, which nobody answers.
 *
 * @category models
 * @since 0.1.0
 */
export type Control =
  | { readonly _tag: "Ping"; readonly reply: RawMessage }
  | { readonly _tag: "Pong"; readonly id: string }
  | { readonly _tag: "Heartbeat" }

/**
 * The messages, as they are on the wire, by which a protocol above WebSocket keeps its connections alive:
 * see `WebSocketProtocol.json`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ControlMessages {
  /** A ping that the server answers with the same id. Each has an id of its own. */
  readonly ping: (id: string) => RawMessage
  /** Sent with each ping of the heartbeat, for a server that counts them; the time is in milliseconds since 1970. */
  readonly heartbeat?: ((timestamp: number) => RawMessage) | undefined
  /** Tells what a message is; `undefined` for a message of the application. */
  readonly read: (frame: RawMessage) => Control | undefined
}

/**
 * The consequence of a close code: see `WebSocketOptions.closeCodes`.
 *
 * @category models
 * @since 0.1.0
 */
export type CloseVerdict = "reconnect" | "never"

/**
 * The policy of a sender when too much waits to be sent: see `WebSocketOptions.sendPolicy`.
 *
 * @category models
 * @since 0.1.0
 */
export type SendPolicy = "wait" | "fail"

/**
 * The policy when too many messages wait to be read: see `WebSocketOptions.inboundPolicy`.
 *
 * @category models
 * @since 0.1.0
 */
export type InboundPolicy = "suspend" | "dropOldest" | "close"

/**
 * The options of a WebSocket connection that do not depend on whether there is a schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionOptionsOf<Message> {
  /**
   * `ws://` or `wss://`, or an effect that yields the one of the moment and is run for each dial. A URL with a token in
   * it belongs into a `Redacted`; no query is ever shown.
   */
  readonly url: string | Redacted.Redacted | Effect.Effect<string | Redacted.Redacted, unknown>
  /**
   * Subprotocols that are offered, the favourite first. A server that accepts none of them is refused. Default none.
   */
  readonly protocols?: ReadonlyArray<string> | undefined
  /**
   * Headers of the request that opens a connection, or an effect that yields those of the moment and is run for each
   * dial, so that credentials that rotate need no restart.
   */
  readonly headers?: Headers | Effect.Effect<Headers, unknown> | undefined
  /**
   * Options of `node:tls`, such as whom to trust. The certificate of a `wss://` server is always verified by default.
   */
  readonly tls?: ConnectionOptions | undefined
  /**
   * From one ping to the next. Default 30 s. Too short: traffic for nothing. Too long: a dead peer is noticed late, and
   * proxies drop connections that are silent, many after 60 s.
   */
  readonly pingInterval?: Duration.Input | undefined
  /**
   * A connection on which nothing comes for so long after a ping is retired. Default 5 s, at most `pingInterval`. Too
   * short: slow lines look dead. Too long: callers wait on a dead connection.
   */
  readonly pongTimeout?: Duration.Input | undefined
  /**
   * A ping and pong of the application's own, for a server that ends connections without one. It takes the place of the
   * protocol's ping everywhere; its replies are nobody's messages. By default the protocol's ping is used.
   */
  readonly keepAlive?: KeepAlive<Message> | undefined
  /**
   * Pings with ids, heartbeats, and answers to the pings of the server, below the `schema`: what
   * `WebSocketProtocol.json` makes. Its pings take the place of the protocol's, and its messages are nobody's. Not
   * together with `keepAlive`.
   */
  readonly control?: ControlMessages | undefined
  /**
   * The largest message accepted, in bytes. A larger one ends its connection with code 1009. Default 1 MiB, at most 512
   * MiB. Too large: one message takes the memory of the process.
   */
  readonly maxPayload?: number | undefined
  /**
   * The most fragments that one message may come in, at least 1. A message of more ends its connection with code 1008.
   * Default 16 384. Too small: a server that sends small pieces is cut off. Too large: each piece takes some 150 bytes
   * of memory beside its own, so that a million of them take 150 MB, whatever `maxPayload` says.
   */
  readonly maxFragments?: number | undefined
  /**
   * Whether compression is offered to the server. Default `false`: it costs time and memory for each connection, and
   * mixes secrets with what an attacker may choose.
   */
  readonly perMessageDeflate?: boolean | undefined
  /**
   * How many bytes may wait to be sent on a connection before senders wait or fail. A larger message goes when nothing
   * else waits. Default 1 MiB. Too small: senders wait for each other. Too large: a slow server fills the memory.
   */
  readonly sendBufferLimit?: number | undefined
  /**
   * `"wait"`: at `sendBufferLimit` a sender waits for room. `"fail"`: it fails at once with `BufferFull`. Default
   * `"wait"`.
   */
  readonly sendPolicy?: SendPolicy | undefined
  /**
   * How long a message may take to be handed to the network, the wait for room included. Default 10 s. Too short: a
   * slow line fails. Too long: senders hang on a server that does not read.
   */
  readonly sendTimeout?: Duration.Input | undefined
  /**
   * How long a request waits for its reply. Default 30 s. Too short: slow replies are lost. Too long: callers hang on a
   * server that never answers.
   */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * How many messages wait for each reader. Default 256. Too small: a burst stops the connection or loses messages. Too
   * large: a reader that falls behind takes the memory, up to `maxPayload` a message.
   */
  readonly inboundCapacity?: number | undefined
  /**
   * The policy when `inboundCapacity` messages wait. `"suspend"`: the connection is not read until a reader has caught
   * up, so that the server is slowed down; there are no pings meanwhile. `"dropOldest"`: the oldest make room, and
   * readers of `inbound` are told. `"close"`: the connection is closed with code 1008. One that is being closed can't
   * be slowed down: of what still comes then, a reader gets `inboundCapacity` more at most. Default `"suspend"`.
   */
  readonly inboundPolicy?: InboundPolicy | undefined
  /**
   * How replies are told from each other. Without it a request has a connection to itself, and the next message is its
   * reply.
   */
  readonly correlation?: Correlation<Message> | undefined
  /**
   * How many callers may use one connection at once with `send` and `withShared`, and with `request` if there is a
   * `correlation`, when no connection is idle; while they take less than 2 ms on average, those that come together fill
   * a connection to the half before another is taken. Default 128, at most 10 000. Too small: more connections are
   * opened. Too large: one that is lost fails as many callers.
   */
  readonly sharing?: number | undefined
  /**
   * The consequence when the server closes a connection. `"reconnect"`: another is opened, see `reconnectDelay`.
   * `"never"`: the pool opens no connection any more, and tells its callers why. When `url` or `headers` are effects,
   * which may give other credentials the next time, the default is always `"reconnect"`. By default `"never"` for 1008
   * and 1010 and, of the private codes, 4001, 4003, 4401 and 4403: the server says that it does not want this client.
   */
  readonly closeCodes?: ((code: number, reason: string) => CloseVerdict) | undefined
  /**
   * A connection that the server ends sooner counts as a dial that failed, so that the pool backs off, and more with
   * each in a row. Default 5 s; 0 never does. Too short: a server that ends every connection is stormed. Too long: an
   * honest restart is taken for a failure.
   */
  readonly stableAfter?: Duration.Input | undefined
  /**
   * Over how long the dials after a loss are spread: each waits for a random part of it, so that the clients of a
   * server that restarts do not all come back at once (RFC 6455, 7.2.3). It concerns ends with 1001, 1006, 1011, 1012
   * and 1013; one with 1013 (try again later) waits for at least half of it. Default 2 s; 0 reconnects at once. Too
   * short: a server that comes up is stormed by its clients. Too long: callers wait for a connection that could be had.
   */
  readonly reconnectDelay?: Duration.Input | undefined
  /**
   * How long at most no dial is made because a server asks for it by `Retry-After` when it refuses to switch protocols.
   * Default 1 min; 0: it is not heeded. Too short: a server that is overloaded is asked too early. Too long: one that
   * asks for hours keeps its clients away for as long.
   */
  readonly maxRetryAfter?: Duration.Input | undefined
  /**
   * Run with each new connection before anybody else has it: hello messages, log-ins, subscriptions. If it fails, so
   * does the dial. It is part of `connectTimeout`.
   */
  readonly onOpen?: ((connection: WebSocketConnection<Message>) => Effect.Effect<unknown, unknown>) | undefined
}

/**
 * A codec of a class's messages to text or bytes, such as `Schema.fromJsonString(ChatMessage)`. It must not wait.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageSchema<Message> =
  | Schema.Codec<Message, string>
  | Schema.Codec<Message, Uint8Array>
  | Schema.Codec<Message, RawMessage>

/**
 * The `schema`: needed unless messages are text and bytes as they are on the wire.
 *
 * Messages are encoded when a caller sends them, and decoded when they arrive. A message that does not decode is
 * logged, counted and told to readers of `inbound`, and otherwise dropped.
 *
 * @category models
 * @since 0.1.0
 */
export type SchemaOption<Message> = [RawMessage] extends [Message] ? {
    /**
     * A codec between messages and what is on the wire, such as `Schema.fromJsonString(...)`. Default: texts and bytes.
     */
    readonly schema?: MessageSchema<Message> | undefined
  }
  : { readonly schema: MessageSchema<Message> }

/**
 * The options of a WebSocket pool. Durations are `Duration.Input`.
 *
 * An option that is unknown, that contradicts another or that would have no effect is refused with `InvalidOption`. The
 * time limit of opening a connection, the handshakes and `onOpen` included, is `connectTimeout`.
 *
 * @category models
 * @since 0.1.0
 */
export type WebSocketOptions<Message = RawMessage> =
  & PoolConfig.PoolOptions
  & ConnectionOptionsOf<Message>
  & SchemaOption<Message>
