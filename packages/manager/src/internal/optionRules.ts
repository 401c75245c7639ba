/**
 * Checks options against a table of rules, and completes them. The table is also the list of the options there are.
 */
import { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** What an option must be, to complete the sentence "must be ...", and whether a value is that. */
export type Rule = readonly [expects: string, is: (value: unknown) => boolean]

export const flag: Rule = ["true or false", (value) => typeof value === "boolean"]

export const oneOf = (...values: ReadonlyArray<unknown>): Rule => [
  values.map((value) => JSON.stringify(value)).join(" or "),
  (value) => values.includes(value)
]

export const count = (minimum: number, maximum: number): Rule => [
  `an integer from ${minimum} to ${maximum}`,
  (value) => Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum
]

export const duration = (minimum: Duration.Input, maximum: Duration.Input = "24 hours"): Rule => [
  `a duration from ${Duration.format(Duration.fromInputUnsafe(minimum))} to ${
    Duration.format(Duration.fromInputUnsafe(maximum))
  }`,
  (value) => {
    const ms = millisOf(value)
    return ms !== undefined && ms >= Duration.toMillis(minimum) && ms <= Duration.toMillis(maximum)
  }
]

export const millisOf = (input: unknown): number | undefined =>
  typeof input === "number" && Number.isNaN(input)
    ? undefined
    : Option.getOrUndefined(Option.map(Duration.fromInput(input as Duration.Input), Duration.toMillis))

/** Fails with the first option that is unknown or is not what it must be. Values are not shown: one may be a secret. */
export const check = (
  owner: string,
  rules: Readonly<Record<string, Rule>>,
  options: object
): Effect.Effect<void, PoolError> =>
  Effect.suspend(() => {
    for (const [option, value] of Object.entries(options)) {
      const rule = Object.hasOwn(rules, option) ? rules[option] : undefined
      if (rule === undefined) return refuse(owner, option, "is not an option")
      if (value !== undefined && !rule[1](value)) return refuse(owner, option, `must be ${rule[0]}`)
    }
    return Effect.void
  })

export const refuse = (owner: string, option: string, rule: string): Effect.Effect<never, PoolError> =>
  Effect.fail(new PoolError({ pool: owner, reason: new InvalidOption({ option, rule }) }))
