/**
 * One entry of a table of options: its rule, its default, its form in the configuration, and what users should know.
 */
import type * as Duration from "effect/Duration"
import { count as countRule, flag as flagRule, millisOf, oneOf as oneOfRule, type Rule } from "./rule.ts"

/** The documentation of an option, as whole sentences. */
export interface About {
  readonly does: string
  /** The unit of a number; `"duration"` goes without saying for a duration. */
  readonly unit?: string | undefined
  /** The default in a few characters, where it does not show itself. */
  readonly shows?: string | undefined
  /** Whether the kinds of pool differ in the default. */
  readonly isByKind?: boolean | undefined
  /** The sentence that tells the default where its value alone does not. */
  readonly defaults?: string | undefined
  /** Remarks: how it goes together with other options, say. */
  readonly note?: string | undefined
  readonly tooSmall?: string | undefined
  readonly tooLarge?: string | undefined
}

/** An option with a value of its own. */
export interface Leaf<in Given, out Kept, in All> extends Rule {
  readonly _tag: "Leaf"
  readonly isDuration: boolean
  /** The default of a pool of any service. Kinds may have others. */
  readonly default: Kept
  /** Its form in the configuration. */
  readonly keep: (given: Given) => Kept
  /**
   * The value where it is not given and a default might contradict an option that is: a default gives way. `all` is the
   * configuration so far, `base` the defaults.
   */
  readonly yields?: ((all: All, base: All) => Kept) | undefined
  readonly about: About | undefined
}

/** An option that has options of its own. */
export interface Group<Given, Kept, All> {
  readonly _tag: "Group"
  readonly fields: Table<Given, Kept, All>
  readonly about: About | undefined
}

type Entry<Given, Kept, All> = Leaf<Given, Kept, All> | Group<Given, Kept, All>

/** An entry for each option, so that none can be forgotten. */
export type Table<Given, Kept, All> = {
  readonly [K in keyof Kept]-?: Entry<NonNullable<Given[K & keyof Given]>, Kept[K], All>
}

/** A table whatever its options are, for those who only go through it. */
export interface AnyTable {
  readonly [option: string]: Leaf<any, unknown, any> | AnyGroup
}

interface AnyGroup {
  readonly _tag: "Group"
  readonly fields: AnyTable
  readonly about: About | undefined
}

/** The values for the priorities, say, are documented together, by their group. */
type More<All, Kept> = Partial<About> & { readonly yields?: (all: All, base: All) => Kept }

const aboutOf = ({ does, ...more }: Partial<About>): About | undefined =>
  does === undefined ? undefined : { does, ...more }

/** An option whose value is kept as it is given. */
export const value = <A, All>(rule: Rule, fallback: A, { yields, ...about }: More<All, A> = {}): Leaf<A, A, All> => ({
  _tag: "Leaf",
  isDuration: false,
  ...rule,
  default: fallback,
  keep: (given) => given,
  yields,
  about: aboutOf(about)
})

/** An option that is given in one form and kept in another. */
export const converted = <Given, Kept, All>(
  rule: Rule,
  fallback: Kept,
  keep: (given: Given) => Kept,
  about: About
): Leaf<Given, Kept, All> => ({ _tag: "Leaf", isDuration: false, ...rule, default: fallback, keep, about })

export const count = <All>(
  [minimum, maximum]: readonly [minimum: number, maximum?: number],
  fallback: number,
  more: More<All, number>
): Leaf<number, number, All> => value(countRule(minimum, maximum), fallback, more)

const isFiniteNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

export const positive: Rule = {
  expects: "a finite number greater than 0",
  is: (value) => isFiniteNumber(value) && value > 0
}

/** A part of a whole that can't be none of it. @category rules @since 0.1.0 */
export const part: Rule = {
  expects: "a number greater than 0 and at most 1",
  is: (value) => isFiniteNumber(value) && value > 0 && value <= 1
}

export const upTo = (most: number): Rule => ({
  expects: `a number from 0 to ${most}`,
  is: (value) => isFiniteNumber(value) && value >= 0 && value <= most
})

export const isDuration = (value: unknown): boolean => isFiniteMillis(value, (millis) => millis > 0)

const isFiniteMillis = (value: unknown, is: (millis: number) => boolean): boolean => {
  const millis = millisOf(value)
  return millis !== undefined && Number.isFinite(millis) && is(millis)
}

const someTime: Rule = { expects: "a finite duration greater than 0, such as \"5 seconds\" or 5000", is: isDuration }

const anyTime: Rule = {
  expects: "a finite duration of at least 0, such as \"1 second\" or 0",
  is: (value) => isFiniteMillis(value, (millis) => millis >= 0)
}

const time =
  (rule: Rule) =>
  <All>(fallback: number, { yields, ...about }: More<All, number> = {}): Leaf<Duration.Input, number, All> => ({
    _tag: "Leaf",
    isDuration: true,
    ...rule,
    default: fallback,
    // The rule has told that it is one.
    keep: (given) => millisOf(given)!,
    yields,
    about: aboutOf(about)
  })

/** A duration greater than 0, kept in milliseconds. */
export const duration: ReturnType<typeof time> = time(someTime)

/** A duration of at least 0, kept in milliseconds. */
export const delay: ReturnType<typeof time> = time(anyTime)

export const flag = <All>(fallback: boolean, about: About): Leaf<boolean, boolean, All> =>
  value(flagRule, fallback, about)

export const oneOf = <A, All>(values: ReadonlyArray<A>, fallback: A, about: About): Leaf<A, A, All> =>
  value(oneOfRule(...values), fallback, about)

export const group = <Given, Kept, All>(fields: Table<Given, Kept, All>, about: About): Group<Given, Kept, All> => ({
  _tag: "Group",
  fields,
  about
})
