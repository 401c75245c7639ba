/**
 * Checks and completes the option `heavy`.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { HeavyOptions, HeavyRules } from "./model.ts"

export const table: OptionRules.OwnTable<HeavyOptions, HeavyRules> = {
  above: OptionRules.option(OptionRules.duration(1), {
    does:
      "A statement is heavy when 95 % of its last 32 runs, of 20 at least, are not all shorter than this, or each of its first three " +
      "took longer.",
    default: 500,
    tooSmall: "ordinary statements queue in the lane.",
    tooLarge: "what holds others up is not kept apart."
  }),
  plannedAbove: OptionRules.option(OptionRules.count(1), {
    does: "... or when the planner thinks that its total cost is at least this, as long as it has not run 20 times.",
    default: 100_000,
    note: "The planner is asked when a text comes first, and again after ten minutes.",
    tooSmall: "ordinary statements queue in the lane until they have run.",
    tooLarge: "a heavy one is kept apart only once it has run."
  }),
  share: OptionRules.option(OptionRules.part, {
    does:
      "The part of `maxConnections` that heavy statements hold together at most, above 0 and at most 1; it is at least one " +
      "connection.",
    default: 0.25,
    tooSmall: "they are late, up to `acquireTimeout`.",
    tooLarge: "short ones wait for them."
  })
}

export const rule: OptionRules.Rule = {
  expects:
    "an object with above (a duration), plannedAbove (an integer of at least 1) or share (above 0 and at most 1)",
  is: OptionRules.hasParts(table)
}

export const rulesOf = (options: HeavyOptions | undefined): HeavyRules | undefined =>
  options && OptionRules.complete(table, options)
