/**
 * The numbers from which a pool is not well, as a user gives them and complete.
 */
import type * as Duration from "effect/Duration"

/**
 * The numbers above which a pool is not well.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolThresholds {
  /** Connections lent, percent of the limit. */
  readonly utilization: number
  /** Callers that wait; `"limit"`: as many as there may be connections just now. */
  readonly queue: number | "limit"
  /** How long callers wait, ms: in the mean, or one in twenty of them. */
  readonly wait: number
  /** The share of acquisitions and dials, and that of validations, that fail, 0 to 1. */
  readonly errorRate: number
}

/**
 * A preset by its name, or numbers of one's own: what is left out is as in `"calm"`.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolThresholdOptions = "calm" | "strict" | {
  /**
   * Connections lent, percent of the limit, above 0 and at most 100. Default 90, with `"strict"` 80. Too small: a pool in
   * good use warns. Too large: it warns when callers wait already, and at 100 never.
   */
  readonly utilization?: number | undefined
  /**
   * Callers that wait: an integer of at least 0, or `"limit"`, as many as there may be connections. Default `"limit"`, with
   * `"strict"` 10. Too small: every burst warns. Too large: callers time out unnoticed.
   */
  readonly queue?: number | "limit" | undefined
  /**
   * How long callers wait, greater than 0. Default 100 ms. Too short: every dial in front of a caller warns. Too long:
   * callers feel it first.
   */
  readonly wait?: Duration.Input | undefined
  /**
   * The share of acquisitions, dials and validations that fail, from 0 to 1. Default 0.05, with `"strict"` 0.01. Too small:
   * one failure among many warns. Too large: an outage has to be whole to show.
   */
  readonly errorRate?: number | undefined
}
