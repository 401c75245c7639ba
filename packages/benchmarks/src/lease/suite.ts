/** The cost of a lease, beside other pools. */
import { raceAll } from "../measure.ts"
import { outcomeOf } from "../scenes.ts"
import type { Suite } from "../suite.ts"
import { contenders } from "./contenders/all.ts"
import { makeResult, renderResults, type Result } from "./report.ts"
import { makePlan } from "./scenarios.ts"
import { playScenes } from "./scenes/suite.ts"

const lineOf = ({ name, ours, ratio, ratioInEffect, ratioToPoolUse }: Result): string =>
  `${name}: ${ours} us, x ${ratio} bare, x ${ratioInEffect} in Effect, x ${ratioToPoolUse} Pool.use`

export const leaseSuite: Suite = {
  name: "lease",
  packages: ["@effect-pools/core", "effect", "generic-pool", "tarn", "lightning-pool"],
  async run(choice, tell) {
    const plan = makePlan(choice)
    const results = await raceAll("lease", contenders.map(({ name }) => name), plan, makeResult, tell, lineOf)
    const played = await playScenes(choice, tell)
    return outcomeOf({ rounds: plan.rounds, results, render: renderResults }, played)
  }
}
