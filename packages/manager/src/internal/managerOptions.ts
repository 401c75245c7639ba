/**
 * The manager's options, checked and complete.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as PoolThresholds from "@effect-pools/core/PoolThresholds"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { ManagerOptions } from "./managerModel.ts"
import type { PoolKey } from "./poolKey.ts"
import { check, refuse } from "./optionRules.ts"

export const owner = "ConnectionManager"

export interface CheckedOptions {
  readonly pools: ReadonlyArray<PoolKey>
  readonly drainOrder: ReadonlyArray<ReadonlyArray<PoolKey>>
  readonly drainTimeout: number
  readonly sampleInterval: number
  /** How many samples. */
  readonly history: number
  /** How many readings become one of those of long ago, and how many of these are kept. */
  readonly coarse: number
  readonly past: number
  /** How many samples. */
  readonly alertWindow: number
  readonly alertAfter: number
  readonly clearAfter: number
  readonly thresholds: PoolThresholds.PoolThresholds
  readonly metricsSchedule: Schedule.Schedule<unknown>
  readonly healthSchedule: Schedule.Schedule<unknown>
}

const isKey = (value: unknown): value is PoolKey => Context.isKey(value)

const isKeys = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isKey)

const longest = "24 hours"

const interval = OptionRules.duration(10, longest)

const schedule: OptionRules.Rule = {
  expects: `${interval.expects}, or a Schedule`,
  is: (value) => Schedule.isSchedule(value) || interval.is(value)
}

const rules: OptionRules.Rules<ManagerOptions<ReadonlyArray<PoolKey>>> = {
  pools: { expects: "a list of at least one pool class", is: isKeys },
  drainOrder: {
    expects: "a list of groups, each a list of at least one pool class",
    is: (value) => Array.isArray(value) && value.every(isKeys)
  },
  drainTimeout: OptionRules.duration(1, longest),
  sampleInterval: OptionRules.duration(100, "1 hour"),
  history: OptionRules.duration("1 second", longest),
  longHistory: OptionRules.duration("1 second", longest),
  alertWindow: OptionRules.duration("1 second", longest),
  alertAfter: OptionRules.duration(0, longest),
  clearAfter: OptionRules.duration(0, longest),
  // Checked below, where it is told which of its numbers is wrong.
  thresholds: { expects: "anything", is: () => true },
  metricsSchedule: schedule,
  healthSchedule: schedule
}

/** ms. Whoever is strict wants to know soon, and that it is over only when it has been for a while. */
const strictTimes = { alertAfter: 2000, clearAfter: 30_000 }
const calmTimes = { alertAfter: 4000, clearAfter: 10_000 }

/** The most of each pool: they are kept in memory, and sent in one piece. */
const mostSamples = 10_000

export const checkOptions = (
  options: ManagerOptions<ReadonlyArray<PoolKey>>
): Effect.Effect<CheckedOptions, PoolError> =>
  Effect.gen(function*() {
    yield* check(owner, rules, options)
    yield* checkOrder(options)
    const refused = PoolThresholds.refusalOf(options.thresholds)
    if (refused !== undefined) {
      return yield* refuse(owner, ["thresholds", refused.option].filter(Boolean).join("."), refused.rule)
    }
    const times = options.thresholds === "strict" ? strictTimes : calmTimes
    const sampleInterval = OptionRules.millisOf(options.sampleInterval) ?? 2000
    const samples = (span: unknown): number =>
      Math.max(1, Math.ceil((OptionRules.millisOf(span) ?? 0) / sampleInterval))
    for (const option of ["history", "alertWindow"] as const) {
      if (samples(options[option]) > mostSamples) {
        return yield* refuse(owner, option, `must not exceed ${mostSamples} times sampleInterval`)
      }
    }
    const coarse = Math.max(1, Math.round(coarseInterval / sampleInterval))
    const longHistory = OptionRules.millisOf(options.longHistory) ?? 3_600_000
    return {
      pools: options.pools,
      drainOrder: options.drainOrder ?? [options.pools],
      drainTimeout: OptionRules.millisOf(options.drainTimeout) ?? 20_000,
      sampleInterval,
      coarse,
      past: Math.max(1, Math.ceil(longHistory / (coarse * sampleInterval))),
      history: samples(options.history ?? "5 minutes"),
      alertWindow: samples(options.alertWindow ?? "1 minute"),
      alertAfter: OptionRules.millisOf(options.alertAfter) ?? times.alertAfter,
      clearAfter: OptionRules.millisOf(options.clearAfter) ?? times.clearAfter,
      thresholds: PoolThresholds.make(options.thresholds),
      metricsSchedule: scheduleOf(options.metricsSchedule ?? "30 seconds"),
      healthSchedule: scheduleOf(options.healthSchedule ?? "60 seconds")
    }
  })

/** ms: what is long ago needs no finer readings on a chart that is some hundred pixels wide. */
const coarseInterval = 20_000

const scheduleOf = (given: NonNullable<ManagerOptions["metricsSchedule"]>): Schedule.Schedule<unknown> =>
  Schedule.isSchedule(given) ? given : Schedule.spaced(given)

const checkOrder = ({ drainOrder, pools }: ManagerOptions<ReadonlyArray<PoolKey>>): Effect.Effect<void, PoolError> => {
  if (drainOrder === undefined) return Effect.void
  const managed = new Set(pools.map(({ key }) => key))
  const named = new Set<string>()
  for (const { key } of drainOrder.flat()) {
    if (!managed.has(key)) return refuse(owner, "drainOrder", `names ${key}, which is not among pools`)
    if (named.has(key)) return refuse(owner, "drainOrder", `names ${key} twice`)
    named.add(key)
  }
  // A program that adds a pool must say when it goes: a guess would be wrong in silence.
  const missing = pools.find(({ key }) => !named.has(key))
  return missing === undefined ? Effect.void : refuse(owner, "drainOrder", `does not name ${missing.key}`)
}
