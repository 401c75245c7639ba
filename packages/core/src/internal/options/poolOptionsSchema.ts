/**
 * The rules that the options of a pool keep, as one `Schema`: each option alone, unknown options, and options beside
 * one another. What it refuses is told as the option's name and the rule it breaks, in words.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as OptionRules from "../../OptionRules.ts"
import type { PoolOptions } from "../model/config.ts"
import { priorities } from "../model/traffic.ts"
import * as PoolThresholds from "../../PoolThresholds.ts"
import type { PoolThresholdOptions } from "../model/thresholds.ts"
import { common, connectRateFor } from "./poolDefaults.ts"
import { hint } from "./unknownOption.ts"

/** The option that is refused and the rule it breaks. */
export interface Refusal {
  readonly option: string
  readonly rule: string
}

/** The checked options as a copy of its own, or the first option refused. */
export const check = (options: unknown): Result.Result<PoolOptions, Refusal> =>
  Result.mapError(decode(options), (issue) => refusalOf(issue, ""))

interface OptionSchema<A> extends Schema.optionalKey<Schema.declare<A | undefined>> {}

/** An option that may be left out, or given as `undefined`. What it `expects` completes the sentence "must be ...". */
const option = <A>(expects: string, is: (value: unknown) => boolean): OptionSchema<A> =>
  Schema.optionalKey(
    Schema.declare((value: unknown): value is A | undefined => value === undefined || is(value), { expected: expects })
  )

const number = (expects: string, is: (value: number) => boolean): OptionSchema<number> =>
  option(expects, (value) => typeof value === "number" && Number.isFinite(value) && is(value))

const count = (minimum: number, maximum?: number): OptionSchema<number> => {
  const { expects, is } = OptionRules.count(minimum, maximum)
  return option(expects, is)
}

const isDuration = (value: unknown, minimum: (ms: number) => boolean): boolean => {
  const ms = OptionRules.millisOf(value)
  return ms !== undefined && Number.isFinite(ms) && minimum(ms)
}

const isPositive = (n: number): boolean => n > 0

const duration: OptionSchema<Duration.Input> = option(
  "a finite duration greater than 0, such as \"5 seconds\" or 5000",
  (value) => isDuration(value, isPositive)
)

/** One value for each priority, all of which may be left out. */
const perPriority = <A>(field: OptionSchema<A>) =>
  Schema.optional(Schema.Struct({ high: field, normal: field, low: field }))

const share = number("a number greater than 0 and at most 1", (n) => n > 0 && n <= 1)

const isWeights = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  Object.values(value).every((weight) => typeof weight === "number" && weight > 0 && weight <= 1_000_000)

const trafficFields = {
  slack: perPriority(option<Duration.Input>(
    "a finite duration of at least 0, such as \"1 second\" or 0",
    (value) => isDuration(value, (ms) => ms >= 0)
  )),
  share: perPriority(share),
  places: perPriority(number("a number from 0 to 2", (n) => n >= 0 && n <= 2)),
  weights: option<Readonly<Record<string, number>>>(
    "an object of keys with numbers greater than 0 and at most 1000000",
    isWeights
  ),
  maxShare: share,
  shedAfter: duration,
  degradation: option<"auto" | "manual">(
    "\"auto\" or \"manual\"",
    (value) => value === "auto" || value === "manual"
  ),
  degradedWait: duration,
  retryBudget: number("a number from 0 to 1", (n) => n >= 0 && n <= 1)
}

const fields = {
  name: option<string>(
    "a text of 1 to 200 characters without control characters",
    (value) => typeof value === "string" && /^[^\p{Cc}]{1,200}$/u.test(value) && value.trim() !== ""
  ),
  minConnections: count(0, 100_000),
  maxConnections: count(1, 100_000),
  acquireTimeout: duration,
  connectTimeout: duration,
  validateTimeout: duration,
  resetTimeout: duration,
  closeTimeout: duration,
  drainTimeout: duration,
  idleTimeout: duration,
  maxLifetime: duration,
  maxLifetimeJitter: number("a number from 0 to 1", (n) => n >= 0 && n <= 1),
  maxUses: count(1),
  freshnessWindow: option<Duration.Input>(
    "a finite duration of at least 0, such as \"1 second\" or 0",
    (value) => isDuration(value, (ms) => ms >= 0)
  ),
  pendingLimit: count(0),
  connectRate: number("a finite number greater than 0", isPositive),
  retry: option<Schedule.Schedule<unknown, unknown>>("a Schedule", Schedule.isSchedule),
  breaker: Schema.optional(Schema.Struct({
    failureRate: number("a number greater than 0 and at most 1", (n) => n > 0 && n <= 1),
    minimumDials: count(1),
    openDuration: duration
  })),
  healthCheck: option<Duration.Input | Schedule.Schedule<unknown>>(
    "a finite duration greater than 0, such as \"30 seconds\", or a Schedule",
    (value) => Schedule.isSchedule(value) || isDuration(value, isPositive)
  ),
  leakTimeout: duration,
  reclaimTimeout: duration,
  slowAcquireTimeout: duration,
  startup: option<"failFast" | "lazy">("\"failFast\" or \"lazy\"", (value) => value === "failFast" || value === "lazy"),
  startupTimeout: duration,
  // The room of the buffer is taken at once: a slip of a few zeros must not exhaust the memory.
  eventBuffer: count(1, 1_000_000),
  metrics: option<boolean>("true or false", (value) => typeof value === "boolean"),
  traffic: Schema.optional(Schema.Struct(trafficFields)),
  // Checked by a rule, which tells which of its numbers is wrong.
  thresholds: option<PoolThresholdOptions>("anything", () => true)
}

