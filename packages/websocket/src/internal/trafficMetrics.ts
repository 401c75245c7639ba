/**
 * The messages of a pool as the metric `websocket_pool_messages_total`, read when it is scraped.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { Traffic } from "../WebSocketInbound.ts"

interface Source {
  readonly pool: string
  readonly counts: Traffic
}

export const register = ({ counts, pool }: Source): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(["sent", "received", "undecodable", "dropped", "unread"] as const, (what) =>
    Effect.acquireRelease(
      Effect.contextWith((context) => {
        const metric = Metric.counter("websocket_pool_messages_total", {
          description: "Messages, by what became of them",
          attributes: { pool, what },
          incremental: true
        })
        const get = () => ({ count: counts[what], incremental: true })
        return Effect.sync(() => Metric.registerUnsafe(metric, context, { get, update: ignore, modify: ignore }))
      }),
      (registration) => Effect.sync(() => registration.remove())
    ), { discard: true })

const ignore = (): void => {}
