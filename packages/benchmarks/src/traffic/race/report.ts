/** Medians of the race, and what traffic costs beside the pool without it. */
import type { Measured } from "../../measure.ts"
import type { Summary } from "../../statistics.ts"
import { round, table } from "../../table.ts"
import type { Scenario } from "./scenarios.ts"

export interface Result {
  readonly name: string
  readonly unit: "us"
  readonly leases: number
  /** Medians of time and of processor time. */
  readonly time: Readonly<Record<string, number>>
  readonly cpu: Readonly<Record<string, number>>
  /** Times as long as before the pool knew traffic. */
  readonly toBefore: Readonly<Record<string, number>>
  readonly raw: Readonly<Record<string, Summary>>
}

const medians = (measured: ReadonlyArray<Measured>, of: "time" | "cpu"): Record<string, number> =>
  Object.fromEntries(measured.map((each) => [each.name, round(each[of].median)]))

export const makeResult = ({ leases, name }: Scenario, measured: ReadonlyArray<Measured>): Result => {
  const cpu = medians(measured, "cpu")
  const before = cpu["before"] ?? Number.NaN
  return {
    name,
    unit: "us",
    leases,
    time: medians(measured, "time"),
    cpu,
    toBefore: Object.fromEntries(Object.entries(cpu).map(([name, value]) => [name, round(value / before)])),
    raw: Object.fromEntries(measured.map(({ name, time }) => [name, time]))
  }
}

export const render = (results: ReadonlyArray<Result>): string => {
  const names = Object.keys(results[0]?.cpu ?? {})
  return table(
    ["us of processor a lease", ...names, ...names.slice(1).map((name) => `x ${name}`)],
    results.map(({ cpu, name, toBefore }) => [
      name,
      ...names.map((each) => cpu[each]?.toFixed(2) ?? "-"),
      ...names.slice(1).map((each) => toBefore[each]?.toFixed(2) ?? "-")
    ])
  )
}
