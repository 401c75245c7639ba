/**
 * Several pools seen as one: their configurations, numbers, connections and drains.
 */
import type { ConnectionInfo, DrainReport } from "../model/connection.ts"
import type { PoolConfig } from "../model/config.ts"
import { combine } from "../model/counts.ts"
import { boundaries } from "../model/metrics.ts"
import type { OperationStats } from "../model/operation.ts"
import { addUp } from "../pool/borrowing.ts"
import type { KeyStats, Level, Priority, TrafficStats } from "../model/traffic.ts"
import type { PoolBudget, PoolStats, Recent, SizingStats, Timing } from "../../PoolStats.ts"

/** The limits that several pools have together: they add up. */
const added = ["minConnections", "maxConnections", "pendingLimit", "connectRate"] as const

/** Limits of which a caller, or a connection, meets any pool's: the largest holds for all. */
const largest = [
  "acquireTimeout",
  "connectTimeout",
  "validateTimeout",
  "resetTimeout",
  "closeTimeout",
  "drainTimeout",
  "idleTimeout",
  "maxLifetime",
  "maxLifetimeJitter",
  "maxUses",
  "freshnessWindow",
  "leakTimeout",
  "reclaimTimeout",
  "slowAcquireTimeout",
  "startupTimeout",
  "eventBuffer"
] as const

/** Options that are no numbers are the first pool's. There is one pool at least. */
export const configs = (name: string, all: ReadonlyArray<PoolConfig>): PoolConfig => {
  const numbers = [
    ...added.map((option) => [option, sum(all, (config) => config[option])]),
    ...largest.map((option) => [option, max(all, (config) => config[option])])
  ]
  return Object.freeze({
    ...all[0]!,
    ...Object.fromEntries(numbers),
    name,
    metrics: all.some(({ metrics }) => metrics),
    unref: all.every(({ unref }) => unref)
  })
}

export const stats = (name: string, all: ReadonlyArray<PoolStats>): PoolStats => {
  const used = sum(all, (stats) => stats.used)
  const limit = sum(all, (stats) => stats.limit)
  const budget = budgetOf(all)
  const ofOperations = operations(all.map((stats) => stats.operations))
  return {
    name,
    // Without an upstream it refuses whoever comes, until one joins.
    state: all.length === 0 ? "paused" : states.find((state) => all.some((stats) => stats.state === state)) ?? "closed",
    total: sum(all, (stats) => stats.total),
    used,
    idle: sum(all, (stats) => stats.idle),
    pending: sum(all, (stats) => stats.pending),
    opening: sum(all, (stats) => stats.opening),
    checking: sum(all, (stats) => stats.checking),
    closing: sum(all, (stats) => stats.closing),
    minConnections: sum(all, (stats) => stats.minConnections),
    maxConnections: sum(all, (stats) => stats.maxConnections),
    limit,
    ...(budget === undefined ? {} : { budget }),
    limitedBy: all.map(({ limitedBy }) => limitedBy).find((by) => by !== "maxConnections") ?? "maxConnections",
    utilization: limit === 0 ? 0 : Math.min(100, used / limit * 100),
    oldestWaiter: max(all, (stats) => stats.oldestWaiter),
    overdue: sum(all, (stats) => stats.overdue),
    outOfReach: sum(all, (stats) => stats.outOfReach ?? 0),
    breaker: all.length > 0 && all.every(({ breaker }) => breaker === "open") ? "open" : "closed",
    recent: recent(all.map((stats) => stats.recent)),
    counts: combine(all.map((stats) => stats.counts), (each) => sum(each, (count) => count)),
    wait: timing(all.map((stats) => stats.wait)),
    waitsUpTo: boundaries.map((_, index) => sum(all, ({ waitsUpTo }) => waitsUpTo[index] ?? 0)),
    use: timing(all.map((stats) => stats.use)),
    open: timing(all.map((stats) => stats.open)),
    validate: timing(all.map((stats) => stats.validate)),
    lifetime: timing(all.map((stats) => stats.lifetime)),
    operations: ofOperations,
    avgQueryTime: ofOperations.time.mean,
    borrowers: addUp(all.flatMap(({ borrowers }) => borrowers)),
    traffic: traffic(all.map((stats) => stats.traffic)),
    sizing: sizing(all.flatMap((stats) => stats.sizing ?? []))
  }
}

/** Each finds its own size: what single sizes gave can't be added up. */
const sizing = (all: ReadonlyArray<SizingStats>): SizingStats | undefined =>
  all.length === 0 ? undefined : {
    mode: all.some(({ mode }) => mode === "apply") ? "apply" : "advise",
    min: sum(all, ({ min }) => min),
    max: sum(all, ({ max }) => max),
    size: sum(all, ({ size }) => size),
    next: sum(all, ({ next }) => next),
    why: all.map(({ why }) => why).join("; "),
    rate: sum(all, ({ rate }) => rate),
    tried: [],
    moves: all.flatMap(({ moves }) => moves).toSorted((a, b) => a.at - b.at).slice(-20)
  }

/** Their part together in the budget that all of them share, if they share one. */
const budgetOf = (all: ReadonlyArray<PoolStats>): PoolBudget | undefined => {
  const [first] = all
  if (first?.budget === undefined || all.some(({ budget }) => budget?.name !== first.budget!.name)) return undefined
  const has = sum(all, ({ total }) => total)
  const { othersHold, ...rest } = first.budget
  return {
    ...rest,
    grant: sum(all, ({ budget }) => budget!.grant),
    wants: sum(all, ({ budget }) => budget!.wants),
    othersHold: Math.max(0, othersHold + first.total - has),
    others: Math.max(0, first.budget.others - (all.length - 1))
  }
}

