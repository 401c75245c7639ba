/**
 * For authors of backend packages: checks the options that a backend adds to those of every pool.
 *
 * A package writes one table (`OwnTable`), with a rule for each of its own options, its default and what users should know of
 * it; the comments of its options and the pages about them are made of it. The table is also the list of them: what is not
 * in it is left to the pool, which checks its own options and refuses what neither knows. A broken rule becomes the
 * reason `InvalidOption`, which names the option and the rule but never shows the value, since it may be a secret given
 * to the wrong option.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { poolTable } from "./internal/options/poolTable.ts"
import { millisOf, type Rule } from "./internal/options/rule.ts"
import { hint } from "./internal/options/unknownOption.ts"
import type { OptionInfo, PoolOptions } from "./internal/model/config.ts"
import { describeOwn } from "./internal/options/describe.ts"
import type { OwnOption, OwnTable } from "./internal/options/own.ts"
import { InvalidOption } from "./PoolError.ts"

export { type About, part } from "./internal/options/entry.ts"
export { option, type OwnAbout, type OwnOption, type OwnTable } from "./internal/options/own.ts"
export { count, flag, millisOf, oneOf, type Rule } from "./internal/options/rule.ts"

/**
 * The options of a table, with what is said of each, for pages and tools.
 *
 * @category operations
 * @since 0.1.0
 */
export const infosOf = (table: Readonly<Record<string, OwnOption>>): ReadonlyArray<OptionInfo> => describeOwn(table)

/**
 * A rule for each option, so that none can be forgotten. `undefined` is allowed for all: it is an option not given.
 *
 * @category models
 * @since 0.1.0
 */
export type Rules<Options> = Readonly<Record<keyof Options, Rule>>

/** The options that a backend adds to those of every pool. @category models @since 0.1.0 */
export type Own<Options> = Omit<Options, keyof PoolOptions>

