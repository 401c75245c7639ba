/**
 * The last time in which dials failed: kept after it is over, so that what callers met then can still be told as what
 * it was.
 */

interface Outage {
  /** When the first dial that failed had begun, in the pool's time. */
  readonly from: number
  /** When a dial succeeded again; `undefined` while none has. */
  readonly until: number | undefined
  readonly attempts: number
  /** The cause of the last dial that failed. */
  readonly cause: unknown
  /** Whether there was a moment with no connection open. */
  readonly wasTotal: boolean
  /** Callers that failed while it lasted. */
  readonly callers: number
}

export class OutageWatch {
  /** The one that lasts, or the last one. */
  last: Outage | undefined = undefined
  /** The count of callers that failed, as it was when the outage began. */
  private before = 0

  /** Dials that fail together are one of `attempts`. */
  failed(dial: {
    readonly began: number
    readonly attempts: number
    readonly cause: unknown
    readonly isTotal: boolean
    readonly failedCallers: number
  }): void {
    const { last } = this
    const isNew = last === undefined || last.until !== undefined
    if (isNew) this.before = dial.failedCallers
    this.last = {
      from: isNew ? dial.began : Math.min(last.from, dial.began),
      until: undefined,
      attempts: dial.attempts,
      cause: dial.cause,
      wasTotal: dial.isTotal || (!isNew && last.wasTotal),
      callers: dial.failedCallers - this.before
    }
  }

  ended(now: number, failedCallers: number): void {
    if (this.last === undefined || this.last.until !== undefined) return
    this.last = { ...this.last, until: now, callers: failedCallers - this.before }
  }
}
