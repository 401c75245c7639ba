/**
 * The messages of a pool as the metric `websocket_pool_messages_total`, read when it is scraped.
 */
import * as PoolMetrics from "@effect-pools/core/PoolMetrics"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Traffic } from "../WebSocketInbound.ts"

interface Source {
  readonly pool: string
  readonly counts: Traffic
}

const series = { name: "websocket_pool_messages_total", description: "Messages, by what became of them" }

export const register = ({ counts, pool }: Source): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    ["sent", "received", "undecodable", "dropped", "unread"] as const,
    (what) => PoolMetrics.makeCounter({ ...series, attributes: { pool, what } }, () => counts[what]),
    { discard: true }
  )
