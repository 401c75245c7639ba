/**
 * Reads the traffic a caller said of itself: for this one lease, or around the effect that asks (`Traffic.with`).
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { millisOf } from "../../OptionRules.ts"
import { PoolMisuse } from "../../PoolError.ts"
import { priorities, type Said, type TrafficOptions } from "../model/traffic.ts"
import type { Lease } from "./lease.ts"

/** The traffic of a caller that said nothing. */
export const nothing: Said = Object.freeze({
  priority: "normal",
  fairKey: undefined,
  deadlineAt: Infinity,
  isRetry: false
})

/** The traffic said around the running effect. */
export const around: Context.Reference<Said> = Context.Reference<Said>("@effect-pools/core/Traffic", {
  defaultValue: () => nothing
})

/** Longer keys are cut: they may come from outside, and every one is kept. */
const longestKey = 200

/** Says something more within what was said already. Whatever is no traffic at all is a defect of the program. */
export const sayWithin = (outer: Said, { deadline, fairKey, isRetry, priority }: TrafficOptions, now: number): Said => {
  if (priority !== undefined && !priorities.includes(priority)) {
    throw misuse(`priority must be "high", "normal" or "low", got ${String(priority)}`)
  }
  if (fairKey !== undefined && typeof fairKey !== "string") throw misuse("fairKey must be a text")
  const left = deadline === undefined ? Infinity : millisOf(deadline)
  if (left === undefined || Number.isNaN(left)) {
    throw misuse("deadline must be a duration, such as \"1 second\" or 1000")
  }
  if (isRetry !== undefined && typeof isRetry !== "boolean") throw misuse("isRetry must be true or false")
  return {
    priority: priority ?? outer.priority,
    fairKey: fairKey?.slice(0, longestKey) ?? outer.fairKey,
    // An inner effect can't take longer than the outer one.
    deadlineAt: Math.min(outer.deadlineAt, now + left),
    isRetry: isRetry ?? outer.isRetry
  }
}

const misuse = (rule: string): PoolMisuse => new PoolMisuse({ pool: "Traffic", rule })

/** Nobody asks before a caller must wait, unless the pool weighs every lease. */
export const saidOf = (lease: Lease, clock: Clock.Clock): Said => {
  const outer = lease.fiber.getRef(around)
  const { options } = lease.request
  return options === undefined || (options.priority ?? options.fairKey ?? options.deadline) === undefined
    ? outer
    : sayWithin(outer, options, clock.currentTimeMillisUnsafe())
}
