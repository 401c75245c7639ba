/**
 * Whether a pool is well, and what to do if it is not.
 *
 * @since 0.1.0
 */
import type { Cause, Diagnosis, Verdict } from "./internal/diagnosis/model.ts"
import type { PoolConfig } from "./PoolConfig.ts"
import * as PoolThresholds from "./PoolThresholds.ts"
import type { Recent, Vitals } from "./PoolStats.ts"

/**
 * One thing that is not well: the number, the rule it breaks and the remedy.
 *
 * @category models
 * @since 0.1.0
 */
export interface HealthWarning {
  readonly about:
    | "utilization"
    | "queue"
    | "wait"
    | "connect"
    | "breaker"
    | "failures"
    | "operations"
    | "validation"
    | "leak"
    | "closed"
    | "upstream"
    | "verification"
    | Cause
  readonly level: "warning" | "critical"
  /** The number that is too high or too low. */
  readonly value: number
  /** The number and its limit in one sentence. */
  readonly message: string
  readonly remedy: string
}

/**
 * The health of a pool: `unhealthy` if a warning is critical, `degraded` if there is any. A diagnosis of what lasts is
 * the first of the warnings, and those that only follow from its cause are left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolHealth {
  readonly name: string
  readonly status: "healthy" | "degraded" | "unhealthy"
  /** Whether callers can get a connection. A pool may be degraded, or even have callers that fail, and serve others. */
  readonly isServing: boolean
  /** The cause of what is not well; with `until` of what was not and is over. */
  readonly diagnosis: Diagnosis | undefined
  /** 0 to 100. */
  readonly utilization: number
  /** Mean wait for a connection in the last one to two minutes, in milliseconds. */
  readonly avgWaitTime: number
  /**
   * Mean duration of statements, commands, requests and messages in the last one to two minutes, in milliseconds,
   * without the wait for a connection. 0 where the connector reports none.
   */
  readonly avgQueryTime: number
  /**
   * Share of what failed in the last one to two minutes, 0 to 1: of acquisitions and dials, or of operations by the
   * backend's doing, whichever is larger.
   */
  readonly errorRate: number
  readonly warnings: ReadonlyArray<HealthWarning>
}

/**
 * Other things the pool knows of itself: the warnings of its connector, whether it serves callers, and its diagnosis.
 * Without it a pool that is open and not unhealthy is taken to serve.
 *
 * @category models
 * @since 0.1.0
 */
export interface Known {
  readonly ofConnector?: ReadonlyArray<HealthWarning> | undefined
  readonly isServing?: boolean | undefined
  readonly verdict?: Verdict | undefined
}

/**
 * Judges a pool by its numbers. Nothing is asked of the backend: what the pool has met tells enough.
 *
 * Warnings: with the default `thresholds`, more than 90 % of the connections lent, more callers waiting than there may
 * be connections, waits above 100 ms in the mean or at the 95th percentile of 20 leases or more, more than 5 % of the
 * acquisitions and dials, of the operations by the backend's doing, or of the validations failed; and whatever they are
 * a lease held longer than `leakTimeout`, no connection open where `minConnections` asks for some, an open breaker, a
 * pool that is paused or draining. Critical: a closed pool, an open breaker while nothing is open, and callers that
 * wait while nothing is open because dials fail. Of a closed pool only that it is closed is told. The connector's
 * warnings about itself, such as that it does not verify the server, come last.
 *
 * @category operations
 * @since 0.1.0
 */
export const assess = (
  stats: Vitals,
  config: PoolConfig,
  known: Known = {}
): PoolHealth => {
  // Nothing that a pool met before matters once it is no more.
  const judges = stats.state === "closed" ? [admission] : rules
  const found = judges.map((rule) => rule(stats, config)).filter((warning) => warning !== undefined)
  const warnings = stats.state === "closed" ? found : explained([...found, ...known.ofConnector ?? []], known.verdict)
  const isCritical = warnings.some((warning) => warning.level === "critical")
  return {
    name: stats.name,
    isServing: known.isServing ?? (stats.state === "open" && !isCritical),
    diagnosis: known.verdict?.diagnosis,
    status: isCritical ? "unhealthy" : warnings.length > 0 ? "degraded" : "healthy",
    utilization: stats.utilization,
    avgWaitTime: stats.recent.wait.mean,
    avgQueryTime: stats.recent.avgQueryTime,
    errorRate: Math.max(
      share(stats.recent.failures, stats.recent.attempts),
      share(stats.recent.failedOperations, stats.recent.operations)
    ),
    warnings
  }
}

