/**
 * Reads the facts that a diagnosis is made from. Nothing here changes anything, and nobody pays for it but who asks.
 */
import { describeCause } from "../../Describe.ts"
import { refusalOf } from "../base/refusal.ts"
import { holdsAlready } from "../pool/nested.ts"
import { labelOf, type Lease, type Pooled, takenAt } from "../line/lease.ts"
import { keyOf } from "../line/said.ts"
import { activityOf } from "../pool/activity.ts"
import { vitals } from "../pool/inspect.ts"
import type { PoolState } from "../pool/state.ts"
import type { FailedDial, HolderGroup, KeyGroup, Observation, PastOutage } from "./observation.ts"

export const observe = (state: PoolState): Observation => {
  const now = state.time.now()
  const { config, dialer } = state
  const { groups, newest } = holding(state, now)
  return {
    at: state.time.date(),
    config,
    stats: vitals(state),
    load: state.load.read(now),
    callerFailedAgo: now - state.callerFailedAt,
    holders: groups,
    newestHold: newest,
    keys: keysOf(state, now),
    borrowers: state.borrowers.read(),
    selfWaiting: selfWaiting(state),
    lastDial: lastDialOf(state, now),
    fullServer: state.places.fullServer.said(now),
    sizing: state.sizer?.climb.why,
    unansweredFor: unansweredFor(state, now),
    breakerFor: Math.max(0, dialer.breakerUntil - now),
    outage: outageOf(state, now)
  }
}

interface Holding {
  readonly connection: Pooled
  readonly lease: Lease
  connections: number
  overdue: number
}

/** Leases that are meant to be held for long hold no more than they should, so they are not looked for. */
const holding = (
  state: PoolState,
  now: number
): { readonly groups: ReadonlyArray<HolderGroup>; readonly newest: number } => {
  const byLabel = new Map<string | undefined, Holding>()
  let newest = Infinity
  for (const connection of state.places.connections) {
    const lease = connection.holders.head
    if (lease === undefined) continue
    newest = Math.min(newest, now - lease.lentAt)
    const label = labelOf(lease)
    const before = byLabel.get(label)
    const overdue = (before?.overdue ?? 0) + (lease.isLeakSuspected ? 1 : 0)
    const connections = (before?.connections ?? 0) + 1
    const isLonger = before === undefined || lease.lentAt < before.lease.lentAt
    byLabel.set(label, { ...(isLonger ? { connection, lease } : before), connections, overdue })
  }
  const groups = Array.from(byLabel, ([label, { connection, connections, lease, overdue }]) => ({
    label,
    connections,
    longest: now - lease.lentAt,
    overdue,
    takenAt: takenAt(lease),
    activity: activityOf(state, connection)
  }))
  return {
    groups: groups.toSorted((a, b) => b.connections - a.connections || b.longest - a.longest),
    newest: groups.length === 0 ? 0 : newest
  }
}

/** How many that wait are looked at: a long line says the same at its front. */
const mostOfLine = 1000

const keysOf = (state: PoolState, now: number): ReadonlyArray<KeyGroup> => {
  const keys = new Map<string | undefined, { key: string | undefined; used: number; pending: number; oldest: number }>()
  const groupOf = (lease: Lease) => {
    const key = keyOf(lease)
    const group = keys.get(key) ?? { key, used: 0, pending: 0, oldest: 0 }
    keys.set(key, group)
    return group
  }
  for (const { holders } of state.places.connections) if (holders.head !== undefined) groupOf(holders.head).used++
  let looked = 0
  for (let lease = state.line.oldest; lease !== undefined && looked < mostOfLine; lease = lease.next) {
    const group = groupOf(lease)
    group.pending++
    group.oldest = Math.max(group.oldest, now - lease.since)
    looked++
  }
  return Array.from(keys.values()).toSorted((a, b) => b.used - a.used)
}

/** A caller that waits for itself is told by its fiber, which is dear to look at: only the first of a long line are. */
const mostWaiters = 100

const selfWaiting = (state: PoolState): Observation["selfWaiting"] => {
  if (state.line.size === 0 || state.places.used < state.places.limit) return { callers: 0, labels: [] }
  const labels = new Set<string>()
  let callers = 0
  let looked = 0
  // By when they came: to put a long line in the order in which it is served would stall the loop whenever a caller's time is up.
  for (let lease = state.line.oldest; lease !== undefined && looked < mostWaiters; lease = lease.next) {
    looked++
    if (!holdsAlready(state, lease)) continue
    callers++
    const label = labelOf(lease)
    if (label !== undefined) labels.add(label)
  }
  return { callers, labels: Array.from(labels) }
}

const lastDialOf = ({ dialer }: PoolState, now: number): FailedDial | undefined => {
  const { failures, lastFailure } = dialer
  return lastFailure === undefined ? undefined : {
    ago: now - lastFailure.at,
    attempts: Math.max(1, failures),
    said: describeCause(lastFailure.cause),
    refusal: refusalOf(lastFailure.cause)
  }
}

const unansweredFor = (state: PoolState, now: number): number => {
  let longest = 0
  // Those that wait for their turn have not begun.
  if (state.dialer.underWay === 0) return longest
  for (const { openedAt, state: is } of state.places.connections) {
    if (is === "opening") longest = Math.max(longest, now - openedAt)
  }
  return longest
}

const outageOf = ({ outage: { last } }: PoolState, now: number): PastOutage | undefined =>
  last === undefined ? undefined : {
    beganAgo: now - last.from,
    endedAgo: last.until === undefined ? undefined : now - last.until,
    attempts: last.attempts,
    said: describeCause(last.cause),
    wasTotal: last.wasTotal,
    callers: last.callers
  }
