import { PoolMetrics, PoolStats } from "@effect-pools/core"

const timing = { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }

const noOperations: PoolStats.OperationStats = {
  time: timing,
  slowest: []
}

/** What a test says about a pool; the rest is a pool that is well and has done nothing. */
export interface Given extends Partial<Omit<PoolStats.PoolStats, "counts">> {
  readonly counts?: Partial<PoolStats.PoolCounts>
}

export const statsOf = (given: Given = {}): PoolStats.PoolStats => ({
  name: "app/Db",
  state: "open",
  total: 2,
  used: 0,
  idle: 2,
  pending: 0,
  opening: 0,
  checking: 0,
  closing: 0,
  minConnections: 2,
  maxConnections: 20,
  limit: 20,
  limitedBy: "maxConnections",
  utilization: 0,
  oldestWaiter: 0,
  overdue: 0,
  breaker: "closed",
  recent: recentOf(given),
  wait: timing,
  waitsUpTo: PoolMetrics.boundaries.map(() => 0),
  use: timing,
  open: timing,
  validate: timing,
  lifetime: timing,
  operations: noOperations,
  avgQueryTime: 0,
  borrowers: [],
  traffic: { level: 0, pending: { high: 0, normal: 0, low: 0 }, refused: { high: 0, normal: 0, low: 0 }, keys: [] },
  ...given,
  counts: {
    ...PoolStats.noCounts,
    opened: 2,
    ...given.counts
  }
})

/** As if all it has done were recent. */
const recentOf = ({ counts = {}, operations = noOperations, wait = timing }: Given): PoolStats.Recent => {
  const { acquiredAfterWaiting = 0, acquiredAtOnce = 0, failed = 0, failedToOpen = 0, opened = 2 } = counts
  const { failedToValidate = 0, refused = 0, timedOut = 0, validated = 0 } = counts
  const failures = failed + failedToOpen + refused + timedOut
  const attempts = failures + acquiredAfterWaiting + acquiredAtOnce + opened
  const { failed: failedOperations, rejected, success } = counts.operations ?? PoolStats.noCounts.operations
  return {
    span: 60_000,
    attempts,
    failures,
    validated,
    failedToValidate,
    wait,
    operations: success + rejected + failedOperations,
    failedOperations,
    avgQueryTime: operations.time.mean
  }
}
