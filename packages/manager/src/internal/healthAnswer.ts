/**
 * The answer of `GET /health`: all pools as one, in our words and in those of the pools that people come from.
 */
import type { PoolStats } from "@effect-pools/core/PoolStats"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Manager, ManagerHealth, ManagerStats } from "../Manager.ts"
import type * as Api from "../MonitoringApi.ts"
import { share } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"
import * as View from "./view.ts"

/** A probe asks every few seconds: what it is told must not grow with the pools. */
const mostConnections = 100

export const healthOf = (manager: Manager): Effect.Effect<Api.Health> =>
  Effect.gen(function*() {
    const { pools } = manager
    const health = yield* manager.health
    const stats = yield* manager.stats
    return answerOf(health, stats, pools, yield* connectionsOf(pools))
  })

const answerOf = (
  { at, fleet, pools: healths, warnings }: ManagerHealth,
  { pools: stats }: ManagerStats,
  pools: ReadonlyArray<ManagedPool>,
  connections: Api.Health["stats"]["connections"]
): Api.Health => ({
  ...summaryOf(healths),
  status: fleet.status,
  healthy: fleet.status === "healthy",
  totalConnections: fleet.total,
  availableConnections: fleet.idle,
  utilizationPercent: fleet.utilization,
  avgResponseTimeMs: fleet.avgQueryTime,
  score: fleet.score,
  utilization: fleet.utilization,
  avgWaitTime: fleet.avgWaitTime,
  avgQueryTime: fleet.avgQueryTime,
  errorRate: fleet.errorRate,
  warnings,
  warningTexts: warnings.map(({ message, pool, remedy }) => `${pool}: ${message}. ${remedy}`),
  stats: {
    ...fleet,
    pool: plainStatsOf(fleet, stats),
    queue: {
      pending: fleet.pending,
      limit: pools.reduce((sum, { config }) => sum + config.pendingLimit, 0),
      oldestWaiter: stats.reduce((longest, { oldestWaiter }) => Math.max(longest, oldestWaiter), 0)
    },
    connections
  },
  pools: healths.map((health) => ({ name: health.name, status: health.status, score: View.health(health).score })),
  timestamp: DateTime.formatIso(DateTime.makeUnsafe(at))
})

/** The worst first: what is critical, then what lasts, then what is over. */
const summaryOf = (healths: ManagerHealth["pools"]): Pick<Api.Health, "summary" | "diagnoses"> => {
  const diagnoses = healths
    .flatMap((health) => {
      const { diagnosis } = View.health(health)
      return diagnosis === null ? [] : [{ pool: health.name, ...diagnosis }]
    })
    .toSorted((a, b) => rank(a) - rank(b) || a.since - b.since)
  return { summary: sentenceOf(healths, diagnoses), diagnoses }
}

const rank = ({ level, until }: Api.Diagnosis): number => level === "critical" ? 0 : until === null ? 1 : 2

const sentenceOf = (healths: ManagerHealth["pools"], diagnoses: Api.Health["diagnoses"]): string => {
  const lasting = diagnoses.filter(({ until }) => until === null)
  const [worst = diagnoses[0]] = lasting
  if (lasting.length > 0 && worst !== undefined) {
    const more = lasting.length === 1 ? "" : ` (and ${lasting.length - 1} more)`
    return `${worst.pool}: ${worst.text}. ${worst.remedy}${more}`
  }
  const bad = healths.filter(({ status }) => status !== "healthy")
  const [first] = bad
  if (first === undefined) {
    const well = `${healths.length} of ${healths.length} pools are healthy`
    return worst === undefined ? well : `${well}; ${worst.pool}: ${worst.text}`
  }
  const [warning] = first.warnings
  const told = warning === undefined ? `is ${first.status}` : `${warning.message}. ${warning.remedy}`
  return `${first.name}: ${told}${bad.length === 1 ? "" : ` (and ${bad.length - 1} more)`}`
}

const plainStatsOf = (fleet: Api.Fleet, stats: ReadonlyArray<PoolStats>): Api.PlainStats => {
  const mean = (of: (stats: PoolStats) => PoolStats["wait"]): number =>
    share(
      stats.reduce((sum, each) => sum + of(each).mean * of(each).count, 0),
      stats.reduce((sum, each) => sum + of(each).count, 0)
    )
  const ended = ({ counts: { ended } }: PoolStats): number =>
    ended.success + ended.failure + ended.defect + ended.interrupt
  return {
    totalConnections: fleet.total,
    idleConnections: fleet.idle,
    activeConnections: fleet.used,
    waitingRequests: fleet.pending,
    acquiredCount: fleet.acquired,
    releasedCount: stats.reduce((sum, each) => sum + ended(each), 0),
    errorCount: fleet.failures,
    avgAcquireTimeMs: mean(({ wait }) => wait),
    avgQueryTimeMs: mean(({ operations }) => operations.time),
    avgHoldTimeMs: mean(({ use }) => use)
  }
}

const connectionsOf = Effect.fnUntraced(function*(pools: ReadonlyArray<ManagedPool>) {
  const connections: Array<Api.Health["stats"]["connections"][number]> = []
  for (const pool of pools) {
    const room = mostConnections - connections.length
    if (room === 0) break
    for (const info of (yield* pool.connections).slice(0, room)) {
      connections.push({ pool: pool.name, ...View.connection(info) })
    }
  }
  return connections
})
