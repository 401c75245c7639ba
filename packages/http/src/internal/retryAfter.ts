/**
 * Heeds `Retry-After`: a server that asks to be left alone is, as long as it asks and the option allows.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Exchange } from "./exchange.ts"

/** How long the answer asks to wait, in milliseconds; 0 if it doesn't. */
export const asked = (exchange: Exchange, now: number): number => {
  if (exchange.status !== 429 && exchange.status !== 503) return 0
  const header = exchange.headers["retry-after"]
  if (typeof header !== "string") return 0
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? 0 : Math.max(0, at - now)
}

interface Heedful<Lent> {
  readonly pool: ConnectionPool<Lent>
  /** Pauses the pool, unless it is paused or draining already, and lets it go on after a while. */
  readonly heed: (exchange: Exchange) => Effect.Effect<void>
}

/** A pool that can be paused for a server. Whoever else pauses or resumes it meanwhile has the last word. */
export const make = <Lent>(pool: ConnectionPool<Lent>, limit: number): Heedful<Lent> => {
  let commands = 0
  const commanded = (effect: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.suspend(() => {
      commands++
      return effect
    })
  const heed = Effect.fnUntraced(function*(exchange: Exchange): Effect.fn.Return<void> {
    const wait = Math.min(limit, asked(exchange, yield* Clock.currentTimeMillis))
    if (wait === 0 || (yield* pool.stats).state !== "open") return
    const before = commands
    yield* pool.pause
    yield* Effect.ensuring(
      Effect.sleep(wait),
      Effect.suspend(() => commands === before ? pool.resume : Effect.void)
    )
  })
  return { pool: { ...pool, pause: commanded(pool.pause), resume: commanded(pool.resume) }, heed }
}
