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

  evaluate(pool: string, evidence: Evidence, now: number): ReadonlyArray<AlertChange> {
    return this.watchesOf(pool).flatMap(([rule, watch]) => {
      const change = watch.alert === undefined
        ? this.raise(pool, rule, watch, evidence, now)
        : this.clear(watch.alert, rule, watch, evidence, now)
      return change === undefined ? [] : [change]
    })
  }

  private watchesOf(pool: string): ReadonlyArray<readonly [Rule, Watch]> {
    let watches = this.watches.get(pool)
    if (watches === undefined) {
      watches = rules.map((rule) => [rule, { alert: undefined, since: undefined }])
      this.watches.set(pool, watches)
    }
    return watches
  }

  private raise(pool: string, rule: Rule, watch: Watch, evidence: Evidence, now: number): AlertChange | undefined {
    if (rule.value(evidence) <= rule.limit(evidence)) {
      watch.since = undefined
      return undefined
    }
    watch.since = sinceOf(watch, now)
    if (now - watch.since < this.raiseAfter) return undefined
    watch.since = undefined
    watch.alert = {
      id: this.nextId++,
      pool,
      rule: rule.rule,
      level: rule.level,
      ...told(rule, evidence),
      raisedAt: now,
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
    watch.since = undefined
    watch.alert = undefined
    const cleared = { ...alert, clearedAt: now }
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
