/**
 * The alerts that stand, and those cleared lately. An alert is raised when its number has been above the limit for
 * `raiseAfter`, and cleared when it has been well below for `clearAfter`.
 */
import type { Alert } from "../MonitoringApi.ts"
import type { AlertChange } from "./alertChange.ts"
import { DiagnosisAlerts } from "./diagnosisAlerts.ts"
import { type Evidence, type Rule, rules } from "./alertRules.ts"

interface Watch {
  alert: Alert | undefined
  /** Its message when its number was above the limit last. */
  above: string
  /** When it was raised, by the clock that nobody sets. */
  raised: number
  /** Since when the number is above its limit, or, while an alert stands, since when it is well below. */
  since: number | undefined
}

const mostCleared = 100

export class AlertBoard {
  readonly raiseAfter: number
  readonly clearAfter: number
  private nextId = 1
  private readonly watches = new Map<string, ReadonlyArray<readonly [Rule, Watch]>>()
  private readonly diagnoses = new Map<string, DiagnosisAlerts>()
  private readonly past: Array<Alert> = []

  constructor(raiseAfter: number, clearAfter: number) {
    this.raiseAfter = raiseAfter
    this.clearAfter = clearAfter
  }

  /** Those that stand, the critical first, then the oldest. */
  get current(): ReadonlyArray<Alert> {
    const standing = Array.from(this.watches.values()).flatMap((watches) =>
      watches.flatMap(([, { alert }]) => alert === undefined ? [] : [alert])
    )
    for (const { current } of this.diagnoses.values()) if (current !== undefined) standing.push(current)
    return standing.toSorted((a, b) => rank(a) - rank(b) || a.id - b.id)
  }

  /** Those cleared, the latest first. */
  get cleared(): ReadonlyArray<Alert> {
    return this.past
  }

  /** `now` is the time of a clock that nobody sets, `date` what an alert says. */
  evaluate(pool: string, evidence: Evidence, now: number, date: number = now): ReadonlyArray<AlertChange> {
    const { diagnosis } = evidence.health
    const causes = this.diagnosesOf(pool).evaluate(diagnosis, now, date)
    return [...this.keep(causes), ...this.ofNumbers(pool, evidence, now, date)]
  }

  /** A number that is bad because of what is diagnosed is no alert of its own. */
  private ofNumbers(pool: string, evidence: Evidence, now: number, date: number): ReadonlyArray<AlertChange> {
    const isExplained = evidence.health.diagnosis !== undefined || this.diagnosesOf(pool).current !== undefined
    return this.watchesOf(pool).flatMap(([rule, watch]) => {
      if (isExplained) {
        watch.since = undefined
        return watch.alert === undefined ? [] : [this.end(watch.alert, watch, now)]
      }
      const change = watch.alert === undefined
        ? this.raise(pool, rule, watch, evidence, now, date)
        : this.clear(watch.alert, rule, watch, evidence, now)
      return change === undefined ? [] : [change]
    })
  }

  /** A pool is managed no longer: nothing stands of it any more. */
  forget(pool: string, now: number): ReadonlyArray<AlertChange> {
    const changes = (this.watches.get(pool) ?? []).flatMap(([, watch]) =>
      watch.alert === undefined ? [] : [this.end(watch.alert, watch, now)]
    )
    const causes = this.keep(this.diagnoses.get(pool)?.end(now) ?? [])
    this.watches.delete(pool)
    this.diagnoses.delete(pool)
    return [...causes, ...changes]
  }

  private diagnosesOf(pool: string): DiagnosisAlerts {
    let alerts = this.diagnoses.get(pool)
    if (alerts === undefined) {
      const { clearAfter, raiseAfter } = this
      alerts = new DiagnosisAlerts(pool, { raiseAfter, clearAfter, nextId: () => this.nextId++ })
      this.diagnoses.set(pool, alerts)
    }
    return alerts
  }

  /** Keeps what was cleared. */
  private keep(changes: ReadonlyArray<AlertChange>): ReadonlyArray<AlertChange> {
    for (const { _tag, alert } of changes) if (_tag === "AlertCleared") this.remember(alert)
    return changes
  }

  private remember(alert: Alert): void {
    this.past.unshift(alert)
    if (this.past.length > mostCleared) this.past.pop()
  }

  private watchesOf(pool: string): ReadonlyArray<readonly [Rule, Watch]> {
    let watches = this.watches.get(pool)
    if (watches === undefined) {
      watches = rules.map((rule) => [rule, { alert: undefined, above: "", raised: 0, since: undefined }])
      this.watches.set(pool, watches)
    }
    return watches
  }

  private raise(
    pool: string,
    rule: Rule,
    watch: Watch,
    evidence: Evidence,
    now: number,
    date: number
  ): AlertChange | undefined {
    if (rule.value(evidence) <= rule.limit(evidence)) {
      watch.since = undefined
      return undefined
    }
    watch.since = sinceOf(watch, now)
    const stood = now - watch.since
    if (stood < this.raiseAfter) return undefined
    watch.since = undefined
    watch.raised = now
    watch.alert = {
      id: this.nextId++,
      pool,
      rule: rule.rule,
      level: rule.level,
      ...told(rule, evidence, watch),
      since: Math.round(date - stood),
      raisedAt: date,
      clearedAt: null
    }
    return { _tag: "AlertRaised", alert: watch.alert }
  }

  private clear(
    alert: Alert,
    rule: Rule,
    watch: Watch,
    evidence: Evidence,
    now: number
  ): AlertChange | undefined {
    const value = rule.value(evidence)
    watch.alert = { ...alert, ...told(rule, evidence, watch) }
    if (value > rule.clear(evidence)) {
      watch.since = undefined
      return undefined
    }
    watch.since = sinceOf(watch, now)
    if (now - watch.since < this.clearAfter) return undefined
    return this.end(watch.alert, watch, now)
  }

  private end(alert: Alert, watch: Watch, now: number): AlertChange {
    watch.since = undefined
    watch.alert = undefined
    // Told by how long it stood: the clock may have been set meanwhile, and nothing ends before it began.
    const cleared = { ...alert, clearedAt: alert.raisedAt + Math.max(0, Math.round(now - watch.raised)) }
    this.remember(cleared)
    return { _tag: "AlertCleared", alert: cleared }
  }
}

/** A clock that is set back begins the wait anew; otherwise it would last as long as the clock was set back by. */
const sinceOf = ({ since }: Watch, now: number): number => Math.min(since ?? now, now)

const rank = ({ level }: Alert): number => level === "critical" ? 0 : 1

/** An alert that stands says its number as it is now: one that is below its limit says what it was, too. */
const told = (
  rule: Rule,
  evidence: Evidence,
  watch: Watch
): Pick<Alert, "value" | "limit" | "message" | "recommendation"> => {
  const value = rule.value(evidence)
  const limit = rule.limit(evidence)
  if (value > limit) watch.above = rule.message(value, evidence)
  return {
    value,
    limit,
    message: value > limit ? watch.above : `was: ${watch.above}; ${rule.now(value)}`,
    recommendation: rule.recommendation(evidence)
  }
}
