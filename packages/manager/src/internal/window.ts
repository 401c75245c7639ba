/**
 * What happened lately, as the difference between two marks: a pool's counts only ever grow.
 */
import { attemptsOf, failuresOf, type PoolStats } from "@effect-pools/core/PoolStats"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { acquiredOf, share } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"

/** How many waits did not exceed each boundary (seconds), `count` in all. */
export type WaitBuckets = Pick<Metric.HistogramState, "buckets" | "count">

/** The counts at one moment. */
export interface Mark {
  readonly at: number
  readonly acquired: number
  readonly atOnce: number
  readonly failures: number
  readonly attempts: number
  readonly waits: number
  readonly waited: number
  /** The longest wait so far. */
  readonly longest: number
  readonly buckets: WaitBuckets | undefined
}

export const markOf = (at: number, stats: PoolStats, buckets: WaitBuckets | undefined): Mark => ({
  at,
  acquired: acquiredOf(stats),
  atOnce: stats.counts.acquiredAtOnce,
  failures: failuresOf(stats.counts),
  attempts: attemptsOf(stats.counts),
  waits: stats.wait.count,
  waited: stats.wait.count * stats.wait.mean,
  longest: stats.wait.max,
  buckets
})

/** Leases begun per second. */
export const acquireRate = (from: Mark, to: Mark): number =>
  share((to.acquired - from.acquired) * 1000, to.at - from.at)

/** The share of acquisitions and dials that failed, 0 to 1. */
export const failureRate = (from: Mark, to: Mark): number =>
  share(to.failures - from.failures, to.attempts - from.attempts)

export const meanWait = (from: Mark, to: Mark): number =>
  Math.max(0, share(to.waited - from.waited, to.waits - from.waits))

/**
 * What `percent` of the waits between two marks did not exceed, ms, or `undefined` where nobody asked or the pool
 * publishes no metrics. Inside a bucket waits are taken to be spread evenly.
 */
export const waitPercentile = (from: Mark, to: Mark, percent: number): number | undefined => {
  if (from.buckets === undefined || to.buckets === undefined) return undefined
  const count = to.buckets.count - from.buckets.count
  if (count <= 0) return undefined
  const rank = count * percent / 100
  // Those that did not wait are exactly 0, and not somewhere in the first bucket.
  let seen = to.atOnce - from.atOnce
  if (rank <= seen) return 0
  let lower = 0
  for (const [index, [boundary, upTo]] of to.buckets.buckets.entries()) {
    const here = upTo - (from.buckets.buckets[index]?.[1] ?? 0)
    if (rank <= here) {
      return Math.min(to.longest, (lower + (boundary - lower) * share(rank - seen, here - seen)) * 1000)
    }
    lower = boundary
    seen = Math.max(seen, here)
  }
  return to.longest
}

/**
 * Finds the histograms of waits that pools publish, since their statistics tell percentiles only of their whole life.
 * The registry is read once: it is long where there are many pools.
 */
export const waitBucketsIn = (
  context: Context.Context<never>
): (pool: ManagedPool) => () => WaitBuckets | undefined => {
  const found = new Map<string, () => WaitBuckets>()
  for (const { attributes, hooks, id, type } of Context.get(context, Metric.MetricRegistry).values()) {
    if (type !== "Histogram" || !id.endsWith(acquireDuration)) continue
    found.set(`${id} ${attributes?.["pool"]}`, () => hooks.get(context))
  }
  return ({ config, name }) => found.get(`${config.kind}${acquireDuration} ${name}`) ?? (() => undefined)
}

const acquireDuration = "_pool_acquire_duration_seconds"
