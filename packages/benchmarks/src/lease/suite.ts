/** The cost of a lease, beside other pools. */
import { closeLane, finish, type Lane, openLane, race, setUp } from "../measure.ts"
import { outcomeOf } from "../scenes.ts"
import type { Suite } from "../suite.ts"
import { contenders } from "./contenders/all.ts"
import { makeResult, renderResults, type Result } from "./report.ts"
import { makePlan, type Plan, type Scenario } from "./scenarios.ts"
import { playScenes } from "./scenes/suite.ts"

const runScenario = async (lanes: ReadonlyArray<Lane>, scenario: Scenario, plan: Plan): Promise<Result> => {
  for (const lane of lanes) await setUp(lane, scenario)
  const measured = await race(lanes, plan)
  for (const lane of lanes) await finish(lane)
  return makeResult(scenario, measured)
}

const runRaces = async (plan: Plan, tell: (line: string) => void): Promise<ReadonlyArray<Result>> => {
  if (plan.scenarios.length === 0) return []
  tell(`lease: ${plan.rounds} alternating rounds after ${plan.warmUps} to warm up`)
  const lanes = contenders.map(({ name }) => openLane("lease", name))
  const results: Array<Result> = []
  for (const scenario of plan.scenarios) {
    const result = await runScenario(lanes, scenario, plan)
    results.push(result)
    tell(
      `${result.name}: ${result.ours} us, x ${result.ratio} bare, x ${result.ratioInEffect} in Effect, x ${result.ratioToPoolUse} Pool.use`
    )
  }
  await Promise.all(lanes.map(closeLane))
  return results
}

export const leaseSuite: Suite = {
  name: "lease",
  packages: ["@effect-pools/core", "effect", "generic-pool", "tarn", "lightning-pool"],
  async run(choice, tell) {
    const plan = makePlan(choice)
    const results = await runRaces(plan, tell)
    const played = await playScenes(choice, tell)
    return outcomeOf({ rounds: plan.rounds, results, render: renderResults }, played)
  }
}
