/**
 * The latest numbers, as the difference between two marks: a pool's counts only ever grow.
 */
import { boundaries } from "@effect-pools/core/PoolMetrics"
import { attemptsOf, failuresOf, type PoolStats } from "@effect-pools/core/PoolStats"
import { acquiredOf, share } from "./fleet.ts"

/** How many waits did not exceed each boundary (seconds), `count` in all. */
export interface WaitBuckets {
  readonly buckets: ReadonlyArray<readonly [boundary: number, upTo: number]>
  readonly count: number
}

/** The counts at one moment. */
export interface Mark {
  /** ms of a clock that nobody sets. */
  readonly at: number
  readonly acquired: number
  readonly atOnce: number
  readonly failures: number
  readonly attempts: number
  /** Operations that were not interrupted, and those of them that failed by the backend's doing. */
  readonly operations: number
  readonly failedOperations: number
  readonly waits: number
  readonly waited: number
  /** The longest wait so far. */
  readonly longest: number
  readonly buckets: WaitBuckets | undefined
}

export const markOf = (at: number, stats: PoolStats): Mark => ({
  at,
  acquired: acquiredOf(stats),
  atOnce: stats.counts.acquiredAtOnce,
  failures: failuresOf(stats.counts),
  attempts: attemptsOf(stats.counts),
  ...operationsOf(stats),
  waits: stats.wait.count,
  waited: stats.wait.count * stats.wait.mean,
  longest: stats.wait.max,
  buckets: bucketsOf(stats)
})

/** A pool of somebody's own making may not tell them. */
const bucketsOf = ({ wait, waitsUpTo }: PoolStats): WaitBuckets | undefined =>
  (waitsUpTo as PoolStats["waitsUpTo"] | undefined) === undefined
    ? undefined
    : { count: wait.count, buckets: boundaries.map((boundary, index) => [boundary, waitsUpTo[index] ?? 0]) }

/** A pool of somebody's own making may not tell them either. */
const operationsOf = (stats: PoolStats): Pick<Mark, "operations" | "failedOperations"> => {
  const ended = stats.counts.operations as PoolStats["counts"]["operations"] | undefined
  return ended === undefined
    ? { operations: 0, failedOperations: 0 }
    : { operations: ended.success + ended.rejected + ended.failed, failedOperations: ended.failed }
}

// The counts of a balanced pool fall when an upstream leaves: then a moment is not told right, but never below nothing.

/** Leases begun per second. */
export const acquireRate = (from: Mark, to: Mark): number =>
  share(Math.max(0, to.acquired - from.acquired) * 1000, to.at - from.at)

/** The share of acquisitions and dials that failed, 0 to 1. */
export const failureRate = (from: Mark, to: Mark): number =>
  Math.min(1, share(Math.max(0, to.failures - from.failures), to.attempts - from.attempts))

/** The share of operations that failed by the backend's doing, 0 to 1. */
export const operationFailureRate = (from: Mark, to: Mark): number =>
  Math.min(
    1,
    share(Math.max(0, to.failedOperations - from.failedOperations), Math.max(0, to.operations - from.operations))
  )

export const meanWait = (from: Mark, to: Mark): number =>
  Math.max(0, share(to.waited - from.waited, to.waits - from.waits))

/**
 * The wait that `percent` of those between two marks did not exceed, ms, or `undefined` where nobody asked or the pool
 * does not tell. Inside a bucket waits are taken to be spread evenly.
 */
export const waitPercentile = (from: Mark, to: Mark, percent: number): number | undefined => {
  if (from.buckets === undefined || to.buckets === undefined) return undefined
  const count = to.buckets.count - from.buckets.count
  if (count <= 0) return undefined
  const rank = count * percent / 100
  // Those that did not wait are exactly 0, and not somewhere in the first bucket.
  let seen = to.atOnce - from.atOnce
  if (rank <= seen) return 0
  let lower = 0
  for (const [index, [boundary, upTo]] of to.buckets.buckets.entries()) {
    const here = upTo - (from.buckets.buckets[index]?.[1] ?? 0)
    if (rank <= here) {
      return Math.min(to.longest, (lower + (boundary - lower) * share(rank - seen, here - seen)) * 1000)
    }
    lower = boundary
    seen = Math.max(seen, here)
  }
  return to.longest
}
