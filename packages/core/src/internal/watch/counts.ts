/**
 * The counts of a pool since it was made: plain numbers and histograms, written on the way and read when asked for.
 */
import type { LeaseEnd, RetireReason } from "../../PoolEvent.ts"
import { Histogram } from "./histogram.ts"

export class Counts {
  acquiredAtOnce = 0
  acquiredAfterWaiting = 0
  timedOut = 0
  refused = 0
  interrupted = 0
  failed = 0
  opened = 0
  closed = 0
  failedToOpen = 0
  closesTimedOut = 0
  validated = 0
  failedToValidate = 0
  failedToReset = 0
  leaksSuspected = 0
  readonly ended: Record<LeaseEnd, number> = { success: 0, failure: 0, defect: 0, interrupt: 0 }
  readonly retired: Record<RetireReason, number> = {
    idle: 0,
    lifetime: 0,
    ended: 0,
    broken: 0,
    invalid: 0,
    invalidated: 0,
    superseded: 0,
    shutdown: 0
  }
  readonly wait: Histogram = new Histogram()
  readonly use: Histogram = new Histogram()
  readonly open: Histogram = new Histogram()
  readonly validate: Histogram = new Histogram()
  readonly lifetime: Histogram = new Histogram()
}
