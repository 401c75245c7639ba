/**
 * All pools added up, and one score for their health.
 */
import type { PoolHealth } from "@effect-pools/core/PoolHealth"
import { failuresOf, type PoolStats } from "@effect-pools/core/PoolStats"
import * as Effect from "effect/Effect"
import type { Fleet } from "../MonitoringApi.ts"
import type { ManagedPool } from "./managedPool.ts"

export interface Reading {
  readonly stats: PoolStats
  readonly health: PoolHealth
}

/** The health is the pool's own word: one that balances over others knows more than its numbers tell. */
export const readingOf = ({ health, stats }: ManagedPool): Effect.Effect<Reading> => Effect.all({ stats, health })

/** 100 for a pool that is well, 10 less for each warning but not below 50, and 0 for one that is not. */
export const scoreOf = (status: PoolHealth["status"], warnings: number): number =>
  status === "unhealthy" ? 0 : Math.max(50, 100 - 10 * warnings)

export const acquiredOf = ({ counts }: PoolStats): number => counts.acquiredAtOnce + counts.acquiredAfterWaiting

export const fleetOf = (readings: ReadonlyArray<Reading>): Fleet => {
  const sum = (of: (reading: Reading) => number): number => readings.reduce((sum, reading) => sum + of(reading), 0)
  const having = (status: PoolHealth["status"]): number => sum(({ health }) => health.status === status ? 1 : 0)
  const unhealthy = having("unhealthy")
  const degraded = having("degraded")
  const used = sum(({ stats }) => stats.used)
  const limit = sum(({ stats }) => stats.limit)
  const acquired = sum(({ stats }) => acquiredOf(stats))
  const failures = sum(({ stats }) => failuresOf(stats.counts))
  return {
    status: unhealthy > 0 ? "unhealthy" : degraded > 0 ? "degraded" : "healthy",
    score: overall(readings.map(({ health }) => scoreOf(health.status, health.warnings.length)), unhealthy > 0),
    pools: { total: readings.length, healthy: readings.length - degraded - unhealthy, degraded, unhealthy },
    total: sum(({ stats }) => stats.total),
    used,
    idle: sum(({ stats }) => stats.idle),
    pending: sum(({ stats }) => stats.pending),
    opening: sum(({ stats }) => stats.opening),
    closing: sum(({ stats }) => stats.closing),
    limit,
    utilization: Math.min(100, share(used, limit) * 100),
    acquired,
    failures,
    avgWaitTime: share(
      sum(({ stats: { recent } }) => recent.wait.mean * recent.wait.count),
      sum(({ stats: { recent } }) => recent.wait.count)
    ),
    avgQueryTime: share(
      sum(({ stats: { recent } }) => recent.avgQueryTime * recent.operations),
      sum(({ stats: { recent } }) => recent.operations)
    ),
    errorRate: Math.max(
      share(sum(({ stats }) => stats.recent.failures), sum(({ stats }) => stats.recent.attempts)),
      share(sum(({ stats }) => stats.recent.failedOperations), sum(({ stats }) => stats.recent.operations))
    )
  }
}

/** Among many pools that are well, one that is not must still show: 98 of 100 beside "degraded" would contradict it. */
const overall = (scores: ReadonlyArray<number>, hasUnhealthy: boolean): number => {
  const mean = scores.length === 0 ? 100 : scores.reduce((sum, score) => sum + score, 0) / scores.length
  const most = hasUnhealthy ? 50 : scores.every((score) => score === 100) ? 100 : 90
  return Math.round(Math.min(most, mean))
}

export const share = (part: number, whole: number): number => whole > 0 ? part / whole : 0
