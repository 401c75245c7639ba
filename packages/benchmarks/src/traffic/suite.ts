/** The cost of telling callers apart, and its use. */
import { raceAll } from "../measure.ts"
import { outcomeOf } from "../scenes.ts"
import type { Suite } from "../suite.ts"
import { contenders } from "./race/contenders.ts"
import { makeResult, render, type Result } from "./race/report.ts"
import { makePlan } from "./race/scenarios.ts"
import { playScenes } from "./scenes/suite.ts"

const lineOf = ({ name, toBefore }: Result): string =>
  `${name}: ${Object.entries(toBefore).map(([name, ratio]) => `${name} x ${ratio}`).join(", ")}`

export const trafficSuite: Suite = {
  name: "traffic",
  packages: ["@effect-pools/core", "effect", "generic-pool", "tarn", "pg-pool"],
  async run(choice, tell) {
    const plan = makePlan(choice)
    const results = await raceAll("traffic", contenders.map(({ name }) => name), plan, makeResult, tell, lineOf)
    const played = await playScenes(choice, tell)
    return outcomeOf({ rounds: plan.rounds, results, render }, played)
  }
}
