/**
 * The rules that the options of a pool keep, as one `Schema`: each option alone, unknown options, and options beside
 * one another. What it refuses is told as the option's name and the rule it breaks, in words.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import type { PoolOptions } from "../model/config.ts"
import * as PoolThresholds from "../../PoolThresholds.ts"
import { common } from "./complete.ts"
import type { AnyTable } from "./entry.ts"
import { connectRateFor, poolTable } from "./poolTable.ts"
import { millisOf } from "./rule.ts"
import { hint } from "./unknownOption.ts"

/** The option that is refused and the rule it breaks. */
export interface Refusal {
  readonly option: string
  readonly rule: string
}

/** The checked options as a copy of its own, or the first option refused. */
export const check = (options: unknown): Result.Result<PoolOptions, Refusal> =>
  Result.mapError(decode(options), (issue) => refusalOf(issue, ""))

type AnySchema = Schema.Codec<unknown>

/** An option may be left out, or given as `undefined`. */
const schemaOf = (entry: AnyTable[string]): AnySchema => {
  if (entry._tag === "Group") return Schema.UndefinedOr(structOf(entry.fields))
  const { expects, is } = entry
  return Schema.declare((value: unknown): value is unknown => value === undefined || is(value), { expected: expects })
}

const structOf = (table: AnyTable): AnySchema =>
  Schema.Struct(
    Object.fromEntries(Object.entries(table).map(([option, entry]) => [option, Schema.optionalKey(schemaOf(entry))]))
  )

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
  const low = millisOf(options[shorter])
  const high = millisOf(options[longer]) ?? fallback
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

/** The dials that `connectRate` lets begin within `startupTimeout` must be enough for the minimum. */
const startsInTime: Rule = ({ connectRate, maxConnections, minConnections = 0, startup, startupTimeout }) => {
  const rate = connectRate ?? connectRateFor(maxConnections ?? minConnections)
  const millis = millisOf(startupTimeout) ?? common.startupTimeout
  const takes = (minConnections - Math.max(1, Math.round(rate))) / rate * 1000
  return startup === "lazy" || takes < millis ? undefined : {
    path: ["minConnections"],
    issue: `can't be open within startupTimeout (${millis} ms) at connectRate ${rate}, got ${minConnections}`
  }
}

/** Its numbers mean nothing unless it is on; `"off"` may be said beside them, to switch it off for a while. */
const sizingHasEffect: Rule = ({ sizing }) => {
  if (sizing === undefined || sizing.mode !== undefined) return undefined
  const option = (["min", "max", "start"] as const).find((each) => sizing[each] !== undefined)
  return option &&
    { path: ["sizing", option], issue: "has no effect without sizing.mode, give \"advise\" or \"apply\"" }
}

/** Each of them must not exceed those named after it, where both are given. */
const sizesOrdered: Rule = ({ maxConnections, minConnections, sizing: { max, min, start } = {} }) => {
  const named: ReadonlyArray<readonly [name: string, value: number | undefined]> = [
    ["minConnections", minConnections],
    ["sizing.min", min],
    ["sizing.start", start],
    ["sizing.max", max],
    ["maxConnections", maxConnections]
  ]
  const given = named.filter((each): each is readonly [string, number] => each[1] !== undefined)
  for (const [index, [low, value]] of given.entries()) {
    const beyond = given.slice(index + 1).find(([, most]) => value > most)
    if (beyond === undefined) continue
    const [high, most] = beyond
    // The refusal names the option of `sizing`: a pair without one has a rule of its own.
    return low.startsWith("sizing")
      ? { path: low.split("."), issue: `must not exceed ${high} (${most}), got ${value}` }
      : { path: high.split("."), issue: `must not be less than ${low} (${value}), got ${most}` }
  }
  return undefined
}

const rules: ReadonlyArray<Rule> = [
  thresholds,
  ordered("minConnections", "must not exceed", "maxConnections"),
  ordered("validateTimeout", "must not exceed", "acquireTimeout", common.acquireTimeout),
  ordered("slowAcquireTimeout", "must be less than", "acquireTimeout", common.acquireTimeout),
  ordered("idleTimeout", "must not exceed", "maxLifetime"),
  ordered("leakTimeout", "must be less than", "reclaimTimeout"),
  startupTimeoutHasEffect,
  startsInTime,
  sizingHasEffect,
  sizesOrdered
]

const Options = structOf(poolTable).check(
  Schema.makeFilter((options) =>
    // Each has the type that its entry in the table says.
    rules.map((rule) => rule(options as PoolOptions)).filter((issue) => issue !== undefined)
  )
)

const decode = SchemaParser.decodeUnknownResult(Options, { onExcessProperty: "error", reportInput: true }) as (
  options: unknown
) => Result.Result<PoolOptions, SchemaIssue.Issue>

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

/** The last part of an option's path, and the options that are known there. */
const placeOf = (path: string): readonly [option: string, known: ReadonlyArray<string>] => {
  const within = path.split(".")
  const option = within.pop()!
  let known: AnyTable = poolTable
  for (const name of within) {
    const entry = known[name]
    if (entry?._tag === "Group") known = entry.fields
  }
  return [option, Object.keys(known)]
}

/** A value on one line of at most 60 characters. Shows an object by its kind alone: it may hold anything. */
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
