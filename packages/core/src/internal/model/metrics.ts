/**
 * A series of metrics: its name, and the histogram that it may be read from.
 */

/**
 * A histogram of milliseconds that is read at each scrape.
 *
 * @category models
 * @since 0.1.0
 */
export interface Durations {
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  /** How many did not exceed each of the ascending boundaries; `zeros` more are counted as 0. */
  readonly cumulative: (boundaries: ReadonlyArray<number>, zeros?: number) => ReadonlyArray<number>
}

/**
 * The name and the labels of a series.
 *
 * @category models
 * @since 0.1.0
 */
export interface Series {
  readonly name: string
  readonly description: string
  readonly attributes: Readonly<Record<string, string>>
}

/**
 * Upper bounds of the buckets of every histogram, in seconds.
 *
 * They are edges of the buckets that durations are recorded in, so that the published counts are exact.
 *
 * @category constants
 * @since 0.1.0
 */
export const boundaries: ReadonlyArray<number> = Object.freeze([
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.02,
  0.04,
  0.08,
  0.16,
  0.32,
  0.64,
  1.28,
  2.56,
  5.12,
  10.24,
  20.48,
  40.96
])
