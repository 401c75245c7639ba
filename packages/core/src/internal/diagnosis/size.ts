/**
 * Causes that are left when the backend and the borrowers are as they should be: the pool is too small, or something else.
 */
import { sizeFor } from "../../PoolSizing.ts"
import type { CauseEntry } from "./cause.ts"
import { areCallersFailing, isFelt, type Observation } from "./observation.ts"
import { count, duration, round, sufferers } from "./words.ts"

/** The wait that a size is advised for, as `PoolSizing.advise` takes it: ms. */
const targetWait = 10

/** With fewer leases that have ended nobody can say how long one takes. */
export const leasesToAdvise = 20

export const poolTooSmall: CauseEntry = {
  cause: "poolTooSmall",
  silences: ["utilization", "queue", "wait", "failures"],
  find: (seen) => {
    const { config, stats } = seen
    if (stats.used < stats.limit || !isFelt(seen)) return undefined
    const limit = config.thresholds?.wait ?? 100
    const isLong = stats.oldestWaiter > limit || stats.recent.wait.p95 > limit || areCallersFailing(seen)
    if (!isLong && stats.pending <= stats.limit) return undefined
    const load = loadOf(seen)
    if (load === undefined) return undefined
    const { size, text } = load
    return {
      ago: stats.oldestWaiter,
      text: `the pool is too small for its load: ${text}; ${sufferers(seen)}`,
      remedy: grow(seen, size)
    }
  }
}

/** The load, once enough leases have ended to tell it: before, those that do not end may be the cause as well. */
const loadOf = ({ load, stats }: Observation): { readonly text: string; readonly size: number } | undefined => {
  if (load.use.count < leasesToAdvise || load.span < 1000 || load.use.mean < 0.1) return undefined
  const rate = (load.leases + load.failedCallers + stats.pending) * 1000 / load.span
  const busy = rate * load.use.mean / 1000
  return {
    text: `${round(rate)} callers a second hold a connection for ${duration(load.use.mean)} each, ` +
      `so ${round(busy)} would be busy in the mean, and there are ${stats.limit}`,
    size: sizeFor({ arrivalRate: rate, useTime: load.use.mean, targetWait })
  }
}

const grow = (seen: Observation, size: number): string => {
  const { limit, limitedBy, maxConnections } = seen.stats
  const { max } = seen.config.sizing
  const orElse = "hold connections for a shorter time, or send fewer callers."
  // No other bound can raise a limit that the search holds down.
  if (limitedBy === "sizing" && limit < max) {
    return `Leave the number to sizing, which has it at ${limit} of at most ${max}: ${seen.sizing}. ` +
      `Where more connections bring no more, ${orElse}`
  }
  const what = limitedBy === "maxConnections"
    ? "maxConnections"
    : limitedBy === "sizing"
    ? `sizing.max (now ${max} of ${maxConnections})`
    : `the live limit (${limitedBy}, now ${limit} of ${maxConnections})`
  const to = size <= limit ? "" : ` to ${size}, which PoolSizing.advise reckons for waits of at most ${targetWait} ms`
  return `Raise ${what}${to}, if the backend can bear it; or ${orElse}`
}

export const callersFail: CauseEntry = {
  cause: "callersFail",
  silences: ["failures"],
  find: (seen) => {
    const { config, load } = seen
    const all = load.leases + load.failedCallers
    const limit = config.thresholds?.errorRate ?? 0.05
    if (!areCallersFailing(seen) || load.failedCallers < 2 || load.failedCallers <= limit * all) return undefined
    return {
      ago: load.span,
      text: `${count(load.failedCallers, "caller")} of ${all} got no connection in the last ${duration(load.span)}`,
      remedy:
        "See in the counts of the pool whether they timed out, were refused or failed, and in the callers' errors why."
    }
  }
}
