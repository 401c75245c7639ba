/**
 * The options of outlier ejection: the rule of each, its default, and what users should know of it. The comments of
 * `OutlierEjection` are made of this table (`npm run options`), and so are the pages about them.
 */
import { count, millisOf, option, type OwnTable, part, type Rule } from "../../OptionRules.ts"
import type { OutlierEjection } from "../model/balanced.ts"

export const isDuration = (value: unknown, minimum: (ms: number) => boolean): boolean => {
  const ms = millisOf(value)
  return ms !== undefined && Number.isFinite(ms) && minimum(ms)
}

export const duration: Rule = {
  expects: "a finite duration greater than 0, such as \"30 seconds\"",
  isDuration: true,
  is: (value) => isDuration(value, (ms) => ms > 0)
}

/** Durations are in milliseconds. */
type Defaults = Readonly<Record<keyof OutlierEjection, number>>

/**
 * The options of `OutlierEjection`, with the rule and the default of each and what users should know of it: for kinds of
 * pools whose options have them too.
 *
 * @category options
 * @since 0.1.0
 */
export const ejectionTable: OwnTable<OutlierEjection, Defaults> = {
  consecutiveFailures: option(count(1), {
    does: "Ejected after so many failures in a row, at least 1.",
    default: 5,
    tooSmall: "chance ejects upstreams that are well.",
    tooLarge: "many callers find out that an upstream is not."
  }),
  failureRate: option(part, {
    does: "Ejected as well when this share of the leases within `interval` failed, above 0 and at most 1.",
    default: 0.5,
    tooSmall: "errors of callers eject upstreams that are well.",
    tooLarge: "a sick one keeps half of its callers."
  }),
  minimumLeases: option(count(1), {
    does: "How many leases `failureRate` is judged by at least.",
    default: 50,
    tooSmall: "chance decides.",
    tooLarge: "where few come, nothing is ever ejected."
  }),
  interval: option(duration, {
    does: "How long leases are counted for `failureRate` before the count begins anew.",
    default: 10_000,
    tooSmall: "few leases are judged.",
    tooLarge: "a failure that begins is lost among what went well before."
  }),
  baseEjectionTime: option(duration, {
    does:
      "How long the first ejection lasts; the second in a row lasts twice as long, the third three times, and so on. " +
      "Each such time that an upstream stays in takes one back.",
    default: 30_000,
    tooSmall: "a sick upstream is asked again and again.",
    tooLarge: "one that is well again stays unused."
  }),
  maxEjectionTime: option(duration, {
    does: "The longest an ejection lasts, at least `baseEjectionTime`.",
    default: 300_000,
    tooSmall: "an upstream that never gets well is asked often.",
    tooLarge: "one that gets well after all is found late."
  }),
  maxEjectedShare: option(part, {
    does: "The largest share of the upstreams that may be ejected at once, above 0 and at most 1.",
    default: 0.5,
    defaults: "Default 0.5; of two or more one may always be.",
    tooLarge: "the rest is overrun by a load meant for all."
  })
}
