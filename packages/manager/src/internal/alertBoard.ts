/**
 * The alerts that stand, and those cleared lately. An alert is raised when its number has been above the limit for
 * `raiseAfter`, and cleared when it has been well below for `clearAfter`.
 */
import type { Alert } from "../MonitoringApi.ts"
import { type Evidence, type Rule, rules } from "./alertRules.ts"

export interface AlertChange {
  readonly _tag: "AlertRaised" | "AlertCleared"
  readonly alert: Alert
}

interface Watch {
  alert: Alert | undefined
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
    return standing.toSorted((a, b) => rank(a) - rank(b) || a.id - b.id)
  }

  /** Those cleared, the latest first. */
  get cleared(): ReadonlyArray<Alert> {
    return this.past
  }

  /** `now` is the time of a clock that nobody sets, `date` what an alert says. */
  evaluate(pool: string, evidence: Evidence, now: number, date: number = now): ReadonlyArray<AlertChange> {
    return this.watchesOf(pool).flatMap(([rule, watch]) => {
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
    this.watches.delete(pool)
    return changes
  }

  private watchesOf(pool: string): ReadonlyArray<readonly [Rule, Watch]> {
    let watches = this.watches.get(pool)
    if (watches === undefined) {
      watches = rules.map((rule) => [rule, { alert: undefined, raised: 0, since: undefined }])
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
    if (now - watch.since < this.raiseAfter) return undefined
    watch.since = undefined
    watch.raised = now
    watch.alert = {
      id: this.nextId++,
      pool,
      rule: rule.rule,
      level: rule.level,
      ...told(rule, evidence),
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
    if (value > rule.limit(evidence)) watch.alert = { ...alert, ...told(rule, evidence) }
    if (value > rule.clear(evidence)) {
      watch.since = undefined
      return undefined
    }
    watch.since = sinceOf(watch, now)
    if (now - watch.since < this.clearAfter) return undefined
    return this.end(alert, watch, now)
  }

  private end(alert: Alert, watch: Watch, now: number): AlertChange {
    watch.since = undefined
    watch.alert = undefined
    // Told by how long it stood: the clock may have been set meanwhile, and nothing ends before it began.
    const cleared = { ...alert, clearedAt: alert.raisedAt + Math.max(0, Math.round(now - watch.raised)) }
    this.past.unshift(cleared)
    if (this.past.length > mostCleared) this.past.pop()
    return { _tag: "AlertCleared", alert: cleared }
  }
}

/** A clock that is set back begins the wait anew; otherwise it would last as long as the clock was set back by. */
const sinceOf = ({ since }: Watch, now: number): number => Math.min(since ?? now, now)

const rank = ({ level }: Alert): number => level === "critical" ? 0 : 1

const told = (rule: Rule, evidence: Evidence): Pick<Alert, "value" | "limit" | "message" | "recommendation"> => {
  const value = rule.value(evidence)
  return {
    value,
    limit: rule.limit(evidence),
    message: rule.message(value, evidence),
    recommendation: rule.recommendation(evidence)
  }
}
