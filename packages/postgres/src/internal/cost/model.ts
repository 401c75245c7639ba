/**
 * The option `heavy`: types alone.
 */
import type * as Duration from "effect/Duration"

/**
 * Which single statements are heavy, and how much of the pool they get.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeavyOptions {
  /**
   * A statement is heavy when 95 % of its last 32 runs, of 20 at least, are not all shorter than this, or each of its
   * first three took longer. Default 500 ms. Too short: ordinary statements queue in the lane. Too long: what holds
   * others up is not kept apart.
   */
  readonly above?: Duration.Input | undefined
  /**
   * ... or when the planner thinks that its total cost is at least this, as long as it has not run 20 times. Default
   * 100000. The planner is asked when a text comes first, and again after ten minutes. Too small: ordinary statements
   * queue in the lane until they have run. Too large: a heavy one is kept apart only once it has run.
   */
  readonly plannedAbove?: number | undefined
  /**
   * The part of `maxConnections` that heavy statements hold together at most, above 0 and at most 1; it is at least one
   * connection. Default 0.25. Too small: they are late, up to `acquireTimeout`. Too large: short ones wait for them.
   */
  readonly share?: number | undefined
}

/** `HeavyOptions`, complete. */
export interface HeavyRules {
  /** Milliseconds. */
  readonly above: number
  readonly plannedAbove: number
  readonly share: number
}
