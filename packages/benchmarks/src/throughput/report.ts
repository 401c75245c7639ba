/** Turns times into tables for people and a record for programs. */
import type { Measured } from "../measure.ts"
import { compare, type Summary } from "../statistics.ts"
import { round, table } from "../table.ts"
import type { Contender, Scenario } from "./workload.ts"

type ByName<A> = Readonly<Record<string, A>>

export interface Result {
  readonly name: string
  readonly workload: string
  readonly callers: number
  readonly unit: "operations/s"
  /** The operations that a round does as often as it takes to last half a second. */
  readonly operations: number
  /** The median of each contender. */
  readonly ours: ByName<number>
  readonly rivals: ByName<number>
  /** The fastest rival, and how many times as many operations as it the fastest of ours does. */
  readonly fastest: string
  readonly ratio: number
  /** The same for each of ours. */
  readonly ratios: ByName<number>
  /** Connections at the server. */
  readonly connections: ByName<number>
  /** Microseconds of the client's processor time an operation. */
  readonly cpu: ByName<Summary>
  readonly raw: ByName<Summary>
}

type Named<A> = readonly [name: string, value: A]

const perSecond = (time: number): number => Math.round(1e6 / time)

const rates = ({ max, median, min }: Summary): Summary => ({
  median: perSecond(median),
  min: perSecond(max),
  max: perSecond(min)
})

const rounded = ({ max, median, min }: Summary): Summary => ({
  median: round(median),
  min: round(min),
  max: round(max)
})

export const makeResult = (
  scenario: Scenario,
  contenders: ReadonlyArray<Pick<Contender<unknown>, "name" | "isOurs">>,
  measured: ReadonlyArray<Measured>,
  connections: ReadonlyMap<string, number>
): Result => {
  const isOurs = new Map(contenders.map(({ isOurs, name }) => [name, isOurs]))
  const times = (ours: boolean) =>
    measured.filter(({ name }) => isOurs.get(name) === ours).map(({ name, time }): Named<number> => [name, time.median])
  const mapped = <A>(all: ReadonlyArray<Named<number>>, f: (time: number) => A) =>
    Object.fromEntries(all.map(([name, time]) => [name, f(time)]))
  const rivals = times(false)
  const against = (time: number) => compare(time, Object.fromEntries(rivals))
  const best = against(Math.min(...times(true).map(([, time]) => time)))
  return {
    name: scenario.name,
    workload: scenario.workload,
    callers: scenario.callers,
    unit: "operations/s",
    operations: scenario.operations,
    ours: mapped(times(true), perSecond),
    rivals: mapped(rivals, perSecond),
    fastest: best.fastest,
    ratio: round(best.ratio),
    ratios: mapped(times(true), (time) => round(against(time).ratio)),
    connections: Object.fromEntries(connections),
    cpu: Object.fromEntries(measured.map(({ cpu, name }) => [name, rounded(cpu)])),
    raw: Object.fromEntries(measured.map(({ name, time }) => [name, rates(time)]))
  }
}

const namesOf = (results: ReadonlyArray<Result>): ReadonlyArray<string> => Object.keys(results[0]?.raw ?? {})

const spaced = (value = 0): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, " ")

const people = (count: number): string => count === 1 ? "1 caller" : `${count} callers`

const ratio = (value: number | undefined): string => value === undefined ? "" : value.toFixed(2)

const ratesTable = (workload: string, results: ReadonlyArray<Result>): string =>
  table(
    [workload, ...results.flatMap(({ callers }) => [people(callers), "ratio"])],
    namesOf(results).map((name) =>
      [name].concat(results.flatMap(({ ratios, raw }) => [spaced(raw[name]?.median), ratio(ratios[name])]))
    )
  )

const detailsTable = (workload: string, results: ReadonlyArray<Result>): string =>
  table(
    [workload, "connections", ...results.flatMap(({ callers }) => [`min - max, ${callers}`, "CPU us"])],
    namesOf(results).map((name) =>
      [name, results.map(({ connections }) => connections[name]).join(", ")].concat(
        results.flatMap(({ cpu, raw }) => [
          `${spaced(raw[name]?.min)} - ${spaced(raw[name]?.max)}`,
          cpu[name]?.median.toFixed(1) ?? ""
        ])
      )
    )
  )

const legend = `Operations a second, all callers together, the median of the rounds; more is better.
ratio: ours beside the fastest rival of that column; above 1 ours is faster.
connections: as the server counts them, with as many callers as the columns say.
CPU us: processor time of the client's process an operation; where the server is the limit, this tells clients apart.`

const leftOut =
  `Left out: networks with delays and losses; TLS; large values and results; opening and losing connections; memory; tail
latency (these are means of whole rounds). Ours has its limits, counts and checks on, the others what their defaults say.`

export const renderResults = (results: ReadonlyArray<Result>): string => {
  const workloads = Object.entries(Object.groupBy(results, ({ workload }) => workload))
  const tables = (render: typeof ratesTable) => workloads.map(([workload, results = []]) => render(workload, results))
  return [...tables(ratesTable), legend, ...tables(detailsTable), leftOut].join("\n\n")
}
