/**
 * Recent numbers: the counts of now without those of one to two minutes ago. A pool is judged by this, since what
 * is long over says nothing of how it is.
 */
import { attemptsOf, failuresOf, type PoolCounts, type Recent } from "../../PoolStats.ts"
import type { Counts } from "./counts.ts"
import type { Histogram } from "./histogram.ts"

/** How often the numbers are written down, in milliseconds. */
const span = 60_000

interface Mark {
  readonly at: number
  readonly attempts: number
  readonly failures: number
  readonly validated: number
  readonly failedToValidate: number
  readonly atOnce: number
  readonly wait: Histogram
  readonly operations: number
  readonly failedOperations: number
  readonly timed: number
  readonly time: number
}

export class RecentCounts {
  private readonly counts: Counts
  private older: Mark
  private newer: Mark

  constructor(counts: Counts, now: number) {
    this.counts = counts
    this.older = this.newer = markOf(counts, now)
  }

  /** Whether it is time to write the numbers down. */
  isDue(now: number): boolean {
    return now - this.newer.at >= span
  }

  /** Writes the numbers down if it is time, and tells when it is time again. */
  turn(now: number): number {
    if (this.isDue(now)) {
      this.older = this.newer
      this.newer = markOf(this.counts, now)
    }
    return this.newer.at + span
  }

  /** Whether nothing has happened lately. */
  get isQuiet(): boolean {
    const { counts: { numbers: counts, operations }, older } = this
    return attemptsOf(counts) === older.attempts && counts.validated === older.validated &&
      operations.time.count === older.timed
  }

  /** Forgets what is long past, after a time in which nobody wrote anything down. */
  restart(now: number): void {
    this.older = this.newer = markOf(this.counts, now)
  }

  read(now: number): Recent {
    const { counts: { numbers: counts, operations, wait }, older } = this
    return {
      span: now - older.at,
      attempts: attemptsOf(counts) - older.attempts,
      failures: failuresOf(counts) - older.failures,
      validated: counts.validated - older.validated,
      failedToValidate: counts.failedToValidate - older.failedToValidate,
      wait: wait.since(older.wait).timing(counts.acquiredAtOnce - older.atOnce),
      operations: settled(counts) - older.operations,
      failedOperations: counts.operations.failed - older.failedOperations,
      avgQueryTime: mean(operations.time.sum - older.time, operations.time.count - older.timed)
    }
  }
}

const markOf = ({ numbers: counts, operations, wait }: Counts, at: number): Mark => ({
  at,
  attempts: attemptsOf(counts),
  failures: failuresOf(counts),
  validated: counts.validated,
  failedToValidate: counts.failedToValidate,
  atOnce: counts.acquiredAtOnce,
  wait: wait.copy(),
  operations: settled(counts),
  failedOperations: counts.operations.failed,
  timed: operations.time.count,
  time: operations.time.sum
})

/** Operations whose end says something of the backend. */
const settled = ({ operations: { failed, rejected, success } }: PoolCounts): number => success + rejected + failed

const mean = (sum: number, count: number): number => count > 0 ? sum / count : 0
