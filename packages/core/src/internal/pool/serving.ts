/**
 * Whether there is anything to wait for while nothing can be opened.
 */
import type { Lease, Pooled } from "../line/lease.ts"
import type { PoolState } from "./state.ts"

/**
 * Whether a connection is open that a caller may yet get. What is held by leases that are meant to be held for long, or that
 * have been held for longer than any caller waits, is no such. Only asked in an outage: it goes through the connections.
 */
export const mayServe = (state: PoolState): boolean => {
  if (state.places.live === 0) return false
  for (const connection of state.places.connections) if (comesBack(state, connection)) return true
  return false
}

const comesBack = (state: PoolState, connection: Pooled): boolean => {
  switch (connection.state) {
    case "opening":
    case "closing":
      return false
    case "idle":
    case "checking":
      return true
    case "used":
      for (const lease of connection.holders) if (isHeldForLong(state, lease)) return false
      return true
  }
}

const isHeldForLong = (state: PoolState, lease: Lease): boolean =>
  lease.isLongLived || state.time.now() - lease.lentAt >= state.config.acquireTimeout

/** How many connections are lent that nobody can wait for. */
export const outOfReach = (state: PoolState): number => {
  let lent = 0
  for (const connection of state.places.connections) {
    if (connection.state === "used" && !comesBack(state, connection)) lent++
  }
  return lent
}
