/**
 * Managed pools of WebSocket connections, as service classes.
 *
 * ```ts
 * import { WebSocketPool } from "@effect-pools/websocket"
 * import { Config, Effect } from "effect"
 *
 * class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {
 *   static readonly live = this.layerConfig({ url: Config.Redacted("CHAT_URL"), maxConnections: 2 })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const chat = yield* Chat
 *   yield* chat.send("hello")
 *   return yield* chat.request("how are you?")
 * }).pipe(Effect.provide(Chat.live))
 * ```
 *
 * @since 0.1.0
 */
import type { PoolServiceClass } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as EffectSocket from "effect/socket/Socket"
import { Socket } from "effect/socket/Socket"
import { lentOf } from "./internal/connector.ts"
import { operations } from "./internal/members.ts"
import type { WebSocketMembers, WebSocketPool } from "./internal/model.ts"
import * as Runtime from "./internal/runtime.ts"
import * as Scripted from "./internal/scripted.ts"
import * as PooledSocket from "./internal/socket.ts"
import { open } from "./internal/wsWire.ts"
import type { RawMessage, WebSocketOptions } from "./WebSocketConfig.ts"
import type { WebSocketConnection } from "./WebSocketConnector.ts"
import type { Answer, Script } from "./WebSocketScript.ts"

export type { BroadcastResult, WebSocketMembers, WebSocketPool } from "./internal/model.ts"

/**
 * A service class for a WebSocket pool: the members of every pool, those of WebSockets, and the layers.
 *
 * The pool is yielded from the class, and has the same members: `const chat = yield* Chat`. With it comes `Socket`, so
 * that programs written for that run on it unchanged: each of its readers has a connection to itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketPoolClass<in out Self, in out Id extends string, in out Message>
  extends
    PoolServiceClass<Self, Id, WebSocketConnection<Message>, WebSocketPool<Message>>,
    WebSocketMembers<Message, Self>,
    PoolService.Layers<Self, WebSocketConnection<Message>, WebSocketOptions<Message>, Script | Answer, Socket>
{}

const backend = <Message>(): PoolService.Backend<
  WebSocketPool<Message>,
  WebSocketConnection<Message>,
  WebSocketOptions<Message>,
  Script | Answer,
  Socket
> => ({
  operations,
  make: (id, options) => Runtime.make(id, options, open),
  makeTest: Scripted.make,
  provide: (pool) => Context.make(Socket, PooledSocket.ofPool(pool))
})

/**
 * Makes a pool that lives until the scope closes. Most programs make a service class instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Message = RawMessage>(
  options: WebSocketOptions<Message>
): Effect.Effect<WebSocketPool<Message>, PoolError, Scope.Scope> =>
  PoolService.makePool(backend<Message>(), "websocket", options)

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
  <Self, Message = RawMessage>() => <const Id extends string>(id: Id): WebSocketPoolClass<Self, Id, Message> =>
    PoolService.make<WebSocketPoolClass<Self, Id, Message>>(id, backend<Message>())

/**
 * The `Socket` of a connection that one holds: frames as they are on the wire, whatever the `schema`. It ends with the
 * lease.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toSocket = <Message>(connection: WebSocketConnection<Message>): EffectSocket.Socket =>
  PooledSocket.make(Effect.sync(() => lentOf(connection)))
