/**
 * The dispatcher: after every change it serves the queue with what is idle, and opens what the queue and the minimum
 * still want. That it looks again after *every* change is why no waiter is ever lost.
 */
import { handOver, isFresh } from "./checkOut.ts"
import { open } from "./open.ts"
import { retire } from "./retire.ts"
import { joinable } from "./share.ts"
import type { PoolState } from "./state.ts"
import { validateForWaiter } from "./validate.ts"

export const dispatch = (state: PoolState): void => {
  if (state.phase !== "closed") {
    if (state.isLending) serve(state)
    for (let missing = wanted(state); missing > 0; missing--) open(state)
  }
  state.drain?.onChange?.()
}

const serve = (state: PoolState): void => {
  const { idle, waiters } = state
  while (waiters.head !== undefined && idle.length > 0) {
    const now = state.time.now()
    // A health check may have left a colder one as the only one that needs no proof.
    const fresh = idle.findLastIndex((connection) => isFresh(state, connection, now))
    if (fresh >= 0) {
      handOver(state, idle.splice(fresh, 1)[0]!, waiters.head, now)
    } else if (state.connector.validate === undefined) {
      retire(state, idle[idle.length - 1]!, "broken")
    } else if (state.validating < waiters.size) {
      validateForWaiter(state, idle.pop()!)
    } else break
  }
  while (waiters.head?.isShared === true && state.sharing.size > 0) {
    const now = state.time.now()
    const shared = joinable(state, now)
    if (shared === undefined) return
    handOver(state, shared, waiters.head, now)
  }
}

/** Where callers share a connection, one more is opened at a time, so that a slow request holds up fewer others. */
const forSharers = (state: PoolState): number => {
  if (state.opening > 0 || state.idle.length > 0 || !state.isLending || state.phase !== "open") return 0
  for (const connection of state.sharing) {
    if (connection.state === "used" && connection.sharers!.size > 1) return 1
  }
  return 0
}

/** How many dials to begin now. */
const wanted = (state: PoolState): number => {
  if (state.dialer.isBlocked) return 0
  const room = state.limit - state.connections.size
  if (room <= 0) return 0
  const forWaiters = state.isLending ? state.waiters.size - state.opening - state.validating : 0
  const forMinimum = state.floor - (state.live - state.due) - state.opening
  const missing = Math.min(room, Math.max(forWaiters, forMinimum, forSharers(state)))
  // After a failure one dial at a time finds out whether the backend is back.
  return state.dialer.failures > 0 ? Math.min(missing, 1 - state.opening) : missing
}