const perPriority = (of: (priority: Priority) => number): TrafficStats["pending"] => ({
  high: of("high"),
  normal: of("normal"),
  low: of("low")
})

const traffic = (all: ReadonlyArray<TrafficStats>): TrafficStats => {
  const keys = new Map<string | undefined, KeyStats>()
  for (const { key, pending, used } of all.flatMap((stats) => stats.keys)) {
    const before = keys.get(key) ?? { pending: 0, used: 0 }
    keys.set(key, { key, pending: before.pending + pending, used: before.used + used })
  }
  return {
    // The greatest of levels is one.
    level: max(all, ({ level }) => level) as Level,
    pending: perPriority((priority) => sum(all, ({ pending }) => pending[priority])),
    refused: perPriority((priority) => max(all, ({ refused }) => refused[priority])),
    keys: busiest(Array.from(keys.values()))
  }
}

/** As many as a pool shows, and the others together. */
const busiest = (keys: ReadonlyArray<KeyStats>): ReadonlyArray<KeyStats> => {
  const shown = keys.filter(({ key }) => key !== "other").toSorted((a, b) => b.pending + b.used - a.pending - a.used)
  const rest = [...shown.splice(20), ...keys.filter(({ key }) => key === "other")]
  const other = { key: "other", pending: sum(rest, ({ pending }) => pending), used: sum(rest, ({ used }) => used) }
  return rest.length === 0 ? shown : [...shown, other]
}

/** One open pool serves callers, so the state is the best there is. */
const states = ["open", "paused", "draining", "closed"] as const

const recent = (all: ReadonlyArray<Recent>): Recent => ({
  span: max(all, (recent) => recent.span),
  attempts: sum(all, (recent) => recent.attempts),
  failures: sum(all, (recent) => recent.failures),
  validated: sum(all, (recent) => recent.validated),
  failedToValidate: sum(all, (recent) => recent.failedToValidate),
  wait: timing(all.map((recent) => recent.wait)),
  operations: sum(all, (recent) => recent.operations),
  failedOperations: sum(all, (recent) => recent.failedOperations),
  avgQueryTime: meanOf(all, (recent) => recent.avgQueryTime, (recent) => recent.operations)
})

const operations = (all: ReadonlyArray<OperationStats>): OperationStats => ({
  time: timing(all.map((stats) => stats.time)),
  slowest: all.flatMap(({ slowest }) => slowest).toSorted((a, b) => b.took - a.took).slice(0, 10)
})

const meanOf = <A>(all: ReadonlyArray<A>, mean: (a: A) => number, weight: (a: A) => number): number => {
  const count = sum(all, weight)
  return count === 0 ? 0 : sum(all, (each) => mean(each) * weight(each)) / count
}

/** The mean is exact. What a share of the durations does not exceed in any pool, it does not exceed in all of them. */
const timing = (all: ReadonlyArray<Timing>): Timing => {
  const count = sum(all, (timing) => timing.count)
  return {
    count,
    mean: count === 0 ? 0 : sum(all, (timing) => timing.mean * timing.count) / count,
    p50: max(all, (timing) => timing.p50),
    p95: max(all, (timing) => timing.p95),
    p99: max(all, (timing) => timing.p99),
    max: max(all, (timing) => timing.max)
  }
}

/** How many upstreams there may be: as many as their numbers in the ids of connections. */
export const slots = 1_000

/** The number by which a connection of the upstream in that slot goes outside. */
const idOf = (id: number, slot: number): number => id * slots + slot

/** Which upstream a number belongs to, and the connection's number there. */
export const whose = (id: number): { readonly id: number; readonly slot: number } => ({
  id: Math.floor(id / slots),
  slot: id % slots
})

/** The upstream that owns connections. */
interface Owner {
  readonly slot: number
  readonly pool: { readonly name: string }
}

export const connections = (
  all: ReadonlyArray<ReadonlyArray<ConnectionInfo>>,
  owners: ReadonlyArray<Owner>
): ReadonlyArray<ConnectionInfo> =>
  all.flatMap((connections, index) =>
    connections.map((connection) => ({
      ...connection,
      id: idOf(connection.id, owners[index]!.slot),
      tags: { ...connection.tags, upstream: owners[index]!.pool.name }
    }))
  )

/** The drains ran side by side. */
export const drains = (all: ReadonlyArray<DrainReport>, owners: ReadonlyArray<Owner>): DrainReport => ({
  took: max(all, (report) => report.took),
  served: sum(all, (report) => report.served),
  refused: sum(all, (report) => report.refused),
  returned: sum(all, (report) => report.returned),
  abandoned: all.flatMap(({ abandoned }, index) =>
    abandoned.map((holder) => ({ ...holder, connection: idOf(holder.connection, owners[index]!.slot) }))
  ),
  closed: sum(all, (report) => report.closed),
  closesTimedOut: sum(all, (report) => report.closesTimedOut)
})

const sum = <A>(all: ReadonlyArray<A>, read: (a: A) => number): number =>
  all.reduce((total, each) => total + read(each), 0)

const max = <A>(all: ReadonlyArray<A>, read: (a: A) => number): number =>
  all.reduce((greatest, each) => Math.max(greatest, read(each)), 0)
