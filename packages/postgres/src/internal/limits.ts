/**
 * The limits of what is done on a connection, taken from the options of the pool.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"

export interface Limits {
  /**
   * How long one waits for the end of what others do on the same connection, and for a transaction to begin, in
   * milliseconds: each transaction asks for it, and would read a text such as "30 seconds" anew.
   */
  readonly wait: number
  /** How long a connection of listeners may be silent before it is asked for a sign of life, and has to answer. */
  readonly silence: Duration.Input
  readonly answer: Duration.Input
}

export type LimitOptions = Pick<PoolOptions, "acquireTimeout" | "healthCheck" | "maxConnections" | "validateTimeout">

export const limitsOf = ({ acquireTimeout, healthCheck, validateTimeout }: LimitOptions): Limits => ({
  wait: OptionRules.millisOf(acquireTimeout) ?? 30_000,
  silence: intervalOf(healthCheck) ?? "30 seconds",
  answer: validateTimeout ?? "1 second"
})

/** A schedule has no one interval. */
const intervalOf = (healthCheck: LimitOptions["healthCheck"]): Duration.Input | undefined =>
  Schedule.isSchedule(healthCheck) ? undefined : healthCheck
