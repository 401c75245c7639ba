/** The cost of having pools at all: what a program loads, and builds, before it does anything. */
import { existsSync } from "node:fs"
import { ask, end, startBuilt } from "../children.ts"
import { summarize, type Summary } from "../statistics.ts"
import type { Suite } from "../suite.ts"
import { round, table } from "../table.ts"
import { cases } from "./cases.ts"
import type { Start } from "./probe.ts"

interface Result {
  readonly name: string
  readonly unit: "ms"
  readonly isOurs: boolean
  /** Loading it, and building its layer; milliseconds. */
  readonly load: Summary
  readonly layer: Summary
  /** Memory of the process, in MB. */
  readonly memory: number
  /** How many times as long `effect` alone takes to load, as loading this and building its layer takes. */
  readonly ratio: number
}

const once = async (name: string): Promise<Start> => {
  const child = startBuilt(new URL("probe.ts", import.meta.url), [name])
  const start = await ask<Start>(child, `the start of ${name}`)
  await end(child)
  return start
}

const measure = async (
  names: ReadonlyArray<string>,
  rounds: number
): Promise<ReadonlyMap<string, ReadonlyArray<Start>>> => {
  const starts = new Map(names.map((name) => [name, new Array<Start>()]))
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const start = await once(name)
      // The first finds the files on the disk.
      if (round > 0) starts.get(name)?.push(start)
    }
  }
  return starts
}

const rounded = ({ max, median, min }: Summary): Summary => ({
  median: round(median),
  min: round(min),
  max: round(max)
})

const shown = ({ max, median, min }: Summary): string => `${median.toFixed(0)} (${min.toFixed(0)} - ${max.toFixed(0)})`

const render = (results: ReadonlyArray<Result>): string =>
  table(
    ["ms", "load (min - max)", "layer (min - max)", "MB"],
    results.map(({ layer, load, memory, name }) => [name, shown(load), shown(layer), memory.toFixed(0)])
  )

export const startSuite: Suite = {
  name: "start",
  packages: [],
  async run({ filter, quick }, tell) {
    if (!cases.some(({ name }) => `start/${name}`.includes(filter))) return undefined
    // All are compared with the first.
    const chosen = cases.filter(({ name }, i) => i === 0 || `start/${name}`.includes(filter))
    if (!existsSync(new URL("../../../core/dist/index.js", import.meta.url))) {
      tell("start: left out, since it times what is published: build first, with npx tsc -b")
      return undefined
    }
    const rounds = quick ? 3 : 9
    tell(`start: ${rounds} alternating rounds, each in a new process`)
    const starts = await measure(chosen.map(({ name }) => name), rounds)
    const base = summarize((starts.get(cases[0]!.name) ?? []).map(({ load }) => load)).median
    const results = chosen.map(({ isOurs, name }): Result => {
      const all = starts.get(name) ?? []
      const load = summarize(all.map(({ load }) => load))
      const layer = summarize(all.map(({ layer }) => layer))
      return {
        name: `start/${name}`,
        unit: "ms",
        isOurs,
        load: rounded(load),
        layer: rounded(layer),
        memory: round(summarize(all.map(({ memory }) => memory)).median),
        ratio: round(base / (load.median + layer.median))
      }
    })
    return { record: { rounds, results }, text: render(results) }
  }
}
