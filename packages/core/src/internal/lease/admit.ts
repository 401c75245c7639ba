/**
 * Step 1 of a lease, admit: may this caller queue? The answer takes microseconds, whatever the backend does.
 */
import { BreakerOpen, PoolClosed, type PoolErrorReason, PoolPaused } from "../../PoolError.ts"
import { mayServe } from "../pool/serving.ts"
import type { Lease } from "../line/lease.ts"
import type { PoolState } from "../pool/state.ts"

/** Why the caller is turned away, or `undefined` if it may queue. */
export const refusal = (state: PoolState, lease: Lease): PoolErrorReason | undefined => {
  if (state.phase !== "open") return new PoolClosed({ state: state.phase })
  if (state.isPaused) return new PoolPaused()
  if (state.dialer.breakerUntil > 0 && !mayServe(state)) {
    const retryAfter = untilNextDial(state)
    if (retryAfter > 0) return new BreakerOpen({ retryAfter, cause: state.dialer.lastFailure?.cause })
  }
  const { config, line } = state
  return line.order.refusal(lease, line.size - expected(state), config.pendingLimit)
}

/** How many callers get a connection of their own without anybody giving one back. */
const expected = (state: PoolState): number =>
  state.places.opening + state.trust.validating + state.places.idle.length +
  Math.max(0, state.places.limit - state.places.connections.size)

/** While the one dial is under way that tries whether the backend is back, nobody else waits for it. */
const untilNextDial = (state: PoolState): number => {
  const { breakerUntil, underWay } = state.dialer
  const now = state.time.now()
  return underWay > 0 && now >= breakerUntil ? state.config.breaker.openDuration : breakerUntil - now
}
