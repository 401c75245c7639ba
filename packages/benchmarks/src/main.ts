/** The benchmark: `npm run bench [-- --json FILE] [-- --filter TEXT] [-- --quick]`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { parseArgs } from "node:util"
import { contenders } from "./contenders/all.ts"
import { describeMachine, readVersions } from "./machine.ts"
import { closeLane, measure, openLane } from "./measure.ts"
import { makeResult, renderHeader, renderReport, type Report, type Result } from "./report.ts"
import { makePlan, type Plan } from "./scenarios.ts"

const readArgs = () => {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      filter: { type: "string", default: "" },
      quick: { type: "boolean", default: false }
    }
  })
  return values
}

const raceAll = async (plan: Plan): Promise<ReadonlyArray<Result>> => {
  const lanes = contenders.map(openLane)
  const results: Array<Result> = []
  try {
    for (const scenario of plan.scenarios) {
      const result = makeResult(scenario, await measure(lanes, scenario, plan))
      results.push(result)
      console.log(
        `${result.name}: ${result.ours} us, x ${result.ratio} bare, x ${result.ratioInEffect} in Effect, x ${result.ratioToPoolUse} Pool.use`
      )
    }
  } finally {
    for (const lane of lanes) closeLane(lane)
  }
  return results
}

const main = async (): Promise<void> => {
  const args = readArgs()
  const plan = makePlan(args)
  if (plan.scenarios.length === 0) throw new Error(`no benchmark has "${args.filter}" in its name`)
  const machine = describeMachine()
  const versions = readVersions()
  console.log(renderHeader(machine, versions, plan))
  const results = await raceAll(plan)
  const report: Report = { machine, versions, rounds: plan.rounds, results }
  console.log(`\n${renderReport(report)}`)
  if (args.json !== undefined) {
    mkdirSync(dirname(args.json), { recursive: true })
    writeFileSync(args.json, `${JSON.stringify(report, undefined, 2)}\n`)
  }
}

try {
  await main()
} catch (error) {
  console.error(error)
  process.exit(1) // a pool that hangs would keep the process alive
}
