/**
 * Looking at the pool: its numbers, its connections and who holds them. Nothing here changes anything.
 */
import type { ConnectionInfo } from "../model/connection.ts"
import { boundaries } from "../model/metrics.ts"
import type { Holder } from "../../PoolError.ts"
import type { PoolNumbers, PoolStats, Vitals } from "../../PoolStats.ts"
import { labelOf, type Pooled } from "../line/lease.ts"
import { nameOf, tagsOf } from "../line/said.ts"
import { inspectionOf } from "./activity.ts"
import { borrowersOf } from "./borrowing.ts"
import { outOfReach } from "./serving.ts"
import type { PoolState } from "./state.ts"

const boundariesInMillis = boundaries.map((boundary) => boundary * 1000)

export const stats = (state: PoolState): PoolStats => {
  const { counts } = state
  const atOnce = counts.numbers.acquiredAtOnce
  const operations = counts.operations.stats(state.time.now())
  return {
    ...vitals(state),
    wait: counts.wait.timing(atOnce),
    waitsUpTo: counts.wait.cumulative(boundariesInMillis, atOnce),
    use: counts.use.timing(),
    open: counts.open.timing(),
    validate: counts.validate.timing(),
    lifetime: counts.lifetime.timing(),
    operations,
    avgQueryTime: operations.time.mean,
    borrowers: borrowersOf(state),
    traffic: state.line.order.traffic,
    sizing: state.sizer?.stats(state.places.limit)
  }
}

/** The numbers that the pool's health is judged by. */
export const vitals = (state: PoolState): Vitals => ({
  ...numbers(state),
  recent: state.recent.read(state.time.now()),
  outOfReach: state.dialer.failures > 0 ? outOfReach(state) : 0
})

/** The numbers that need no walk through the distributions. */
export const numbers = (state: PoolState): PoolNumbers => {
  const { config, line, places: { limit, limits: { limitedBy }, used } } = state
  const now = state.time.now()
  const { budget } = state
  return {
    ...(budget === undefined ? {} : { budget }),
    name: config.name,
    state: state.phase === "open" && state.isPaused ? "paused" : state.phase,
    total: state.places.connections.size,
    used,
    idle: state.places.idle.length,
    pending: line.size,
    opening: state.places.opening,
    checking: state.places.checking,
    closing: state.places.closing,
    minConnections: config.minConnections,
    maxConnections: config.maxConnections,
    limit,
    limitedBy,
    utilization: limit === 0 ? 0 : Math.min(100, used / limit * 100),
    oldestWaiter: line.oldest === undefined ? 0 : now - line.oldest.since,
    overdue: overdue(state),
    breaker: state.dialer.breakerUntil > now ? "open" : "closed",
    counts: state.counts.read()
  }
}

const overdue = ({ counts, places: { connections } }: PoolState): number => {
  let leases = 0
  if (counts.numbers.leaksSuspected === 0) return leases
  for (const { holders } of connections) for (const lease of holders) if (lease.isLeakSuspected) leases++
  return leases
}

/** The holders of the connections, longest first, ten at most. */
export const holders = (state: PoolState): ReadonlyArray<Holder> => {
  const now = state.time.now()
  const held: Array<Holder> = []
  for (const { holders, id } of state.places.connections) {
    for (const lease of holders) held.push({ connection: id, ...nameOf(lease), held: now - lease.lentAt })
  }
  return held.toSorted((a, b) => b.held - a.held).slice(0, 10)
}

export const connections = (state: PoolState): ReadonlyArray<ConnectionInfo> => {
  const now = state.time.now()
  return Array.from(state.places.connections, (connection) => infoOf(state, connection, now))
}

const infoOf = (state: PoolState, connection: Pooled, now: number): ConnectionInfo => {
  const inspection = inspectionOf(state, connection)
  const holder = connection.holders.head
  return {
    id: connection.id,
    state: isDraining(state, connection) ? "draining" : connection.state,
    age: connection.value === undefined ? 0 : now - connection.openedAt,
    idleFor: connection.state === "idle" ? now - connection.idleSince : 0,
    heldFor: holder === undefined ? 0 : now - holder.lentAt,
    isLeakSuspected: isLeakSuspected(connection),
    uses: connection.uses,
    errors: connection.errors,
    label: holder === undefined ? undefined : labelOf(holder),
    // The connector's tags can't be mistaken for a caller's.
    tags: holder === undefined ? inspection.tags : { ...tagsOf(holder), ...inspection.tags },
    activity: inspection.activity?.slice(0, 100)
  }
}

/** Whether it is lent and will be closed when it comes back. */
const isDraining = ({ phase, trust }: PoolState, connection: Pooled): boolean =>
  connection.state === "used" &&
  (phase !== "open" || connection.retireBecause !== undefined || connection.isBroken || trust.isSuperseded(connection))

const isLeakSuspected = ({ holders }: Pooled): boolean => {
  for (const lease of holders) if (lease.isLeakSuspected) return true
  return false
}
