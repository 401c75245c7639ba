/**
 * Housekeeping: retires what is past its time, refills the minimum, and watches for leases that do not end.
 *
 * It sleeps until the next connection is due instead of sweeping: a connection that becomes idle, opens or is lent
 * while it sleeps is due no earlier than one full time-out from then, and it never sleeps longer than the shortest. Once
 * a minute it writes the counts down, so that what is recent can be told from what is not. In a pool that is empty and
 * unused it sleeps without a timer until a dial wakes it.
 */
import * as Effect from "effect/Effect"
import { describeHolder } from "../../Describe.ts"
import { emit, warn } from "../watch/events.ts"
import { labelOf, type Lease, type Pooled, takenAt } from "../line/lease.ts"
import { nameOf } from "../line/said.ts"
import { dueAtOf, retireDue, visitIdle } from "../pool/expire.ts"
import { retire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

export const keepHouse = (state: PoolState): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => {
    const now = state.time.now()
    state.time.settle()
    const next = state.act(() => visitAll(state, now))
    state.places.restSurplus(now)
    return isAtRest(state) ? rest(state) : Effect.sleep(Math.max(1, next - state.time.now()))
  }))

/** Does what is due, and tells when the next visit is. */
const visitAll = (state: PoolState, now: number): number => {
  // Nothing marks what the mere passing of time changes, nor the beginning of the pool.
  state.mark.set()
  let next = Math.min(now + shortestTimeout(state), turn(state, now))
  for (const connection of Array.from(state.places.connections)) next = Math.min(next, visit(state, connection, now))
  retireDue(state)
  return next
}

/** Writes the numbers down if it is time, and tells when it is time again. */
const turn = ({ borrowers, load, recent }: PoolState, now: number): number => {
  if (recent.isDue(now)) {
    borrowers.turn()
    load.turn(now)
  }
  return recent.turn(now)
}

/** Nothing is open or will be by itself, and nothing happened lately: there is nothing to keep until a dial begins. */
const isAtRest = (state: PoolState): boolean =>
  state.places.connections.size === 0 && state.phase === "open" && !state.isPaused && state.dialer.failures === 0 &&
  state.recent.isQuiet

const rest = (state: PoolState): Effect.Effect<void> =>
  Effect.suspend(() => {
    state.house.closeUnsafe()
    return Effect.map(state.house.await, () => state.recent.restart(state.time.now()))
  })

const shortestTimeout = ({ config }: PoolState): number =>
  Math.min(
    config.idleTimeout,
    // At a jitter of 1 a lifetime may be next to nothing, which must not keep the house awake.
    config.maxLifetime * Math.max(0.01, 1 - config.maxLifetimeJitter),
    config.leakTimeout,
    config.reclaimTimeout
  )

/** Does what is due for one connection, and tells when it must be visited again. */
const visit = (state: PoolState, connection: Pooled, now: number): number => {
  switch (connection.state) {
    case "idle":
      return visitIdle(state, connection, now)
    case "used":
      return Math.min(visitUsed(state, connection, now), upcoming(connection.expiresAt, now))
    case "checking":
      return upcoming(dueAtOf(state, connection), now)
    case "opening":
    case "closing":
      return Infinity
  }
}

/** One that is not idle just now may be so by the time it is due. */
const upcoming = (dueAt: number, now: number): number => dueAt > now ? dueAt : Infinity

const visitUsed = (state: PoolState, connection: Pooled, now: number): number => {
  const { leakTimeout, reclaimTimeout } = state.config
  let next = Infinity
  let overdue: Lease | undefined
  let isAllOverdue = true
  for (const lease of connection.holders) {
    const held = now - lease.lentAt
    if (lease.isLongLived || held < reclaimTimeout) isAllOverdue = false
    else overdue ??= lease
    if (lease.isLongLived) continue
    if (held >= leakTimeout) leakSuspected(state, connection, lease, held)
    const due = held < leakTimeout ? Math.min(leakTimeout, reclaimTimeout) : reclaimTimeout
    if (held < due) next = Math.min(next, lease.lentAt + due)
  }
  if (overdue !== undefined) {
    if (isAllOverdue) reclaim(state, connection, now)
    else closeToNewcomers(state, connection, overdue, now)
  }
  return next
}

const leakSuspected = (state: PoolState, connection: Pooled, lease: Lease, held: number): void => {
  if (lease.isLeakSuspected) return
  lease.isLeakSuspected = true
  state.counts.add("leaksSuspected")
  const label = labelOf(lease)
  const places = takenAt(lease)
  emit(state, { _tag: "LeakSuspected", connection: connection.id, ...nameOf(lease), held, takenAt: places })
  const where = places.length === 0 ? "" : `, taken at ${places.join(", ")}`
  warn(state, `leak suspected: ${describeHolder({ connection: connection.id, label, held })} (leakTimeout)${where}`)
}

/** Takes the connection from borrowers that hold it too long; their own end is awaited by nobody. */
const reclaim = (state: PoolState, connection: Pooled, now: number): void => {
  const from = Array.from(connection.holders, (lease) => describe(connection, lease, now)).join(", ")
  warn(state, `reclaimTimeout: the connection is taken from ${from}`)
  retire(state, connection, "invalidated")
}

/** Those who share a connection with a borrower that holds it too long can't help it: it is closed once they are gone. */
const closeToNewcomers = (state: PoolState, connection: Pooled, overdue: Lease, now: number): void => {
  if (connection.retireBecause !== undefined) return
  connection.retireLater("invalidated")
  warn(state, `reclaimTimeout: nobody else may share the connection of ${describe(connection, overdue, now)}`)
}

const describe = ({ id }: Pooled, lease: Lease, now: number): string =>
  describeHolder({ connection: id, label: labelOf(lease), held: now - lease.lentAt })
