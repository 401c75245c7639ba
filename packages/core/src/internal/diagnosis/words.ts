/**
 * How a diagnosis speaks of numbers, durations and borrowers.
 */
import * as DateTime from "effect/DateTime"
import { oneLine } from "../../Describe.ts"
import type { Observation } from "./observation.ts"

export const count = (n: number, one: string, many: string = `${one}s`): string => `${n} ${n === 1 ? one : many}`

/** `340 ms`, `12.3 s`, `4 min 10 s`. */
export const duration = (ms: number): string => {
  if (ms < 1) return `${round(ms)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${round(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  const rest = seconds % 60
  return `${Math.floor(seconds / 60)} min${rest === 0 ? "" : ` ${rest} s`}`
}

/** The time of day of a moment, such as `20:07:12`. All are UTC, as in most logs. */
export const timeOf = (at: number): string => DateTime.formatIso(DateTime.makeUnsafe(Math.round(at))).slice(11, 19)

export const round = (n: number): number => n < 10 ? Math.round(n * 10) / 10 : Math.round(n)

/** A label as a subject. */
export const named = (label: string | undefined): string =>
  label === undefined ? "leases without a label" : oneLine(label)

/** How many callers suffer: those that wait and those that got nothing lately. */
export const sufferers = ({ load, stats }: Observation): string => {
  const wait = stats.pending === 0 ? "" : `${count(stats.pending, "caller waits", "callers wait")}`
  const failed = load.failedCallers === 0
    ? ""
    : `${count(load.failedCallers, "caller")} got none in the last ${duration(load.span)}`
  return [wait, failed].filter((part) => part !== "").join(", ")
}
