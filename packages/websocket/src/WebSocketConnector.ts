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
import * as Effect from "effect/Effect"
import * as ConnectorParts from "./internal/connector.ts"
import * as Hub from "./internal/hub.ts"
import * as Options from "./internal/options.ts"
import type { Session } from "./internal/session.ts"
import { open } from "./internal/wsWire.ts"
import { kind, type RawMessage, type WebSocketOptions } from "./WebSocketConfig.ts"
import type { WebSocketConnection } from "./internal/connectionModel.ts"

export type { RequestOptions, WebSocketConnection } from "./internal/connectionModel.ts"

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
    Options.check(options, name, PoolConfig.defaultsOf(kind))
  )
  return { ...ConnectorParts.make(yield* Hub.make(name, settings), open), sharers: 1 }
})
