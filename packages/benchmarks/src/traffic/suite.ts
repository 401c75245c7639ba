/** The cost of telling callers apart, and its use. */
import { closeLane, finish, openLane, race, setUp } from "../measure.ts"
import { outcomeOf } from "../scenes.ts"
import type { Suite } from "../suite.ts"
import { contenders } from "./race/contenders.ts"
import { makeResult, render, type Result } from "./race/report.ts"
import { makePlan, type Plan } from "./race/scenarios.ts"
import { playScenes } from "./scenes/suite.ts"

const runRaces = async (plan: Plan, tell: (line: string) => void): Promise<ReadonlyArray<Result>> => {
  if (plan.scenarios.length === 0) return []
  tell(`traffic: ${plan.rounds} alternating rounds after ${plan.warmUps} to warm up`)
  const lanes = contenders.map(({ name }) => openLane("traffic", name))
  const results: Array<Result> = []
  for (const scenario of plan.scenarios) {
    for (const lane of lanes) await setUp(lane, scenario)
    const result = makeResult(scenario, await race(lanes, plan))
    for (const lane of lanes) await finish(lane)
    results.push(result)
    tell(`${result.name}: ${Object.entries(result.toBefore).map(([name, ratio]) => `${name} x ${ratio}`).join(", ")}`)
  }
  await Promise.all(lanes.map(closeLane))
  return results
}

export const trafficSuite: Suite = {
  name: "traffic",
  packages: ["@effect-pools/core", "effect", "generic-pool", "tarn", "pg-pool"],
  async run(choice, tell) {
    const plan = makePlan(choice)
    const results = await runRaces(plan, tell)
    const played = await playScenes(choice, tell)
    return outcomeOf({ rounds: plan.rounds, results, render }, played)
  }
}
