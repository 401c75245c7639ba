/** A lease of a pool that finds its size and shares a budget, beside the same pool without. */
import { closeLane, finish, type Lane, type Laps, measuredOf, openLane, race, setUp } from "../../measure.ts"
import { median } from "../../statistics.ts"
import type { Outcome } from "../../suite.ts"
import { table } from "../../table.ts"
import { effectPools, sizedPools } from "../contenders/effectPools.ts"
import type { Scenario } from "../scenarios.ts"

/** Short, since two that run at different moments differ by the machine. */
const scenarios: ReadonlyArray<Scenario> = [
  { name: "lease/sized/empty/1", body: "empty", callers: 1, leases: 40_000 },
  { name: "lease/sized/hop/1", body: "hop", callers: 1, leases: 10_000 },
  { name: "lease/sized/hop/10", body: "hop", callers: 10, leases: 40_000 },
  { name: "lease/sized/hop/100", body: "hop", callers: 100, leases: 40_000 }
]

/** How often a contender's lease is as long as ours without anything: the median over rounds that ran beside each other. */
const ratios = (raced: ReadonlyArray<Laps>): Record<string, number> => {
  const [plain, ...others] = raced
  return Object.fromEntries(
    others.map(({ laps, name }) => [name, median(laps.map(({ cpu }, round) => cpu / plain!.laps[round]!.cpu))])
  )
}

const play = async (
  lanes: ReadonlyArray<Lane>,
  scenario: Scenario,
  isQuick: boolean
): Promise<Record<string, number>> => {
  for (const lane of lanes) await setUp(lane, scenario)
  const raced = await race(lanes, { warmUps: 5, rounds: isQuick ? 11 : 61 })
  for (const lane of lanes) await finish(lane)
  return { plain: measuredOf(raced[0]!).cpu.median, ...ratios(raced) }
}

export const sized = async (isQuick: boolean): Promise<Outcome> => {
  const lanes = [effectPools, ...sizedPools].map(({ name }) => openLane("lease", name))
  const record: Record<string, Record<string, number>> = {}
  for (const scenario of scenarios) record[scenario.name] = await play(lanes, scenario, isQuick)
  await Promise.all(lanes.map(closeLane))
  const names = sizedPools.map(({ name }) => name)
  const text = table(
    ["us of processor a lease", "plain", ...names.map((name) => `x ${name}`)],
    Object.entries(record).map(([scenario, values]) =>
      [scenario, values["plain"]!.toFixed(2)].concat(names.map((name) => values[name]!.toFixed(3)))
    )
  )
  return { record, text }
}
