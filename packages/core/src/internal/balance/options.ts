/**
 * Checks the options of a balanced pool and completes them with their defaults.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Classify, Options, OutlierEjection, Upstream } from "../model/balanced.ts"
import { callable, complete, millisOf, object, part, refuse, type Rule, type Rules } from "../../OptionRules.ts"
import type { InvalidOption } from "../../PoolError.ts"
import { hint } from "../options/unknownOption.ts"
import { duration, ejectionTable, isDuration } from "./ejectionTable.ts"
import { slots } from "./merge.ts"
import type { Rules as EjectionRules } from "./outlier.ts"
import { type Choose, strategies } from "./strategies.ts"

/** The options, checked and complete. Durations are in milliseconds. */
export interface Settings extends EjectionRules {
  readonly choose: Choose
  readonly classify: Classify
  /** Whether upstreams are ejected at all. */
  readonly ejects: boolean
  readonly maxEjectedShare: number
  readonly panicThreshold: number
  readonly slowStart: number
  /** `undefined`: as the pools' `acquireTimeout` allows. */
  readonly hedgeAfter: number | undefined
}

export const check = (
  name: string,
  upstreams: ReadonlyArray<Upstream<any>>,
  options: Options
): Result.Result<Settings, InvalidOption> =>
  Result.gen(function*() {
    yield* checkUpstreams(name, upstreams)
    yield* checkRules(options, own, "")
    const { outlierEjection } = options
    if (outlierEjection === false) yield* hasEffectWithoutEjection(options)
    else yield* checkRules(outlierEjection ?? {}, ejectionTable, "outlierEjection.")
    return yield* completed(options, outlierEjection === false ? {} : outlierEjection ?? {})
  })

/** A lease that succeeds is a success, one that breaks its connection a failure. What else a caller's effect ends with is its own affair. */
const classify: Classify = (exit, { isBroken }) =>
  Exit.isSuccess(exit)
    ? "success"
    : isBroken && !Cause.hasInterrupts(exit.cause)
    ? "failure"
    : "ignore"

const completed = (options: Options, ejection: OutlierEjection): Result.Result<Settings, InvalidOption> => {
  const kept = complete(ejectionTable, ejection)
  const { baseEjectionTime } = kept
  // A default gives way to what is given.
  const maxEjectionTime = ejection.maxEjectionTime === undefined
    ? Math.max(kept.maxEjectionTime, baseEjectionTime)
    : kept.maxEjectionTime
  if (maxEjectionTime < baseEjectionTime) {
    const rule = `must not be less than baseEjectionTime (${baseEjectionTime} ms), got ${maxEjectionTime} ms`
    return refuse("outlierEjection.maxEjectionTime", rule)
  }
  return Result.succeed({
    ...kept,
    maxEjectionTime,
    choose: strategies[options.strategy ?? "powerOfTwoChoices"],
    classify: options.classify ?? classify,
    ejects: options.outlierEjection !== false,
    panicThreshold: options.panicThreshold ?? 0.5,
    slowStart: millisOf(options.slowStart) ?? 30_000,
    hedgeAfter: millisOf(options.hedgeAfter)
  })
}

export const checkUpstreams = (
  name: string,
  upstreams: ReadonlyArray<Upstream<any>>
): Result.Result<void, InvalidOption> => {
  if (upstreams.length === 0) return refuse("upstreams", "must be at least one")
  if (upstreams.length > slots) return refuse("upstreams", `must be ${slots} at most, got ${upstreams.length}`)
  const names = new Set([name])
  for (const { pool, weight } of upstreams) {
    if (names.has(pool.name)) {
      const rule = `must differ in name from each other and from the balanced pool, ${show(pool.name)} is there twice`
      return refuse("upstreams", rule)
    }
    names.add(pool.name)
    if (weight !== undefined && !isWeight(weight)) {
      const rule = `must be 0 or a number from ${lightest} to ${heaviest}, got ${show(weight)} for ${show(pool.name)}`
      return refuse("weight", rule)
    }
  }
  return Result.succeed(undefined)
}

const hasEffectWithoutEjection = (options: Options): Result.Result<void, InvalidOption> => {
  for (const option of ["classify", "panicThreshold"] as const) {
    if (options[option] !== undefined) return refuse(option, "has no effect when outlierEjection is false")
  }
  return Result.succeed(undefined)
}

// Beyond these, sums and shares of weights would round to 0 or overflow, and somebody would never be chosen.
const lightest = 0.000_001
const heaviest = 1_000_000

const isWeight = (value: unknown): boolean =>
  typeof value === "number" && (value === 0 || (value >= lightest && value <= heaviest))

const own: Rules<Options> = {
  name: {
    expects: "a text of 1 to 200 characters without control characters",
    is: (value) => typeof value === "string" && /^[^\p{Cc}]{1,200}$/u.test(value) && value.trim() !== ""
  },
  strategy: {
    expects: Object.keys(strategies).map(show).join(" or "),
    is: (value) => typeof value === "string" && Object.hasOwn(strategies, value)
  },
  outlierEjection: { expects: "false or an object", is: (value) => value === false || object.is(value) },
  classify: callable,
  panicThreshold: { expects: "a number from 0 to 1", is: (value) => value === 0 || part.is(value) },
  slowStart: {
    expects: "a finite duration of at least 0, such as \"30 seconds\" or 0",
    is: (value) => isDuration(value, (ms) => ms >= 0)
  },
  hedgeAfter: duration
}

const checkRules = (
  options: object,
  rules: Readonly<Record<string, Rule>>,
  path: string
): Result.Result<void, InvalidOption> => {
  for (const [option, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined
    if (rule === undefined) {
      return refuse(`${path}${option}`, `is not an option of a balanced pool${hint(option, Object.keys(rules))}`)
    }
    if (value !== undefined && !rule.is(value)) {
      return refuse(`${path}${option}`, `must be ${rule.expects}, got ${show(value)}`)
    }
  }
  return Result.succeed(undefined)
}

/** A value on one line. Of objects and functions only the kind is told: they may hold anything. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value)
  return typeof value === "object" || typeof value === "function" ? `a value of type ${typeof value}` : String(value)
}
