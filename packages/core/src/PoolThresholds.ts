/**
 * From which numbers on a pool is not well: what its health warns of, and what the manager raises alerts for.
 *
 * - `"calm"`, the default, warns of what callers feel: nearly all connections lent, as many callers waiting as there may
 *   be connections, one acquisition in twenty failing. A pool that is busy and copes stays healthy.
 * - `"strict"` warns before callers feel it: a fifth of the connections left, ten callers waiting, one acquisition in a
 *   hundred failing. For pools that have room on purpose.
 *
 * Both take a wait of 100 ms for too long, since it is what a person notices.
 *
 * @since 0.1.0
 */
import type { PoolThresholdOptions, PoolThresholds } from "./internal/model/thresholds.ts"
import { millisOf } from "./internal/options/rule.ts"

export type { PoolThresholdOptions, PoolThresholds } from "./internal/model/thresholds.ts"

/** @category presets @since 0.1.0 */
export const presets: Readonly<Record<"calm" | "strict", PoolThresholds>> = Object.freeze({
  calm: Object.freeze({ utilization: 90, queue: "limit", wait: 100, errorRate: 0.05 }),
  strict: Object.freeze({ utilization: 80, queue: 10, wait: 100, errorRate: 0.01 })
})

/** Completes what was given and checked. @category constructors @since 0.1.0 */
export const make = (given: PoolThresholdOptions = "calm"): PoolThresholds => {
  if (typeof given === "string") return presets[given]
  const { calm } = presets
  return Object.freeze({
    utilization: given.utilization ?? calm.utilization,
    queue: given.queue ?? calm.queue,
    wait: millisOf(given.wait) ?? calm.wait,
    errorRate: given.errorRate ?? calm.errorRate
  })
}

/**
 * The fault of a value, if it has one: which of the numbers (none: the whole) and the rule it breaks, which completes
 * the sentence that begins with its name.
 *
 * @category operations
 * @since 0.1.0
 */
export const refusalOf = (
  given: unknown
): { readonly option: string | undefined; readonly rule: string } | undefined => {
  if (given === undefined || given === "calm" || given === "strict") return undefined
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return { option: undefined, rule: `must be "calm", "strict" or an object with ${Object.keys(rules).join(", ")}` }
  }
  for (const [option, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined
    if (rule === undefined) return { option, rule: `is none of ${Object.keys(rules).join(", ")}` }
    if (value !== undefined && !rule.is(value)) return { option, rule: `must be ${rule.expects}` }
  }
  return undefined
}

const isFrom = (value: unknown, least: number, most: number): boolean =>
  typeof value === "number" && value >= least && value <= most

const rules: Readonly<Record<string, { readonly expects: string; readonly is: (value: unknown) => boolean }>> = {
  utilization: {
    expects: "a number (percent) above 0 and at most 100",
    is: (value) => isFrom(value, 0, 100) && value !== 0
  },
  queue: {
    expects: "an integer of at least 0, or \"limit\"",
    is: (value) => value === "limit" || (Number.isSafeInteger(value) && Number(value) >= 0)
  },
  wait: {
    expects: "a finite duration greater than 0",
    is: (value) => {
      const millis = millisOf(value)
      return millis !== undefined && millis > 0 && Number.isFinite(millis)
    }
  },
  errorRate: { expects: "a number from 0 to 1", is: (value) => isFrom(value, 0, 1) }
}