/** A backend's options, taken apart. @category models @since 0.1.0 */
export interface Split<Options> {
  /** Each keeps its rule. */
  readonly own: Own<Options>
  /** Not checked yet: the pool does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions & { readonly name: string }
}

/**
 * The options of a table as a backend keeps them: none is left out, and those with a default have a value.
 *
 * @category models
 * @since 0.1.0
 */
export type Complete<Options, Defaults> = {
  readonly [K in keyof Options]-?: K extends keyof Defaults ? Defaults[K] : Options[K]
}

/** A backend's options as its pool needs them. @category models @since 0.1.0 */
export interface Checked<out Settings> {
  /** The part that a connection needs. */
  readonly settings: Settings
  /** Not checked yet: the pool does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions
}

/**
 * Checks the options of something that is not a pool: each must have a rule, and keep it.
 *
 * @category operations
 * @since 0.1.0
 */
export const check = <Options extends object>(
  rules: Rules<Options>,
  options: Options
): Result.Result<void, InvalidOption> => {
  for (const [option, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, option) ? rules[option as keyof Options] : undefined
    if (rule === undefined) return refuse(option, `is not an option${hint(option, Object.keys(rules))}`)
    if (value !== undefined && !rule.is(value)) return refuse(option, `must be ${rule.expects}`)
  }
  return Result.succeed(undefined)
}

/**
 * Checks a backend's own options, and parts them from the pool's. `name` is the pool's unless the options have one.
 *
 * An option that neither knows is left to the pool, unless it is nearly the name of one that is known.
 *
 * @category operations
 * @since 0.1.0
 */
export const split = <Options extends PoolOptions>(
  rules: Rules<Own<Options>>,
  options: Options,
  name: string
): Result.Result<Split<Options>, InvalidOption> => {
  const part = (isOwn: boolean): object =>
    Object.fromEntries(Object.entries(options).filter(([option]) => Object.hasOwn(rules, option) === isOwn))
  const own = part(true) as Own<Options>
  const pool = { ...part(false), name: options.name ?? name }
  return Result.gen(function*() {
    // The backend makes other names of this one before the pool checks its own options.
    yield* check({ name: text }, { name: pool.name })
    yield* check(rules, own)
    yield* checkSpelling(rules, pool)
    return { own, pool }
  })
}

/**
 * Completes options that keep their rules with the defaults of their table. Of several givers, such as the options and a URL,
 * the first that says anything has its way. A duration with a default is kept in milliseconds.
 *
 * @category operations
 * @since 0.1.0
 */
export const complete = <Options, Defaults>(
  table: OwnTable<Options, Defaults>,
  ...given: ReadonlyArray<Partial<Options>>
): Complete<Options, Defaults> =>
  Object.fromEntries(
    Object.entries<OwnOption>(table).map(([option, { default: fallback, isDuration }]) => {
      const value = given.map((options) => options[option as keyof Options]).find((value) => value !== undefined)
      const kept = isDuration === true && fallback !== undefined ? millisOf(value) : value
      return [option, kept ?? fallback]
    })
    // The table has an entry for each option.
  ) as Complete<Options, Defaults>

/** The pool knows only its own options and could not tell which of the backend's was meant. */
const checkSpelling = (rules: object, pool: object): Result.Result<void, InvalidOption> => {
  const known = [...Object.keys(rules), ...Object.keys(poolTable)]
  for (const option of Object.keys(pool)) {
    const guess = known.includes(option) ? "" : hint(option, known)
    if (guess !== "") return refuse(option, `is not an option of a pool${guess}`)
  }
  return Result.succeed(undefined)
}

/**
 * Refuses an option for what no rule of its own tells, such as one that contradicts another. `rule` completes the
 * sentence that begins with the option's name.
 *
 * @category operations
 * @since 0.1.0
 */
export const refuse = (option: string, rule: string): Result.Result<never, InvalidOption> =>
  Result.fail(new InvalidOption({ option, rule }))

/**
 * Refuses the first of some options that is given: `rule` tells why it can't be.
 *
 * @category operations
 * @since 0.1.0
 */
export const refuseAny = <Options>(
  options: Options,
  refused: ReadonlyArray<keyof Options & string>,
  rule: string
): Result.Result<void, InvalidOption> => {
  const option = refused.find((option) => options[option] !== undefined)
  return option === undefined ? Result.succeed(undefined) : refuse(option, rule)
}

/**
 * The value that was read from an option, such as a URL; one that can't be read is refused with the rule that tells
 * why.
 *
 * @category operations
 * @since 0.1.0
 */
export const read = <A>(option: string, read: Result.Result<A, string>): Result.Result<A, InvalidOption> =>
  Result.mapError(read, (rule) => new InvalidOption({ option, rule }))

/**
 * A text that is not empty, and without NUL, which protocols written in C take for its end.
 *
 * @category rules
 * @since 0.1.0
 */
export const text: Rule = {
  expects: "a text without NUL",
  is: (value) => typeof value === "string" && value !== "" && !value.includes("\0")
}

/** A text in a `Redacted`. @category rules @since 0.1.0 */
export const secret: Rule = {
  expects: "a Redacted text, such as Redacted.make(\"...\")",
  is: (value) => Redacted.isRedacted(value) && typeof Redacted.value(value) === "string"
}

/**
 * A text in a `Redacted`, or an `Effect` that yields one, for passwords that change while the pool runs.
 *
 * @category rules
 * @since 0.1.0
 */
export const secretOrEffect: Rule = {
  expects: "a Redacted text or an Effect that yields one",
  is: (value) => Effect.isEffect(value) || secret.is(value)
}

/** An object of any kind, functions excepted. @category rules @since 0.1.0 */
export const object: Rule = { expects: "an object", is: (value) => typeof value === "object" && value !== null }

/**
 * Whether a value is an object of options that are all in a table and keep their rules, with those that must be given.
 *
 * @category rules
 * @since 0.1.0
 */
export const hasParts = (table: Readonly<Record<string, Rule>>, ...needed: ReadonlyArray<string>) =>
(
  value: unknown
): boolean =>
  object.is(value) && !Array.isArray(value) &&
  needed.every((part) => (value as Readonly<Record<string, unknown>>)[part] !== undefined) &&
  Object.entries(value as object).every(([part, given]) =>
    Object.hasOwn(table, part) && (given === undefined || table[part]!.is(given))
  )

/** A function. @category rules @since 0.1.0 */
export const callable: Rule = { expects: "a function", is: (value) => typeof value === "function" }

/**
 * A bound of a duration, which messages repeat as it is written: a number is in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type Bound = Extract<Duration.Input, number | string>

/** The longest time that a timer of Node can wait. */
const longest = 0x7fffffff

/**
 * A duration from `minimum` to `maximum`, which is the longest that a timer of Node can wait unless it is given.
 *
 * @category rules
 * @since 0.1.0
 */
export const duration = (minimum: Bound, maximum: Bound = longest): Rule => ({
  expects: maximum === longest
    ? `a finite duration of at least ${told(minimum)}`
    : `a duration from ${told(minimum)} to ${told(maximum)}`,
  isDuration: true,
  is: (value) => {
    const millis = millisOf(value)
    return millis !== undefined && millis >= Duration.toMillis(minimum) && millis <= Duration.toMillis(maximum)
  }
})

const told = (bound: Bound): string => typeof bound === "number" ? `${bound} ms` : bound
