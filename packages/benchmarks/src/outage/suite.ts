/** A server that is away for five seconds, under a thousand callers: what the event loop has of it, and when all are served. */
import { ask, end, start } from "../children.ts"
import { summarize, type Summary } from "../statistics.ts"
import type { Suite } from "../suite.ts"
import { round, table } from "../table.ts"
import type { Listening } from "./backend.ts"
import type { Outcome } from "./caller.ts"
import { contenders } from "./contenders.ts"

interface Result {
  readonly name: string
  readonly unit: "ms"
  readonly isOurs: boolean
  readonly stall: Summary
  readonly first: Summary
  readonly all: Summary
  /** How many times as long the quickest rival takes until all are served, as this one. */
  readonly ratio: number
}

/** Milliseconds. */
const away = 5000

const play = async (name: string): Promise<Outcome> => {
  const backend = start(new URL("backend.ts", import.meta.url), [])
  const { port } = await ask<Listening>(backend, "the server")
  const caller = start(new URL("caller.ts", import.meta.url), [name])
  await ask(caller, name, { _tag: "Call", port })
  await ask(caller, name, { _tag: "Away" })
  const { at } = await ask<Listening>(backend, "the server", { away })
  const outcome = await ask<Outcome>(caller, name, { _tag: "Back", at })
  await Promise.all([end(caller), end(backend)])
  return outcome
}

const rounded = ({ max, median, min }: Summary): Summary => ({
  median: round(median),
  min: round(min),
  max: round(max)
})

const shown = ({ max, median, min }: Summary): string => `${median.toFixed(1)} (${min.toFixed(1)} - ${max.toFixed(1)})`

const render = (results: ReadonlyArray<Result>): string =>
  table(
    [`${away / 1000} s away, ms`, "longest stall, CPU", "first served", "all served"],
    results.map(({ all, first, name, stall }) => [name.replace("outage/", ""), shown(stall), shown(first), shown(all)])
  )

export const outageSuite: Suite = {
  name: "outage",
  packages: ["@effect-pools/core", "effect", "generic-pool"],
  async run({ filter, quick }, tell) {
    const names = Object.keys(contenders)
    if (!names.some((name) => `outage/${name}`.includes(filter))) return undefined
    const rounds = quick ? 1 : 3
    tell(`outage: ${rounds} times for each`)
    const outcomes = new Map(names.map((name) => [name, new Array<Outcome>()]))
    for (let round = 0; round < rounds; round++) {
      for (const name of names) outcomes.get(name)?.push(await play(name))
    }
    const of = (name: string, what: keyof Outcome) =>
      rounded(summarize((outcomes.get(name) ?? []).map((outcome) => outcome[what])))
    const best = (name: string) =>
      Math.min(
        ...names.filter((other) => other !== name && contenders[other]?.isOurs === false)
          .map((other) => of(other, "all").median)
      )
    const results = names.map((name): Result => ({
      name: `outage/${name}`,
      unit: "ms",
      isOurs: contenders[name]?.isOurs === true,
      stall: of(name, "stall"),
      first: of(name, "first"),
      all: of(name, "all"),
      ratio: round(best(name) / of(name, "all").median)
    }))
    return { record: { rounds, results }, text: render(results) }
  }
}
