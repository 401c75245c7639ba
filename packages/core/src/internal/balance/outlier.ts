/**
 * Finds out from how leases end whether an upstream should be left alone for a while.
 *
 * A state machine of numbers: outcomes and times go in, verdicts come out. Whether a verdict may be carried out is for
 * the balancer to say, since it depends on the other upstreams.
 */
import type { EjectReason } from "../../PoolEvent.ts"

/** The rules of ejection. Durations are in milliseconds. */
export interface Rules {
  readonly consecutiveFailures: number
  readonly failureRate: number
  readonly minimumLeases: number
  readonly interval: number
  readonly baseEjectionTime: number
  readonly maxEjectionTime: number
}

export class Outlier {
  isEjected = false
  /** Ejections so far. */
  ejections = 0
  /** When the last ejection began and when it is, or was, over. */
  ejectedAt = -Infinity
  returnsAt = -Infinity
  because: EjectReason | undefined = undefined
  /** How many times the base time it is sent away for. */
  private step = 0
  private failuresInARow = 0
  private intervalEnds = -Infinity
  private leases = 0
  private failures = 0
  private readonly rules: Rules

  constructor(rules: Rules) {
    this.rules = rules
  }

  /**
   * Takes in how a lease ended that began at `since`, and tells why the upstream should be ejected, if it should.
   *
   * Leases that began before the last ejection was over say nothing about the upstream after it.
   */
  record(isFailure: boolean, since: number, now: number): EjectReason | undefined {
    if (since < this.returnsAt) return undefined
    if (now >= this.intervalEnds) this.beginInterval(now)
    this.leases++
    if (!isFailure) {
      this.failuresInARow = 0
      return undefined
    }
    this.failuresInARow++
    this.failures++
    const { consecutiveFailures, failureRate, minimumLeases } = this.rules
    if (this.failuresInARow >= consecutiveFailures) return "consecutiveFailures"
    return this.leases >= minimumLeases && this.failures >= failureRate * this.leases ? "failureRate" : undefined
  }

  /**
   * Sends the upstream away and tells for how long: the base time, once more for each ejection that followed upon
   * another. Each base time it stayed in takes one of them back.
   */
  eject(because: EjectReason, now: number): number {
    const { baseEjectionTime, maxEjectionTime } = this.rules
    const forgiven = this.step === 0 ? 0 : Math.floor((now - this.returnsAt) / baseEjectionTime)
    this.step = Math.max(0, this.step - forgiven) + 1
    const forMillis = Math.min(maxEjectionTime, this.step * baseEjectionTime)
    this.isEjected = true
    this.because = because
    this.ejections++
    this.ejectedAt = now
    this.returnsAt = now + forMillis
    return forMillis
  }

  /** Lets the upstream back in if its time is up, and tells whether it did. */
  isBack(now: number): boolean {
    if (!this.isEjected || now < this.returnsAt) return false
    this.isEjected = false
    this.failuresInARow = 0
    this.beginInterval(now)
    return true
  }

  private beginInterval(now: number): void {
    this.intervalEnds = now + this.rules.interval
    this.leases = 0
    this.failures = 0
  }
}
