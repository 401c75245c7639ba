/**
 * A pool together with what only a WebSocket pool has: the messages of all its connections.
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import { type Attachment, makeAttachment, onEnd } from "@effect-pools/core/PoolService"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { kind } from "../WebSocketConfig.ts"
import type { WebSocketOptions } from "./configModel.ts"
import type { WebSocketConnection } from "./connectionModel.ts"
import * as Connector from "./connector.ts"
import * as Hub from "./hub.ts"
import * as Options from "./options.ts"
import type { ConnectionSettings } from "./settings.ts"
import * as TrafficMetrics from "./trafficMetrics.ts"
import * as Verdict from "./verdict.ts"
import type { Open } from "./wire.ts"

export type Pool<Message> = ConnectionPool.ConnectionPool<WebSocketConnection<Message>>

export interface Runtime<Message> {
  readonly hub: Hub.Hub<Message>
  /** Done when the pool begins to drain. */
  readonly isDraining: Deferred.Deferred<void>
}

/** The rest of a pool that is made here, or of a copy of it. */
export const runtimes: Attachment<Runtime<any>> = makeAttachment<Runtime<any>>("@effect-pools/websocket/Runtime")

export const make = <Message>(
  id: string,
  options: WebSocketOptions<Message>,
  open: Open
): Effect.Effect<Pool<Message>, PoolError | InvalidOption, Scope.Scope> =>
  Effect.flatMap(
    Effect.fromResult(Options.check(options, id, PoolConfig.defaultsOf(kind))),
    ({ pool, settings }) => makeWith(pool, settings, open)
  )

const makeWith = Effect.fnUntraced(function*<Message>(
  options: PoolOptions,
  settings: ConnectionSettings<Message>,
  open: Open
): Effect.fn.Return<Pool<Message>, PoolError, Scope.Scope> {
  const hub = yield* Hub.make(options.name ?? "websocket", settings)
  const bare = yield* ConnectionPool.make(Connector.make(hub, open), { ...options, kind })
  if (options.metrics !== false) yield* TrafficMetrics.register(hub)
  const isDraining = Deferred.makeUnsafe<void>()
  const ended = Effect.sync(() => hub.end())
  // Added last, so that it runs before the pool closes its connections.
  yield* Effect.addFinalizer(() => ended)
  // The socket of a program would hold its connection until the drain runs out of time.
  const pool = yield* onEnd(bare, Deferred.succeed(isDraining, undefined))
  const drain = Effect.ensuring(pool.drain, ended)
  const health = Effect.map(bare.health, (health) => Verdict.tell(health, hub.stability.final))
  return runtimes.attach({ ...bare, drain, health }, { hub, isDraining })
})
