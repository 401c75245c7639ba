/**
 * The rules that single values keep: the least that both the table of a pool's options and those of the backends need.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The rule that an option keeps. @category models @since 0.1.0 */
export interface Rule {
  /** Completes the sentence "must be ...". */
  readonly expects: string
  readonly is: (value: unknown) => boolean
  /** Whether it is a duration, which is given in any form and kept in milliseconds. */
  readonly isDuration?: boolean
}

/** Milliseconds of a duration, finite or not; `undefined` if the input is none. @category conversions @since 0.1.0 */
export const millisOf = (input: unknown): number | undefined =>
  isAmount(input) ? Option.getOrUndefined(Option.map(Duration.fromInput(input), Duration.toMillis)) : undefined

const units = new Set(["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"])

// `Duration` reads NaN, an empty object and units it does not know as 0, which would pass for "switched off".
const isAmount = (input: unknown): input is Duration.Input => {
  if (typeof input === "number") return !Number.isNaN(input)
  if (typeof input === "string" || typeof input === "bigint" || Duration.isDuration(input)) return true
  if (Array.isArray(input)) return input.length === 2 && input.every((part) => Number.isFinite(part))
  if (typeof input !== "object" || input === null) return false
  const entries = Object.entries(input).filter(([, amount]) => amount !== undefined)
  return entries.length > 0 && entries.every(([unit, amount]) => units.has(unit) && Number.isFinite(amount))
}

/** An integer from `minimum` to `maximum`, which may be left out. @category rules @since 0.1.0 */
export const count = (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Rule => ({
  expects: maximum === Number.MAX_SAFE_INTEGER
    ? `an integer of at least ${minimum}`
    : `an integer from ${minimum} to ${maximum}`,
  is: (value) => Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum
})

/** `true` or `false`. @category rules @since 0.1.0 */
export const flag: Rule = { expects: "true or false", is: (value) => typeof value === "boolean" }

/** One of a few values. @category rules @since 0.1.0 */
export const oneOf = (...values: ReadonlyArray<unknown>): Rule => ({
  expects: values.map((value) => JSON.stringify(value)).join(" or "),
  is: (value) => values.includes(value)
})
