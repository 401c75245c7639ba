/**
 * The alert of a pool's diagnosis: one at a time, in the words of its health. One that is critical is raised at once; one that
 * is not, when it has stood for a while. What was over before anybody was told is told after it, as what it was.
 */
import type { Diagnosis } from "@effect-pools/core/PoolDiagnosis"
import type { Alert } from "../MonitoringApi.ts"
import type { AlertChange } from "./alertChange.ts"

interface Timing {
  readonly raiseAfter: number
  readonly clearAfter: number
  readonly nextId: () => number
}

/** Two moments of the same outage, as two clocks tell them: ms. */
const same = 2000

export class DiagnosisAlerts {
  private readonly pool: string
  private readonly timing: Timing
  private alert: Alert | undefined
  private raised = 0
  /** When its cause was seen last. */
  private seen = 0
  /** The cause that is not told yet, and since when it is seen. */
  private next: { readonly cause: Diagnosis["cause"]; readonly since: number } | undefined
  /** When the last outage that was told was over. */
  private toldUntil = -Infinity

  constructor(pool: string, timing: Timing) {
    this.pool = pool
    this.timing = timing
  }

  get current(): Alert | undefined {
    return this.alert
  }

  evaluate(diagnosis: Diagnosis | undefined, now: number, date: number): ReadonlyArray<AlertChange> {
    if (diagnosis === undefined) return this.absent(now)
    return diagnosis.until === undefined
      ? this.present(diagnosis, now, date)
      : this.over(diagnosis, diagnosis.until, now, date)
  }

  /** Takes back what stands, since the pool is managed no longer. */
  end(now: number): ReadonlyArray<AlertChange> {
    this.next = undefined
    return this.clear(now)
  }

  private present(diagnosis: Diagnosis, now: number, date: number): ReadonlyArray<AlertChange> {
    if (this.alert?.rule === diagnosis.cause) {
      this.seen = now
      this.next = undefined
      this.alert = { ...this.alert, ...told(diagnosis) }
      return []
    }
    // A clock that is set back begins the wait anew; otherwise it would last as long as the clock was set back by.
    const since = this.next?.cause === diagnosis.cause ? Math.min(this.next.since, now) : now
    this.next = { cause: diagnosis.cause, since }
    if (diagnosis.level !== "critical" && now - since < this.timing.raiseAfter) return []
    return [...this.clear(now), this.raise(diagnosis, now, date)]
  }

  private absent(now: number): ReadonlyArray<AlertChange> {
    this.next = undefined
    this.seen = Math.min(this.seen, now)
    return now - this.seen < this.timing.clearAfter ? [] : this.clear(now)
  }

  private over(diagnosis: Diagnosis, until: number, now: number, date: number): ReadonlyArray<AlertChange> {
    this.next = undefined
    if (Math.abs(until - this.toldUntil) < same) return []
    this.toldUntil = until
    if (this.alert !== undefined) {
      this.alert = { ...this.alert, message: diagnosis.text, recommendation: diagnosis.remedy }
      return this.clear(now)
    }
    return [this.raise(diagnosis, now, date), ...this.clear(now)]
  }

  private raise(diagnosis: Diagnosis, now: number, date: number): AlertChange {
    this.next = undefined
    this.raised = this.seen = now
    this.alert = {
      id: this.timing.nextId(),
      pool: this.pool,
      rule: diagnosis.cause,
      value: 1,
      limit: 0,
      ...told(diagnosis),
      since: diagnosis.since,
      raisedAt: date,
      clearedAt: null
    }
    return { _tag: "AlertRaised", alert: this.alert }
  }

  private clear(now: number): ReadonlyArray<AlertChange> {
    const { alert } = this
    if (alert === undefined) return []
    this.alert = undefined
    // Told by how long it stood: the clock may have been set meanwhile, and nothing ends before it began.
    const clearedAt = alert.raisedAt + Math.max(0, Math.round(now - this.raised))
    return [{ _tag: "AlertCleared", alert: { ...alert, clearedAt } }]
  }
}

const told = ({ level, remedy, text }: Diagnosis): Pick<Alert, "level" | "message" | "recommendation"> => ({
  level,
  message: text,
  recommendation: remedy
})
