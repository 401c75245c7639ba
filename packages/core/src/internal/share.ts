/**
 * Shared leases: where a protocol can serve several callers on one connection, single statements need not wait for a
 * connection of their own.
 *
 * An idle connection is taken first, so that load spreads; when none is idle a caller joins the connection with the
 * fewest sharers, and only when all are full does it wait. A connection that is to be retired is joined by nobody, so
 * it ends with its last sharer, however busy the pool is.
 */
import type { Lease } from "./lease.ts"
import type { Pooled } from "./pooled.ts"
import { whyRetire } from "./retire.ts"
import type { PoolState } from "./state.ts"

/** The shared connection that one more caller may use, or `undefined`. */
export const joinable = (state: PoolState, now: number): Pooled | undefined => {
  const most = state.connector.sharers ?? 1
  let best: Pooled | undefined
  for (const connection of state.sharing) {
    const { size } = connection.sharers!
    if (size >= (best?.sharers!.size ?? most)) continue
    if (connection.state === "used" && connection.fence === state.fence && isStaying(state, connection, now)) {
      best = connection
    }
  }
  return best
}

const isStaying = (state: PoolState, connection: Pooled, now: number): boolean =>
  whyRetire(state, connection, now) === undefined

/** Opens a connection to others: its first sharer has it already. */
export const share = (state: PoolState, connection: Pooled, lease: Lease): void => {
  connection.sharers = new Set([lease])
  state.sharing.add(connection)
}

/** Adds a caller to a shared connection. */
export const join = (connection: Pooled, lease: Lease, now: number): void => {
  lease.connection = connection
  lease.lentAt = now
  connection.sharers!.add(lease)
}

/** Takes a sharer away, and tells whether it was the last. */
export const part = (state: PoolState, connection: Pooled, lease: Lease): boolean => {
  const sharers = connection.sharers!
  sharers.delete(lease)
  // The lease a connection is known by is that of whoever has had it longest.
  for (const first of sharers) {
    connection.lease = first
    return false
  }
  connection.sharers = undefined
  state.sharing.delete(connection)
  return true
}
