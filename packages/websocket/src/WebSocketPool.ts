/**
 * Managed pools of WebSocket connections, as service classes.
 *
 * ```ts
 * import { WebSocketPool } from "@effect-pools/websocket"
 * import { Config, Effect } from "effect"
 *
 * class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("CHAT_URL") })
 * }
 *
 * const reply = Chat.request("hello").pipe(Effect.provide(Chat.live))
 * ```
 *
 * @since 0.1.0
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as EffectSocket from "effect/socket/Socket"
import { Socket } from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { lentOf } from "./internal/connector.ts"
import * as Reader from "./internal/reader.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import * as PooledSocket from "./internal/socket.ts"
import { open } from "./internal/wsWire.ts"
import type { RawMessage, WebSocketOptions } from "./WebSocketConfig.ts"
import type { RequestOptions, WebSocketConnection } from "./WebSocketConnector.ts"
import type { WebSocketError } from "./WebSocketError.ts"
import type { Inbound, InboundMessage, Traffic } from "./WebSocketInbound.ts"
import type { Answer, Script } from "./WebSocketScript.ts"

/**
 * What became of a broadcast on one connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface BroadcastResult {
  readonly connection: number
  readonly result: Result.Result<void, WebSocketError>
}

/**
 * A service class for a WebSocket pool: the pool's members, and those below.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketPoolClass<in out Self, in out Id extends string, in out Message>
  extends ConnectionPool.PoolClass<Self, Id, WebSocketConnection<Message>>
{
  /**
   * The pool, and over it `Socket`, so that programs written for that run on it unchanged: each of its readers has a
   * connection to itself. A program with two pools takes `layerPoolOnly` for the second: of two layers that provide
   * `Socket` one would silently hide the other.
   */
  readonly layer: (options: WebSocketOptions<Message>) => Layer.Layer<Self | Socket, PoolError>
  /** `layer` with options read from the configuration. */
  readonly layerConfig: (
    options: Config.Wrap<WebSocketOptions<Message>>
  ) => Layer.Layer<Self | Socket, PoolError | Config.ConfigError>
  /** The pool alone. */
  readonly layerPoolOnly: (options: WebSocketOptions<Message>) => Layer.Layer<Self, PoolError>
  /** `layerPoolOnly` with options read from the configuration. */
  readonly layerPoolOnlyConfig: (
    options: Config.Wrap<WebSocketOptions<Message>>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /**
   * What `layer` provides, without a network: a script is the server. See `WebSocketScript`. The options are those of
   * `layer` that a test needs, such as `schema` and `correlation`.
   */
  readonly layerTest: (
    script: Script | Answer,
    options?: Partial<WebSocketOptions<Message>>
  ) => Layer.Layer<Self | Socket>
  /**
   * Sends a message on some connection, and succeeds when it is handed to the network. What could not be is the error:
   * `delivery` tells whether it may be sent again. One that could not leave because its connection was being closed is
   * sent on another, once; so is a `request`.
   */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError | PoolError, Self>
  /**
   * Sends a request on some connection and waits for its reply. With a `correlation` many are under way on each
   * connection; without one each has a connection to itself.
   */
  readonly request: (
    message: Message,
    options?: RequestOptions
  ) => Effect.Effect<Message, WebSocketError | PoolError, Self>
  /**
   * Sends a message on every connection that is open, those that are lent included, and tells what became of it on each.
   * It opens none and waits for none.
   */
  readonly broadcast: (message: Message) => Effect.Effect<ReadonlyArray<BroadcastResult>, never, Self>
  /**
   * The messages of all connections, except replies and those that a borrower has read on a connection of its own. It
   * goes on when connections are lost and replaced, and ends with the pool.
   *
   * The first stream to run also gets the last messages that came before it, at most `inboundCapacity`. While none runs
   * after that, messages that nobody claims are dropped and counted as `unread`.
   */
  readonly messages: Stream.Stream<InboundMessage<Message>, never, Self>
  /** `messages` with the gaps: what was `Opened`, `Closed`, `Dropped` and `Undecodable`, in its place among the messages. */
  readonly inbound: Stream.Stream<Inbound<Message>, never, Self>
  /** How many messages were sent, received and lost. */
  readonly traffic: Effect.Effect<Traffic, never, Self>
  /** The `Socket` that `layer` provides: frames as they are on the wire, whatever the `schema`. */
  readonly socket: Effect.Effect<EffectSocket.Socket, never, Self>
}

