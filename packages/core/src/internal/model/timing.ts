/**
 * A distribution of durations as it is read.
 */

/**
 * A distribution of durations in milliseconds: how many, their mean, and what 50, 95 and 99 % of them did not exceed.
 *
 * Percentiles are read from buckets at most 12.5 % wide; they never under-state. All are 0 while `count` is 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timing {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}
