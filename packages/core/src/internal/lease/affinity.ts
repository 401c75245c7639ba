/**
 * Which idle connection a caller gets, in a pool that heeds affinity: the one that was lent last for the same, and else one
 * that was not lent for long, so that the others keep what they have at hand.
 */
import type { Lease, Pooled } from "../line/lease.ts"
import { around } from "../line/said.ts"
import { isReady } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

export const affinityOf = (lease: Lease): string | undefined => (lease.said ?? lease.fiber.getRef(around)).affinity

/** The idle connection for a caller, of those that need no proof. */
export const closest = (state: PoolState, lease: Lease, now: number): Pooled | undefined => {
  const affinity = affinityOf(lease)
  let unused: Pooled | undefined
  let coldest: Pooled | undefined
  let warmest: Pooled | undefined
  for (const connection of state.places.idle) {
    if (!isReady(state, connection, now)) continue
    if (affinity !== undefined && connection.affinity === affinity) return connection
    if (connection.affinity === undefined) unused ??= connection
    coldest ??= connection
    warmest = connection
  }
  return affinity === undefined ? warmest : unused ?? coldest
}