/**
 * Makes a service class: `class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}`, or with messages of a type
 * of one's own `WebSocketPool.Service<Chat, ChatMessage>()("app/Chat")`, which then need a `schema`.
 *
 * The id is the pool's name unless the options give one. Two classes with the same id are the same service.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self, Message = RawMessage>() => <const Id extends string>(id: Id): WebSocketPoolClass<Self, Id, Message> => {
    const tag = ConnectionPool.serviceClass<Self, WebSocketConnection<Message>>()(id)
    const make = (options: WebSocketOptions<Message>) => Runtime.make(id, options, open)
    const fromConfig = (options: Config.Wrap<WebSocketOptions<Message>>) => Effect.flatMap(Config.unwrap(options), make)
    const statics: Omit<WebSocketPoolClass<Self, Id, Message>, keyof typeof tag> = {
      layer: (options) => layerOf(tag, make(options)),
      layerConfig: (options) => layerOf(tag, fromConfig(options)),
      layerPoolOnly: (options) => layerPoolOnlyOf(tag, make(options)),
      layerPoolOnlyConfig: (options) => layerPoolOnlyOf(tag, fromConfig(options)),
      layerTest: (script, options = {}) => layerOf(tag, Scripted.make(id, script, options)),
      ...operations<Self, Message>(tag)
    }
    return Object.assign(tag, statics)
  }

/**
 * The `Socket` of a connection that one holds: frames as they are on the wire, whatever the `schema`. It ends with the
 * lease.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toSocket = <Message>(connection: WebSocketConnection<Message>): EffectSocket.Socket =>
  PooledSocket.make(Effect.sync(() => lentOf(connection)))

type Make<Message, E> = Effect.Effect<Runtime.Runtime<Message>, E, Scope.Scope>

const layerOf = <Self, Message, E>(
  tag: Context.Key<Self, Runtime.Pool<Message>>,
  make: Make<Message, E>
): Layer.Layer<Self | Socket, E> =>
  Layer.effectContext(
    Effect.map(
      make,
      (runtime) => Context.make(tag, runtime.pool).pipe(Context.add(Socket, PooledSocket.ofPool(runtime)))
    )
  )

const layerPoolOnlyOf = <Self, Message, E>(
  tag: Context.Key<Self, Runtime.Pool<Message>>,
  make: Make<Message, E>
): Layer.Layer<Self, E> => Layer.effect(tag, Effect.map(make, ({ pool }) => pool))

type Operations<Self, Message> = Pick<
  WebSocketPoolClass<Self, string, Message>,
  "send" | "request" | "broadcast" | "messages" | "inbound" | "traffic" | "socket"
>

const operations = <Self, Message>(
  tag: Context.Service<Self, Runtime.Pool<Message>>
): Operations<Self, Message> => {
  const runtime = tag.useSync(Runtime.of)
  const inbound = Stream.unwrap(Effect.map(runtime, ({ hub }) => Reader.inbound(hub)))
  return {
    send: (message) => tag.use((pool) => again(pool.withShared((connection) => connection.send(message)))),
    request: (message, options) =>
      tag.use((pool) => {
        const borrow = Runtime.of(pool).hub.settings.correlation === undefined ? pool.withConnection : pool.withShared
        return again(borrow((connection) => connection.request(message, options)))
      }),
    broadcast: (message) =>
      Effect.flatMap(
        runtime,
        ({ hub }) =>
          Effect.forEach(Array.from(hub.sessions), (session) =>
            Effect.map(Effect.result(session.send(message)), (result) => ({ connection: session.id, result })), {
            concurrency: "unbounded"
          })
      ),
    messages: Stream.filterMap(inbound, Reader.messageOf),
    inbound,
    traffic: Effect.map(runtime, ({ hub }) => hub.traffic),
    socket: Effect.map(runtime, PooledSocket.ofPool)
  }
}

/**
 * Between the server's close frame and the end of its socket nothing tells that a connection is of no more use. Who meets
 * one then gets another: its message has not left.
 */
const again = <A>(
  attempt: Effect.Effect<A, WebSocketError | PoolError>
): Effect.Effect<A, WebSocketError | PoolError> =>
  Effect.catch(
    attempt,
    (error) =>
      error._tag === "WebSocketError" && error.reason._tag === "Closed" && error.reason.delivery === "none"
        ? attempt
        : Effect.fail(error)
  )
