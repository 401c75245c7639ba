/**
 * Whether a caller that waits for a connection holds one already, and so may wait for itself.
 */
import { descends, isOf, isRunning, parentOf } from "../line/ancestry.ts"
import type { Lease } from "../line/lease.ts"
import type { PoolState } from "./state.ts"

/** Whether the caller's fiber holds a connection of the pool. */
export const holdsAlready = (state: PoolState, lease: Lease): boolean => {
  if (lease.isNested) return true
  const { list } = state.places
  const { fiber } = lease
  const parent = parentOf(fiber)
  for (let i = 0; i < list.length; i++) {
    for (let held = list[i]!.holders.head; held !== undefined; held = held.next) {
      // Each that waits with a priority asks this of every borrower: nearly all of them are strangers, told by a comparison.
      const isOurs = held.fiber === fiber || (parent !== undefined && descends(parent, held.fiber))
      if (isOurs && !held.isLongLived) return true
    }
  }
  return false
}

/** Those that hold connections: read once for a crowd. */
export const borrowersOf = (state: PoolState): ReadonlySet<unknown> => {
  const fibers = new Set<unknown>()
  for (const { holders } of state.places.list) {
    for (const held of holders) if (!held.isLongLived) fibers.add(held.fiber)
  }
  return fibers
}

/** `holdsAlready` for one of a crowd. */
export const isAmong = (borrowers: ReadonlySet<unknown>, lease: Lease): boolean => {
  if (lease.isNested) return true
  return isOf(lease.fiber, borrowers)
}

/** In a pool of more connections than this hardly anybody waits for itself, and looking for it would cost each waiter. */
const fewConnections = 50

/**
 * Where more wait than there are connections, so many callers are looked at. It is for the words of an error alone, and
 * where callers wait for themselves there are many of them.
 */
const oneIn = 8

/** Whether it is asked for within a step of a borrower, as under a limit that the borrower sets. */
export const isWithinLease = (state: PoolState, { fiber }: Lease): boolean => {
  const { line, places: { list } } = state
  if (list.length > fewConnections) return false
  if (line.size > list.length && fiber.id % oneIn > 0) return false
  for (let i = 0; i < list.length; i++) {
    const { head } = list[i]!.holders
    if (head !== undefined && head.fiber !== fiber && !head.isLongLived && isRunning(head.fiber)) return true
  }
  return false
}
