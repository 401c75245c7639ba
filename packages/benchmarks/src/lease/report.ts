/** Turns times into a table for people and a record for programs. */
import type { Measured } from "../measure.ts"
import { compare, type Summary } from "../statistics.ts"
import { round, table } from "../table.ts"
import type { Contender } from "./contender.ts"
import { contenders } from "./contenders/all.ts"
import type { Scenario } from "./scenarios.ts"

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
  /** The cost of the loop and the body without any pool, and with nothing but a list and a queue. */
  readonly floor: Readonly<Record<string, number>>
  readonly raw: Readonly<Record<string, Summary>>
}

const medians = (measured: ReadonlyArray<Measured>): Record<string, number> =>
  Object.fromEntries(measured.map(({ name, time }) => [name, round(time.median)]))

const rounded = ({ max, median, min }: Summary): Summary => ({
  median: round(median),
  min: round(min),
  max: round(max)
})

export const makeResult = (scenario: Scenario, measured: ReadonlyArray<Measured>): Result => {
  const ways = new Map(contenders.map(({ name, way }) => [name, way]))
  const of = (way: Contender["way"]) => measured.filter(({ name }) => ways.get(name) === way)
  const ours = of("ours")[0]
  if (ours === undefined) throw new Error("our own pool was not timed")
  const bare = compare(ours.time.median, medians(of("bare")))
  const inEffect = compare(ours.time.median, medians(of("inEffect")))
  const poolUse = compare(ours.time.median, medians(of("poolUse")))
  return {
    name: scenario.name,
    unit: "us",
    leases: scenario.leases,
    ours: round(ours.time.median),
    rivals: medians([...of("bare"), ...of("inEffect"), ...of("poolUse")]),
    fastest: bare.fastest,
    ratio: round(bare.ratio),
    fastestInEffect: inEffect.fastest,
    ratioInEffect: round(inEffect.ratio),
    ratioToPoolUse: round(poolUse.ratio),
    floor: medians([...of("floor"), ...of("queue")]),
    raw: Object.fromEntries(measured.map(({ name, time }) => [name, rounded(time)]))
  }
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
no pool: the same loop and body with no pool around it.
bare queue*: a list and a queue in Effect without limits, counts or clocks, the least that a pool in Effect can be.`

export const renderResults = (results: ReadonlyArray<Result>): string =>
  [mediansTable(results), legend, spreadTable(results), leftOut].join("\n\n")
