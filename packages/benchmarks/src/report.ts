/** Turns times into a table for people and a record for programs. */
import type { Machine } from "./machine.ts"
import type { Measured } from "./measure.ts"
import type { Plan, Scenario } from "./scenarios.ts"
import { compare, type Summary } from "./statistics.ts"

export interface Result {
  readonly name: string
  readonly unit: "us"
  readonly leases: number
  readonly ours: number
  /** The median of each rival, bare and in Effect. */
  readonly rivals: Readonly<Record<string, number>>
  /** The fastest bare rival, and how many times as many leases as it ours does. */
  readonly fastest: string
  readonly ratio: number
  /** The same among the rivals that are used inside Effect. */
  readonly fastestInEffect: string
  readonly ratioInEffect: number
  /** The same beside Effect's own `Pool.use`. */
  readonly ratioToPoolUse: number
  /** What the loop and the body cost without any pool. */
  readonly floor: Readonly<Record<string, number>>
  readonly raw: Readonly<Record<string, Summary>>
}

export interface Report {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly results: ReadonlyArray<Result>
}

const round = (value: number): number => Math.round(value * 1000) / 1000

const medians = (measured: ReadonlyArray<Measured>): Record<string, number> =>
  Object.fromEntries(measured.map(({ contender, times }) => [contender.name, round(times.median)]))

const rounded = ({ max, median, min }: Summary): Summary => ({
  median: round(median),
  min: round(min),
  max: round(max)
})

export const makeResult = (scenario: Scenario, measured: ReadonlyArray<Measured>): Result => {
  const of = (way: Measured["contender"]["way"]) => measured.filter(({ contender }) => contender.way === way)
  const ours = of("ours")[0]
  if (ours === undefined) throw new Error("our own pool was not timed")
  const bare = compare(ours.times.median, medians(of("bare")))
  const inEffect = compare(ours.times.median, medians(of("inEffect")))
  const poolUse = compare(ours.times.median, medians(of("poolUse")))
  return {
    name: scenario.name,
    unit: "us",
    leases: scenario.leases,
    ours: round(ours.times.median),
    rivals: medians([...of("bare"), ...of("inEffect"), ...of("poolUse")]),
    fastest: bare.fastest,
    ratio: round(bare.ratio),
    fastestInEffect: inEffect.fastest,
    ratioInEffect: round(inEffect.ratio),
    ratioToPoolUse: round(poolUse.ratio),
    floor: medians(of("floor")),
    raw: Object.fromEntries(measured.map(({ contender, times }) => [contender.name, rounded(times)]))
  }
}

type Row = ReadonlyArray<string>

/** A Markdown table, which reads well in a terminal too. */
const table = (head: Row, rows: ReadonlyArray<Row>): string => {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: Row) =>
    `| ${cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)).join(" | ")} |`
  const rule = `| ${widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")} |`
  return [line(head), rule, ...rows.map(line)].join("\n")
}

// Rivals in Effect carry a `*`: the table has to fit a terminal.
const short = (name: string): string => name.replace(/ in Effect$/, "*").replace("-pool", "").replace("Effect ", "")

const mediansTable = (results: ReadonlyArray<Result>): string => {
  const names = Object.keys(results[0]?.rivals ?? {})
  const floors = Object.keys(results[0]?.floor ?? {})
  return table(
    ["us a lease", "ours", ...names.map(short), "x bare", "x in Effect", "x Pool.use", ...floors.map(short)],
    results.map((result) => [
      result.name,
      result.ours.toFixed(2),
      ...names.map((name) => result.rivals[name]?.toFixed(2) ?? "-"),
      result.ratio.toFixed(2),
      result.ratioInEffect.toFixed(2),
      result.ratioToPoolUse.toFixed(2),
      ...floors.map((name) => result.floor[name]?.toFixed(2) ?? "-")
    ])
  )
}

const spreadTable = (results: ReadonlyArray<Result>): string => {
  const names = Object.keys(results[0]?.raw ?? {})
  return table(
    ["min - max", ...names.map((name) => name === "effect-pools" ? "ours" : short(name))],
    results.map(({ name, raw }) => [
      name,
      ...names.map((contender) => {
        const times = raw[contender]
        return times === undefined ? "-" : `${times.min.toFixed(1)} - ${times.max.toFixed(1)}`
      })
    ])
  )
}

const leftOut = `Left out: opening, validating and closing connections, and everything a real one does; memory; tail
latency (these are means of whole rounds); callers that come and go, time out or are interrupted; the rivals' own
checks and limits, which are off unless their defaults have them on. Ours has all of its own on.`

const legend = `us: wall time of a round divided by its leases, the median of its rounds; less is better. A pool of 10.
The last number of a name: callers at once. empty: the body does nothing. hop: it waits one turn of the event loop.
*: used from an Effect program, like ours and Pool.use; without: used from async functions.
x bare, x in Effect: leases of ours in the time of one of the fastest rival of that sort; above 1 ours is faster.
Pool.use is Effect's own pool, which has no queue with limits, no dials of its own, no validation and no counts.
Each contender runs in a process of its own, so that none is compiled for the others' sake.
no pool: the same loop and body with no pool around it.`

export const renderHeader = (machine: Machine, versions: Readonly<Record<string, string>>, plan: Plan): string =>
  [
    `Node ${machine.node}, ${machine.cpu}, ${machine.cores} cores, ${machine.memory}, ${machine.platform}, load ${machine.load}`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "),
    `${plan.rounds} alternating rounds after ${plan.warmUps} to warm up`
  ].join("\n")

export const renderReport = ({ results }: Report): string =>
  [mediansTable(results), legend, spreadTable(results), leftOut].join("\n\n")
