/**
 * Whether a balanced pool is well: it is while one of its upstreams is, but not quite if any is out.
 */
import * as PoolHealth from "../../PoolHealth.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { Balancer } from "./balancer.ts"
import type { Upstream } from "./upstream.ts"

type Warning = PoolHealth.HealthWarning

/** Judges by numbers just read, which the balancer has seen. */
export const assess = (
  balancer: Balancer,
  whole: PoolStats,
  each: ReadonlyArray<PoolHealth.PoolHealth>
): PoolHealth.PoolHealth => {
  const { config, upstreams } = balancer
  const { available } = balancer
  const warnings = [
    ...availability(balancer),
    ...upstreams.flatMap((upstream) => ejection(upstream, balancer.time.now())),
    ...upstreams.flatMap((upstream, index) => own(upstream, each[index]!, available > 0))
  ]
  return {
    // Its utilization and rates, not its warnings: those of the upstreams tell more.
    ...PoolHealth.assess(whole, config),
    status: available === 0 ? "unhealthy" : warnings.length > 0 ? "degraded" : "healthy",
    isServing: available > 0,
    diagnosis: diagnosisOf(upstreams, each, available > 0),
    warnings
  }
}

/** That of the upstream that is worst off, with its name. */
const diagnosisOf = (
  upstreams: ReadonlyArray<Upstream>,
  each: ReadonlyArray<PoolHealth.PoolHealth>,
  isBearable: boolean
): PoolHealth.PoolHealth["diagnosis"] => {
  const all = each.flatMap(({ diagnosis }, index) =>
    diagnosis === undefined ? [] : [{ ...diagnosis, text: `${upstreams[index]!.pool.name}: ${diagnosis.text}` }]
  )
  const worst = all.find(({ level }) => level === "critical") ?? all.find(({ until }) => until === undefined) ?? all[0]
  return worst === undefined || !isBearable ? worst : { ...worst, level: "warning" }
}

const availability = (balancer: Balancer): ReadonlyArray<Warning> => {
  const { available, isPanicking, settings, upstreams } = balancer
  if (available === upstreams.length) return []
  const of = `${available} of ${upstreams.length} upstreams ${available === 1 ? "is" : "are"} available`
  const ejectionIsIgnored = `, below panicThreshold (${settings.panicThreshold}): ejected ones are used as well`
  return [{
    about: "upstream",
    level: available === 0 ? "critical" : "warning",
    value: available,
    message: settings.ejects && isPanicking ? `${of}${ejectionIsIgnored}` : of,
    remedy: "See the warnings of the upstreams that are out; each is used again as soon as it can be."
  }]
}

const ejection = ({ outlier, pool }: Upstream, now: number): ReadonlyArray<Warning> =>
  outlier.isEjected
    ? [{
      about: "upstream",
      level: "warning",
      value: outlier.ejections,
      message: `${pool.name}: ejected (${outlier.because}) for the ${ordinal(outlier.ejections)} time, ` +
        `${Math.round(now - outlier.ejectedAt)} ms ago, for ${Math.round(outlier.returnsAt - outlier.ejectedAt)} ms`,
      remedy: "See what its leases fail with. It returns by itself when its time is up."
    }]
    : []

const ordinal = (n: number): string => {
  const suffix = n % 100 >= 11 && n % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th"
  return `${n}${suffix}`
}

/** A fault that is critical for one upstream is not for all while another is available. */
const own = (
  { pool }: Upstream,
  { warnings }: PoolHealth.PoolHealth,
  isBearable: boolean
): ReadonlyArray<Warning> =>
  warnings.map(({ about, level, message, remedy, value }) => ({
    about,
    level: isBearable ? "warning" : level,
    value,
    message: `${pool.name}: ${message}`,
    remedy
  }))
