/** The page of results, from the records that the benchmark writes. */
import { existsSync, readFileSync } from "node:fs"
import { scenesOf } from "./sceneResults.ts"

interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** As much of a result as all suites have. */
interface Result {
  readonly name: string
  readonly unit: string
  readonly ratio?: number
  /** The fastest rival. */
  readonly fastest?: string
  /** The ratio of each contender of ours, where there are several. */
  readonly ratios?: Readonly<Record<string, number>>
  readonly raw?: Readonly<Record<string, Summary>>
  /** Processor time: of each contender a summary, or its median alone. */
  readonly cpu?: Readonly<Record<string, Summary | number>>
  /** How many times as long as before. */
  readonly toBefore?: Readonly<Record<string, number>>
  readonly load?: Summary
  readonly layer?: Summary
  readonly stall?: Summary
  readonly first?: Summary
  readonly all?: Summary
}

interface Machine {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly platform: string
  readonly load: number
}

type Run = Readonly<Record<string, unknown>> & {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
}

const digits = (value: number): number => value >= 100 ? 0 : value >= 10 ? 1 : 2

const shown = (value: number): string =>
  value.toFixed(digits(value)).replaceAll(/\B(?=(\d{3})+(?=\.|$))(?<!\.\d*)/g, " ")

const spread = ({ max, median, min }: Summary): string => `${shown(median)} (${shown(min)} to ${shown(max)})`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map((_, i) => i === 0 ? "---" : "---:"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** One table a workload: each contender's median and spread, and the ratio of ours to the fastest rival. */
const raced = (results: ReadonlyArray<Result>): string =>
  Object.entries(Object.groupBy(results, ({ name }) => name.replace(/\/[^/]*$/, ""))).map(([group, all = []]) => {
    const names = [...new Set(all.flatMap(({ raw = {} }) => Object.keys(raw)))]
    const ratioOf = ({ ratio, ratios }: Result, name: string): string => {
      const own = ratios?.[name] ?? (name === "effect-pools" ? ratio : undefined)
      return own === undefined ? "" : ` **x ${own.toFixed(2)}**`
    }
    const rows = names.map((name) =>
      [name].concat(all.map((result) => {
        const summary = result.raw?.[name]
        return summary === undefined ? "" : spread(summary) + ratioOf(result, name)
      }))
    )
    const head = [all[0]?.unit ?? "", ...all.map(({ name }) => name.slice(group.length + 1))]
    return `### ${group}\n\n${table(head, rows)}`
  }).join("\n\n")

/** Medians of processor time, and how many times as long as before. */
const besideBefore = (results: ReadonlyArray<Result>): string => {
  const names = Object.keys(results[0]?.cpu ?? {})
  const rows = names.map((name) =>
    [name].concat(results.map(({ cpu, toBefore }) => {
      const median = cpu?.[name]
      return typeof median === "number" ? `${shown(median)} **x ${(toBefore?.[name] ?? 1).toFixed(2)}**` : ""
    }))
  )
  return table(["us of processor", ...results.map(({ name }) => name.replace(/^[^/]*\//, ""))], rows)
}

/** One row a result, with so many summaries each. */
const listed = (
  columns: ReadonlyArray<readonly [title: string, of: (result: Result) => Summary | undefined]>
) =>
(results: ReadonlyArray<Result>): string =>
  table(
    [results[0]?.unit ?? "", ...columns.map(([title]) => title)],
    results.map((result) =>
      [result.name.replace(/^[^/]*\//, "")].concat(columns.map(([, of]) => {
        const summary = of(result)
        return summary === undefined ? "" : spread(summary)
      }))
    )
  )

const suites: ReadonlyArray<
  readonly [name: string, title: string, text: string, render: (results: ReadonlyArray<Result>) => string]
> = [
  [
    "throughput",
    "Throughput",
    "Operations a second on real servers, with 1, 10 and 64 callers; more is better.",
    raced
  ],
  ["lease", "A lease", "Microseconds a lease, with 1 to 1000 callers; less is better.", raced],
  [
    "traffic",
    "Traffic",
    "A lease with priorities and keys beside our pool as it was before, where **x** is how many times as long it takes (less is " +
    "better), and scenes of overload.",
    besideBefore
  ],
  [
    "outage",
    "An outage",
    "A server that is away for five seconds under a thousand callers: the longest stall of the event loop by the thread's " +
    "processor time, and how long after its return the first of them and all of them were served.",
    listed([["longest stall", ({ stall }) => stall], ["first", ({ first }) => first], ["all", ({ all }) => all]])
  ],
  [
    "start",
    "The start of a program",
    "Loading a package, and building the layer of a pool of it.",
    listed([["load", ({ load }) => load], ["layer", ({ layer }) => layer]])
  ]
]

const machineOf = ({ machine, versions }: Run): string => {
  const { cores, cpu, load, memory, node, platform } = machine
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")
  return `Node ${node}, ${cpu}, ${cores} cores, ${memory}, ${platform}, load ${load} when it began. ${list}.`
}

const part = (root: string, [name, title, text, render]: typeof suites[number]): string | undefined => {
  const file = `${root}/packages/benchmarks/results/${name}.json`
  if (!existsSync(file)) return undefined
  const record: Run = JSON.parse(readFileSync(file, "utf8"))
  const { results, scenes = {} } = record[name] as {
    readonly results: ReadonlyArray<Result>
    readonly scenes?: Readonly<Record<string, object>>
  }
  const parts = [`## ${title}\n\n${text} ${machineOf(record)}`, render(results), scenesOf(scenes, table, shown)]
  return parts.filter((part) => part !== "").join("\n\n")
}

export const text = (root: string): string =>
  suites.map((suite) => part(root, suite)).filter((part) => part !== undefined).join("\n\n")