/** The cause takes the place of what only follows from it. What is over is no warning any more. */
const explained = (
  warnings: ReadonlyArray<HealthWarning>,
  verdict: Verdict | undefined
): ReadonlyArray<HealthWarning> => {
  if (verdict === undefined) return warnings
  const { diagnosis, silences } = verdict
  const rest = warnings.filter(({ about }) => !silences.includes(about))
  return diagnosis.until === undefined ? [asWarning(diagnosis), ...rest] : rest
}

/** A cause has no number of its own: those that speak for it are in its text. */
const asWarning = ({ cause, level, remedy, text }: Diagnosis): HealthWarning => ({
  about: cause,
  level,
  value: 1,
  message: text,
  remedy
})

type Rule = (stats: Vitals, config: PoolConfig) => HealthWarning | undefined

const limits = ({ thresholds }: PoolConfig): PoolThresholds.PoolThresholds => thresholds ?? PoolThresholds.presets.calm

/** In two quiet minutes one failure may be all there was: it is no rate. */
const failuresToJudge = 2
/** With fewer leases the one that waited for the first dial would pass for the rule. */
const leasesToJudgeWaits = 20

const share = (part: number, whole: number): number => whole > 0 ? part / whole : 0

/** Connections that exist and that callers may get, whatever they do just now. */
const open = (stats: Vitals): number => stats.idle + stats.used + stats.checking - (stats.outOfReach ?? 0)

const admission: Rule = ({ state, used }) => {
  switch (state) {
    case "open":
      return undefined
    case "paused":
      return {
        about: "closed",
        level: "warning",
        value: used,
        message: `the pool is paused and admits nobody; ${count(used, "connection is", "connections are")} still lent`,
        remedy: "Call resume when the reason for the pause is gone."
      }
    case "draining":
      return {
        about: "closed",
        level: "warning",
        value: used,
        message: `the pool is draining and admits nobody; ${
          count(used, "connection is", "connections are")
        } still lent`,
        remedy: "Nothing, if the program is meant to stop: send callers elsewhere."
      }
    case "closed":
      return {
        about: "closed",
        level: "critical",
        value: 0,
        message: "the pool is closed and has 0 connections",
        remedy: "Make a new pool; a closed one does not open again."
      }
  }
}

const breaker: Rule = (stats, config) => {
  const { breaker, counts } = stats
  return breaker === "closed" ? undefined : {
    about: "breaker",
    // Open connections still serve: the pool can't grow, which is not the same as being down.
    level: open(stats) > 0 ? "warning" : "critical",
    value: counts.failedToOpen,
    message: `the breaker around dials is open: at least ${percent(config.breaker.failureRate)} of the last dials ` +
      `failed, ${counts.failedToOpen} since the pool was made`,
    remedy: "Check that the backend is up and reachable and that the credentials are right; dials resume by themselves."
  }
}

const connect: Rule = (stats, config) => {
  const { counts, minConnections, oldestWaiter, opening, pending, recent } = stats
  // Where a validation has failed and the next dial has no answer yet, the backend hangs.
  if (open(stats) > 0 || (counts.failedToOpen === 0 && recent.failedToValidate === 0)) return undefined
  const remedy = "Check that the backend is up and reachable, and the last OpenFailed event."
  // A dial under way may be the one that succeeds, unless callers have been waiting for too long already.
  if (pending > 0 && (opening === 0 || oldestWaiter > config.slowAcquireTimeout)) {
    return {
      about: "connect",
      level: "critical",
      value: pending,
      message: `${count(pending, "caller waits", "callers wait")} while no connection is open and dials fail, ` +
        `${counts.failedToOpen} since the pool was made`,
      remedy
    }
  }
  return minConnections === 0 ? undefined : {
    about: "connect",
    level: "warning",
    value: 0,
    message: `0 connections are open where minConnections asks for ${minConnections}, and ${
      count(counts.failedToOpen, "dial has", "dials have")
    } failed since the pool was made`,
    remedy
  }
}

