/**
 * The load of the last one to two minutes, and what was usual before: the difference of sums that are written down now and then.
 */
import { failedCallersOf } from "../../PoolStats.ts"
import type { Counts } from "./counts.ts"

/** How many, and their mean in milliseconds. */
interface Mean {
  readonly count: number
  readonly mean: number
}

export interface RecentLoad {
  /** Milliseconds. */
  readonly span: number
  /** Leases begun. */
  readonly leases: number
  /** Callers that got no connection. */
  readonly failedCallers: number
  readonly use: Mean
  readonly usualUse: Mean
  readonly validate: Mean
  readonly usualValidate: Mean
}

interface Totals {
  readonly at: number
  readonly leases: number
  readonly failedCallers: number
  readonly uses: number
  readonly used: number
  readonly validations: number
  readonly validated: number
}

export class LoadWatch {
  private readonly counts: Counts
  private older: Totals
  private newer: Totals

  constructor(counts: Counts, now: number) {
    this.counts = counts
    this.older = this.newer = totalsOf(counts, now)
  }

  /** Writes the sums down. */
  turn(now: number): void {
    this.older = this.newer
    this.newer = totalsOf(this.counts, now)
  }

  read(now: number): RecentLoad {
    const before = this.older
    const after = totalsOf(this.counts, now)
    return {
      span: now - before.at,
      leases: after.leases - before.leases,
      failedCallers: after.failedCallers - before.failedCallers,
      use: mean(after.used - before.used, after.uses - before.uses),
      usualUse: mean(before.used, before.uses),
      validate: mean(after.validated - before.validated, after.validations - before.validations),
      usualValidate: mean(before.validated, before.validations)
    }
  }
}

const totalsOf = ({ numbers, use, validate }: Counts, at: number): Totals => ({
  at,
  leases: numbers.acquiredAtOnce + numbers.acquiredAfterWaiting,
  failedCallers: failedCallersOf(numbers),
  uses: use.count,
  used: use.sum,
  validations: validate.count,
  validated: validate.sum
})

const mean = (sum: number, count: number): Mean => ({ count, mean: count > 0 ? sum / count : 0 })
