/**
 * The callers that take the connections' time: the leases that have ended lately and those that hold a connection now,
 * as one account.
 */
import type { Borrower } from "../model/borrower.ts"
import { labelOf } from "../line/lease.ts"
import { activityOf } from "./activity.ts"
import type { PoolState } from "./state.ts"

/** So many are told, those with the largest share first. */
const most = 10

export const borrowersOf = (state: PoolState): ReadonlyArray<Borrower> => {
  const now = state.time.now()
  const { oldest } = state.line
  const waits = oldest === undefined ? 0 : now - oldest.since
  const ended = state.borrowers.read().map(({ held, label, leases, longest, statement, waits }) => ({
    label,
    statement,
    used: 0,
    leases,
    mean: leases === 0 ? 0 : held / leases,
    longest,
    share: 0,
    waits
  }))
  return addUp([...ended, ...holding(state, now, waits)])
}

const keyOf = (label: string | undefined, statement: string | undefined): string => JSON.stringify([label, statement])

/** `waiting`: for how long the first in line waits already. */
const holding = (state: PoolState, now: number, waiting: number): ReadonlyArray<Borrower> => {
  const found: Array<Borrower> = []
  // However many connections they hold, the one who waits waits once.
  const told = new Set<string>()
  for (const connection of state.places.connections) {
    for (const lease of connection.holders) {
      const held = now - lease.lentAt
      const statement = activityOf(state, connection)
      const label = labelOf(lease)
      const key = keyOf(label, statement)
      const waits = told.has(key) ? 0 : Math.min(held, waiting)
      told.add(key)
      found.push({
        label,
        statement,
        used: 1,
        leases: 1,
        mean: held,
        longest: held,
        share: 0,
        waits
      })
    }
  }
  return found
}

/** Notes of those who hold a connection that somebody has waited in vain meanwhile. */
export const noteWaitInVain = (state: PoolState, waited: number): void => {
  const now = state.time.now()
  const told = new Set<string>()
  for (const connection of state.places.connections) {
    const lease = connection.holders.head
    if (lease === undefined) continue
    const label = labelOf(lease)
    const statement = activityOf(state, connection)
    const key = keyOf(label, statement)
    if (told.has(key)) continue
    told.add(key)
    state.borrowers.heldUp(label, statement, Math.min(waited, now - lease.lentAt))
  }
}

/** Puts those of the same label and statement together, of several pools too, and reckons their shares anew. */
export const addUp = (all: ReadonlyArray<Borrower>): ReadonlyArray<Borrower> => {
  const rows = new Map<string, Borrower>()
  let total = 0
  for (const given of all) {
    const each = { ...given, share: given.mean * given.leases }
    const key = keyOf(each.label, each.statement)
    const before = rows.get(key)
    total += each.share
    rows.set(key, before === undefined ? each : together(before, each))
  }
  return Array.from(rows.values(), (row) => ({ ...row, share: total > 0 ? row.share / total : 0 }))
    .toSorted((a, b) => b.share - a.share)
    .slice(0, most)
}

const together = (a: Borrower, b: Borrower): Borrower => {
  const leases = a.leases + b.leases
  return {
    label: a.label,
    statement: a.statement,
    used: a.used + b.used,
    leases,
    mean: leases === 0 ? 0 : (a.mean * a.leases + b.mean * b.leases) / leases,
    longest: Math.max(a.longest, b.longest),
    share: a.share + b.share,
    waits: a.waits + b.waits
  }
}
