/**
 * Checks and completes the option `heavy`.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { HeavyOptions, HeavyRules } from "./model.ts"

const parts: OptionRules.Rules<HeavyOptions> = {
  above: OptionRules.duration(1),
  plannedAbove: OptionRules.count(1),
  share: {
    expects: "a number above 0 and at most 1",
    is: (value) => typeof value === "number" && value > 0 && value <= 1
  }
}

export const rule: OptionRules.Rule = {
  expects:
    "an object with above (a duration), plannedAbove (an integer of at least 1) or share (above 0 and at most 1)",
  is: (value) => OptionRules.object.is(value) && OptionRules.check(parts, value as HeavyOptions)._tag === "Success"
}

export const rulesOf = (options: HeavyOptions | undefined): HeavyRules | undefined =>
  options === undefined ? undefined : {
    above: OptionRules.millisOf(options.above) ?? 500,
    plannedAbove: options.plannedAbove ?? 100_000,
    share: options.share ?? 0.25
  }
