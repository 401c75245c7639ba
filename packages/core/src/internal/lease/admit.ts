/**
 * Step 1 of a lease, admit: may this caller queue? The answer takes microseconds, whatever the backend does.
 */
import { BreakerOpen, PoolClosed, type PoolErrorReason, PoolPaused, QueueFull } from "../../PoolError.ts"
import type { PoolState } from "../places/state.ts"

/** Why the caller is turned away, or `undefined` if it may queue. */
export const refusal = (state: PoolState): PoolErrorReason | undefined => {
  if (state.phase !== "open") return new PoolClosed({ state: state.phase })
  if (state.isPaused) return new PoolPaused()
  if (state.dialer.breakerUntil > 0 && state.live === 0) {
    const retryAfter = state.dialer.breakerUntil - state.time.now()
    if (retryAfter > 0) return new BreakerOpen({ retryAfter, cause: state.dialer.lastFailure?.cause })
  }
  const pending = state.waiters.size - expected(state)
  return pending >= state.config.pendingLimit
    ? new QueueFull({ pending, pendingLimit: state.config.pendingLimit })
    : undefined
}

/** How many callers get a connection of their own without anybody giving one back. */
const expected = (state: PoolState): number =>
  state.opening + state.validating + state.idle.length + Math.max(0, state.limit - state.connections.size)
