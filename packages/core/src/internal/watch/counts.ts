/**
 * The counter of a pool: plain numbers and histograms, written on the way and read when asked for. It alone writes them.
 */
import type { LeaseEnd, RetireReason } from "../../PoolEvent.ts"
import type { Operation } from "../model/operation.ts"
import { combine, noCounts, type PoolCounts } from "../model/counts.ts"
import { Histogram } from "./histogram.ts"
import { Operations } from "./operations.ts"

/** The counts of single things that have no duration. */
type Single = {
  [K in keyof PoolCounts]: PoolCounts[K] extends number ? K : never
}[keyof PoolCounts]

type Writable<A> = { -readonly [K in keyof A]: A[K] extends number ? A[K] : Writable<A[K]> }

/** A distribution to read from. */
type Distribution = Omit<Histogram, "record">

export class Counts {
  private readonly counts: Writable<PoolCounts> = {
    ...noCounts,
    ended: { ...noCounts.ended },
    retired: { ...noCounts.retired },
    operations: { ...noCounts.operations }
  }
  private readonly waits = new Histogram()
  private readonly uses = new Histogram()
  private readonly opens = new Histogram()
  private readonly validations = new Histogram()
  private readonly lifetimes = new Histogram()
  private readonly operating = new Operations()

  /** How long callers waited that did wait. */
  readonly wait: Distribution = this.waits
  readonly use: Distribution = this.uses
  readonly open: Distribution = this.opens
  readonly validate: Distribution = this.validations
  readonly lifetime: Distribution = this.lifetimes
  readonly operations: Omit<Operations, "record"> = this.operating

  /** The counts as they are at every moment; `read` gives those of now. */
  get numbers(): PoolCounts {
    return this.counts
  }

  read(): PoolCounts {
    return combine([this.counts], ([count]) => count!)
  }

  add(name: Exclude<Single, "acquiredAtOnce" | "acquiredAfterWaiting">, by = 1): void {
    this.counts[name] += by
  }

  /** A lease got its connection without waiting. */
  lentAtOnce(): void {
    this.counts.acquiredAtOnce++
  }

  lentAfter(waited: number): void {
    this.counts.acquiredAfterWaiting++
    this.waits.record(waited)
  }

  timedOut(waited: number): void {
    this.counts.timedOut++
    this.waits.record(waited)
  }

  leaseEnded(end: LeaseEnd, held: number): void {
    this.counts.ended[end]++
    this.uses.record(held)
  }

  opened(took: number): void {
    this.counts.opened++
    this.opens.record(took)
  }

  /** A validation succeeded. */
  proved(took: number): void {
    this.validations.record(took)
  }

  retired(because: RetireReason): void {
    this.counts.retired[because]++
  }

  /** `at` is the monotonic time, `date` gives that of the wall. */
  operated(operation: Operation, at: number, date: () => number): void {
    this.counts.operations[operation.end]++
    this.operating.record(operation, at, date)
  }

  closed(lived: number): void {
    this.counts.closed++
    this.lifetimes.record(lived)
  }
}
