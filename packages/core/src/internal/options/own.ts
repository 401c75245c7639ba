/**
 * The table of a backend's own options: an entry for each, with its rule, its default and what users should know of it.
 */
import type { About } from "./entry.ts"
import type { Rule } from "./rule.ts"

/** An option of a backend. @category models @since 0.1.0 */
export interface OwnOption<out Default = unknown> extends Rule {
  /** `undefined` where it has none, or one that depends; then `about` tells it. */
  readonly default: Default
  readonly about: About
  /** The options that it consists of, for the documentation: its own rule checks them too. */
  readonly within: Readonly<Record<string, OwnOption>> | undefined
}

/**
 * An entry for each option, so that none can be forgotten. `Defaults` are those that have a default of their own, in the
 * form in which it is kept: a duration in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type OwnTable<Options, Defaults = unknown> = {
  readonly [K in keyof Options]-?: OwnOption<K extends keyof Defaults ? Defaults[K] : undefined>
}

/** The documentation of an option, its default, and the options that it consists of. @category models @since 0.1.0 */
export interface OwnAbout<out Default> extends About {
  readonly default?: Default
  readonly within?: Readonly<Record<string, OwnOption>>
}

/** An entry of a table. @category constructors @since 0.1.0 */
export const option = <const Default = undefined>(
  rule: Rule,
  { default: fallback, within, ...about }: OwnAbout<Default>
): OwnOption<Default> => ({
  ...rule,
  // Left out, it is the `undefined` that `Default` then stands for.
  default: fallback as Default,
  about,
  within
})
