/**
 * A lease of ours beside a lease of ours in another checkout: the cost of a change.
 *
 * The speed of a machine may swing by a third within seconds, and more than a change costs. Rounds of the two alternate and
 * are short, so that two that follow each other have met the same machine, and each is compared with its neighbour only.
 */
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { closeLane, finish, type Lane, openLane, race, setUp } from "../measure.ts"
import { median, quantile, type Summary } from "../statistics.ts"
import type { Choice, Suite } from "../suite.ts"
import { round, table } from "../table.ts"
import { effectPools } from "./contenders/effectPools.ts"
import { makePlan, type Scenario } from "./scenarios.ts"

interface Result {
  readonly name: string
  readonly unit: "us"
  /** Processor time a lease, of this checkout and of the other. */
  readonly ours: Summary
  readonly before: Summary
  /** How many leases of this checkout fit in the time of one of the other, in rounds that follow each other. */
  readonly ratio: number
  readonly quartiles: readonly [number, number]
}

// Each process may be lucky or not with what it compiles and where its memory lies.
const processes = 3

const planOf = (choice: Choice) => ({
  ...makePlan({ ...choice, quick: true }),
  rounds: choice.quick ? 11 : 31,
  warmUps: 40
})

const measure = async (scenario: Scenario, ours: Lane, before: Lane, choice: Choice) => {
  await setUp(ours, scenario)
  await setUp(before, scenario)
  const [mine, theirs] = await race([ours, before], planOf(choice))
  await finish(ours)
  await finish(before)
  return mine!.laps.map((lap, i) => ({ ours: lap.cpu, before: theirs!.laps[i]!.cpu }))
}

const spread = (values: ReadonlyArray<number>): Summary => ({
  median: round(median(values)),
  min: round(Math.min(...values)),
  max: round(Math.max(...values))
})

const makeResult = (
  { name }: Scenario,
  pairs: ReadonlyArray<{ readonly ours: number; readonly before: number }>
): Result => {
  const ratios = pairs.map(({ before, ours }) => before / ours)
  return {
    name,
    unit: "us",
    ours: spread(pairs.map(({ ours }) => ours)),
    before: spread(pairs.map(({ before }) => before)),
    ratio: round(median(ratios)),
    quartiles: [round(quantile(ratios, 0.25)), round(quantile(ratios, 0.75))]
  }
}

const render = (results: ReadonlyArray<Result>): string =>
  table(
    ["us of processor time a lease", "here", "there", "here is x faster", "quartiles"],
    results.map(({ before, name, ours, quartiles, ratio }) => [
      name,
      String(ours.median),
      String(before.median),
      String(ratio),
      quartiles.join(" to ")
    ])
  )

export const against = (checkout: string): Suite => ({
  name: "against",
  packages: ["@effect-pools/core", "effect"],
  async run(choice, tell) {
    const { scenarios } = planOf(choice)
    if (scenarios.length === 0) return undefined
    const there = pathToFileURL(resolve(checkout, "packages/benchmarks/src/lane.ts"))
    const pairs = new Map<Scenario, Array<{ readonly ours: number; readonly before: number }>>()
    for (let i = 0; i < processes; i++) {
      const ours = openLane("lease", effectPools.name)
      const before = openLane("lease", effectPools.name, there)
      for (const scenario of scenarios) {
        const measured = await measure(scenario, ours, before, choice)
        pairs.set(scenario, [...pairs.get(scenario) ?? [], ...measured])
        tell(`${scenario.name}: processes ${i + 1} of ${processes}, x ${makeResult(scenario, measured).ratio}`)
      }
      await Promise.all([ours, before].map(closeLane))
    }
    const results = Array.from(pairs, ([scenario, measured]) => makeResult(scenario, measured))
    return { record: { results }, text: render(results) }
  }
})
