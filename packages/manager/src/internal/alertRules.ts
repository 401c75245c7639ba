/**
 * When a pool needs somebody's attention: the number, its limit, and what to do.
 */
import type { PoolHealth } from "@effect-pools/core/PoolHealth"
import type { PoolStats } from "@effect-pools/core/PoolStats"
import type { PoolThresholds } from "@effect-pools/core/PoolThresholds"
import type { AlertRule } from "../MonitoringApi.ts"

/** The readings that the rules judge. */
export interface Evidence {
  readonly thresholds: PoolThresholds
  readonly stats: PoolStats
  readonly health: PoolHealth
  /** Over the alert window. */
  readonly recent: {
    readonly attempts: number
    readonly failureRate: number
    readonly operations: number
    readonly operationFailureRate: number
    /** How long that is, ms. */
    readonly span: number
    readonly waits: number
    readonly wait: number
    /** Whether `wait` is the 95th percentile, or the mean where the pool does not tell percentiles. */
    readonly waitIs: "p95" | "mean"
  }
}

export interface Rule {
  readonly rule: AlertRule
  readonly level: "warning" | "critical"
  readonly value: (evidence: Evidence) => number
  /** Raised above this ... */
  readonly limit: (evidence: Evidence) => number
  /** ... and cleared at or below this, so that a number around the limit does not make it flap. */
  readonly clear: (evidence: Evidence) => number
  readonly message: (value: number, evidence: Evidence) => string
  /** The number in a few words, for an alert that stands while it is below its limit again. */
  readonly now: (value: number) => string
  readonly recommendation: (evidence: Evidence) => string
}

/** With fewer, one failure or the wait for the first dial would pass for the rule. */
const fewest = 20

/** How far below its limit, in percent, utilization is well again. */
const restOfUtilization = 10

const longestQueue = ({ stats, thresholds }: Evidence): number =>
  thresholds.queue === "limit" ? stats.limit : thresholds.queue

const fixed = (n: number) => (): number => n

export const rules: ReadonlyArray<Rule> = [
  {
    rule: "unhealthy",
    level: "critical",
    value: ({ health }) => health.status === "unhealthy" ? 1 : 0,
    limit: fixed(0),
    clear: fixed(0),
    message: (_, { health }) => `the pool is unhealthy: ${critical(health)?.message ?? "its health check says so"}`,
    now: () => "it is not any more",
    recommendation: ({ health }) => critical(health)?.remedy ?? "Check that the backend is up and reachable."
  },
  {
    rule: "utilization",
    level: "warning",
    value: ({ stats }) => stats.utilization,
    limit: ({ thresholds }) => thresholds.utilization,
    clear: ({ thresholds }) => Math.max(0, thresholds.utilization - restOfUtilization),
    message: (value, { stats, thresholds }) =>
      `${stats.used} of ${stats.limit} connections are lent: ${round(value)} %, above ${thresholds.utilization} %`,
    now: (value) => `${round(value)} % now`,
    recommendation: () =>
      "Nobody suffers yet. See in connections who holds them; if all leases are short, raise maxConnections " +
      "as far as the backend can bear it."
  },
  {
    rule: "failures",
    level: "warning",
    value: ({ recent }) => recent.attempts < fewest ? 0 : recent.failureRate,
    limit: ({ thresholds }) => thresholds.errorRate,
    clear: ({ thresholds }) => thresholds.errorRate / 2,
    message: (value, { recent, thresholds }) =>
      `${round(value * 100)} % of the last ${recent.attempts} acquisitions and dials failed, above ${
        round(thresholds.errorRate * 100)
      } %`,
    now: (value) => `${round(value * 100)} % now`,
    recommendation: ({ stats }) =>
      stats.counts.failedToOpen > 0
        ? "Check that the backend is up and reachable, and the last OpenFailed event."
        : "See in the counts of the pool whether callers timed out, were refused or failed, and in their errors why."
  },
  {
    rule: "operations",
    level: "warning",
    value: ({ recent }) => recent.operations < fewest ? 0 : recent.operationFailureRate,
    limit: ({ thresholds }) => thresholds.errorRate,
    clear: ({ thresholds }) => thresholds.errorRate / 2,
    message: (value, { recent, thresholds }) =>
      `${round(value * 100)} % of the last ${recent.operations} operations failed by the backend's doing, above ${
        round(thresholds.errorRate * 100)
      } %`,
    now: (value) => `${round(value * 100)} % now`,
    recommendation: () => "Look at what the backend says: it loses connections, refuses work or takes too long."
  },
  {
    rule: "slowAcquires",
    level: "warning",
    value: ({ recent }) => recent.waits < fewest ? 0 : recent.wait,
    limit: ({ thresholds }) => thresholds.wait,
    clear: ({ thresholds }) => thresholds.wait / 2,
    message: (value, { recent, thresholds }) =>
      `${recent.waitIs === "p95" ? "the 95th percentile of waits" : "the mean wait"} for a connection is ${
        round(value)
      } ms, above ${thresholds.wait} ms, over ${recent.waits} leases of the last ${Math.round(recent.span / 1000)} s`,
    now: (value) => `${round(value)} ms now`,
    recommendation: () =>
      "Raise maxConnections, or minConnections if callers wait for dials, or hold connections for a shorter time."
  },
  {
    rule: "queue",
    level: "warning",
    value: ({ stats }) => stats.pending,
    limit: longestQueue,
    clear: (evidence) => Math.floor(longestQueue(evidence) / 2),
    message: (value, { stats, thresholds }) =>
      `${value} callers wait for at most ${stats.limit} connections${
        thresholds.queue === "limit" ? "" : `, above ${thresholds.queue}`
      }, the first for ${round(stats.oldestWaiter)} ms`,
    now: (value) => `${value} now`,
    recommendation: () => "Raise maxConnections, or lower pendingLimit so that callers are refused early."
  }
]

const critical = (health: PoolHealth): PoolHealth["warnings"][number] | undefined =>
  health.warnings.find(({ level }) => level === "critical")

const round = (n: number): number => Math.round(n * 10) / 10