type Rule = (options: PoolOptions) => Schema.FilterIssue | undefined

/**
 * `shorter` must be less than `longer`, or `orEqual`. Without a `fallback` the rule holds only where both are given.
 * Counts compare as durations do, since a duration given as a number is in milliseconds.
 */
const ordered = (
  shorter: keyof PoolOptions,
  relation: "must not exceed" | "must be less than",
  longer: keyof PoolOptions,
  fallback?: number
): Rule =>
(options) => {
  const low = OptionRules.millisOf(options[shorter])
  const high = OptionRules.millisOf(options[longer]) ?? fallback
  if (low === undefined || high === undefined || low < high) return undefined
  if (low === high && relation === "must not exceed") return undefined
  const limit = options[longer] === undefined ? `${high} ms by default` : show(options[longer])
  return { path: [shorter], issue: `${relation} ${longer} (${limit}), got ${show(options[shorter])}` }
}

const startupTimeoutHasEffect: Rule = ({ minConnections, startup, startupTimeout }) => {
  if (startupTimeout === undefined) return undefined
  const without = startup === "lazy" ? "startup is \"lazy\"" : minConnections === 0 ? "minConnections is 0" : undefined
  return without === undefined
    ? undefined
    : { path: ["startupTimeout"], issue: `has no effect when ${without}, leave one of them out` }
}

const thresholds: Rule = (options) => {
  const refused = PoolThresholds.refusalOf(options.thresholds)
  if (refused === undefined) return undefined
  const path = refused.option === undefined ? ["thresholds"] : ["thresholds", refused.option]
  return { path, issue: refused.rule }
}

/** What `connectRate` lets begin within `startupTimeout` must be enough for the minimum. */
const startsInTime: Rule = ({ connectRate, maxConnections, minConnections = 0, startup, startupTimeout }) => {
  const rate = connectRate ?? connectRateFor(maxConnections ?? minConnections)
  const millis = OptionRules.millisOf(startupTimeout) ?? common.startupTimeout
  const takes = (minConnections - Math.max(1, Math.round(rate))) / rate * 1000
  return startup === "lazy" || takes < millis ? undefined : {
    path: ["minConnections"],
    issue: `can't be open within startupTimeout (${millis} ms) at connectRate ${rate}, got ${minConnections}`
  }
}

const rules: ReadonlyArray<Rule> = [
  thresholds,
  ordered("minConnections", "must not exceed", "maxConnections"),
  ordered("validateTimeout", "must not exceed", "acquireTimeout", common.acquireTimeout),
  ordered("slowAcquireTimeout", "must be less than", "acquireTimeout", common.acquireTimeout),
  ordered("idleTimeout", "must not exceed", "maxLifetime"),
  ordered("leakTimeout", "must be less than", "reclaimTimeout"),
  startupTimeoutHasEffect,
  startsInTime
]

const Options = Schema.Struct(fields).check(
  Schema.makeFilter((options) => rules.map((rule) => rule(options)).filter((issue) => issue !== undefined))
)

const decode: (options: unknown) => Result.Result<PoolOptions, SchemaIssue.Issue> = SchemaParser.decodeUnknownResult(
  Options,
  { onExcessProperty: "error", reportInput: true }
)

/** The first issue that names an option. */
const refusalOf = (issue: SchemaIssue.Issue, path: string): Refusal => {
  const refuse = (rule: string): Refusal => ({ option: path === "" ? "options" : path, rule })
  switch (issue._tag) {
    case "Pointer":
      return refusalOf(issue.issue, [path, ...issue.path.map(String)].filter((part) => part !== "").join("."))
    case "Composite":
      return refusalOf(issue.issues[0], path)
    case "Filter":
    case "Encoding":
      return refusalOf(issue.issue, path)
    case "UnexpectedKey":
      // Its value is not shown: the pool does not know what it is, and it may be a secret.
      return refuse(`is not an option of a pool${hint(...placeOf(path))}`)
    case "InvalidValue":
      return refuse(String(issue.annotations?.["message"]))
    case "InvalidType":
      return refuse(`must be ${issue.ast.annotations?.["expected"] ?? "an object"}, got ${show(issue.input)}`)
    case "AnyOf":
      return issue.issues[0] === undefined
        ? refuse(`must be an object, got ${show(issue.input)}`)
        : refusalOf(issue.issues[0], path)
    case "MissingKey":
    case "Forbidden":
    case "OneOf":
      return refuse("is not allowed")
  }
}

const knownWithin: Readonly<Record<string, ReadonlyArray<string>>> = {
  breaker: Object.keys(common.breaker),
  traffic: Object.keys(trafficFields),
  slack: priorities,
  share: priorities,
  places: priorities
}

/** The last part of an option's path, and the options that are known there. */
const placeOf = (path: string): readonly [option: string, known: ReadonlyArray<string>] => {
  const [option = "", within] = path.split(".").toReversed()
  return [option, knownWithin[within ?? ""] ?? Object.keys(fields)]
}

/** A value on one line of at most 60 characters. Of objects only the kind is told: they may hold anything. */
const show = (value: unknown): string => {
  switch (typeof value) {
    case "string": {
      const text = JSON.stringify(value)
      return text.length > 60 ? `${text.slice(0, 59)}…` : text
    }
    case "bigint":
      return `${value}n`.slice(0, 60)
    case "function":
      return "a function"
    case "object":
      if (value === null) return "null"
      if (Duration.isDuration(value)) return Duration.format(value)
      return Array.isArray(value) ? "an array" : "an object"
    default:
      return String(value)
  }
}