const utilization: Rule = (stats, config) => {
  const limit = limits(config).utilization
  return stats.utilization <= limit ? undefined : {
    about: "utilization",
    level: "warning",
    value: stats.utilization,
    message: `${stats.used} of ${stats.limit} connections are lent, which is above ${limit} %`,
    remedy: "Nobody suffers yet. See in connections who holds them; if all leases are short, raise maxConnections " +
      "as far as the backend can bear it."
  }
}

const queue: Rule = ({ limit, oldestWaiter, pending }, config) => {
  const longest = limits(config).queue
  if (pending <= (longest === "limit" ? limit : longest)) return undefined
  const above = longest === "limit" ? "" : `, above ${longest}`
  return {
    about: "queue",
    level: "warning",
    value: pending,
    message: `${pending} callers wait for at most ${limit} connections${above}, the first for ${
      Math.round(oldestWaiter)
    } ms`,
    remedy: "Raise maxConnections, or lower pendingLimit so that callers are refused early."
  }
}

const wait: Rule = ({ recent }, config) => {
  const { count, mean, p95 } = recent.wait
  const limit = limits(config).wait
  if (count < leasesToJudgeWaits || (mean <= limit && p95 <= limit)) return undefined
  const [value, what] = mean > limit ? [mean, "the mean wait"] : [p95, "the 95th percentile of waits"]
  return {
    about: "wait",
    level: "warning",
    value,
    message: `${what} for a connection is ${Math.round(value)} ms, above ${limit} ms, over ${count} leases of ${
      lately(recent)
    }`,
    remedy:
      "Raise maxConnections, or minConnections or connectRate if callers wait for dials, or hold connections for a shorter time."
  }
}

const failed: Rule = ({ recent }, config) => {
  const rate = share(recent.failures, recent.attempts)
  const limit = limits(config).errorRate
  return recent.failures < failuresToJudge || rate <= limit ? undefined : {
    about: "failures",
    level: "warning",
    value: rate,
    message: `${percent(rate)} of ${recent.attempts} acquisitions and dials of ${lately(recent)} failed, above ` +
      percent(limit),
    remedy: "See which grow in the counts: timedOut and refused ask for more connections, failedToOpen for the backend."
  }
}

/** A caller that breaks a constraint or asks for what is not there says nothing of the backend. */
const operations: Rule = ({ recent }, config) => {
  const rate = share(recent.failedOperations, recent.operations)
  const limit = limits(config).errorRate
  return recent.failedOperations < failuresToJudge || rate <= limit ? undefined : {
    about: "operations",
    level: "warning",
    value: rate,
    message:
      `${percent(rate)} of ${recent.operations} operations of ${lately(recent)} failed by the backend's doing, ` +
      `above ${percent(limit)}`,
    remedy: "Look at what the backend says: it loses connections, refuses work or takes too long."
  }
}

const validation: Rule = ({ recent }, config) => {
  const rate = share(recent.failedToValidate, recent.validated)
  const limit = limits(config).errorRate
  return recent.failedToValidate < failuresToJudge || rate <= limit ? undefined : {
    about: "validation",
    level: "warning",
    value: rate,
    message: `${percent(rate)} of ${recent.validated} validations of ${lately(recent)} failed, above ` +
      percent(limit),
    remedy: "Something closes idle connections before the pool does: lower idleTimeout and maxLifetime below its limit."
  }
}

const leak: Rule = ({ overdue }, config) =>
  overdue === 0 ? undefined : {
    about: "leak",
    level: "warning",
    value: overdue,
    message: `${count(overdue, "lease is", "leases are")} held for longer than leakTimeout (${config.leakTimeout} ms)`,
    remedy:
      "Look in `connections` for the labels of those that are held longest, and borrow for single statements instead of whole requests."
  }

const rules: ReadonlyArray<Rule> = [
  admission,
  breaker,
  connect,
  utilization,
  queue,
  wait,
  failed,
  operations,
  validation,
  leak
]

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`

const lately = ({ span }: Recent): string => `the last ${Math.max(1, Math.round(span / 1000))} s`

const percent = (rate: number): string => `${Math.round(rate * 1000) / 10} %`
