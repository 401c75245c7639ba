/** A contender of the throughput benchmark in its process. */
import { type Race, timeRound, Unequal } from "../race.ts"
import { check, sumOf } from "./check.ts"
import type { Client, Located, Workload } from "./workload.ts"
import { loadWorkloads } from "./workloads.ts"

// Enough for the compiler to have seen it all: code that is new to it takes tens of microseconds an operation, and above
// all in clients with much of it. With other callers other ways through a client are taken, so each scenario has its own.
const firstOperations = 32_000
const operationsOfScenario = 8000

let isWarm = false

const warm = async (workload: Workload<unknown>, client: Client<unknown>, callers: number): Promise<void> => {
  const { weigh, worth = 1 } = workload
  if (!isWarm) await client.run(64, Math.ceil(firstOperations / worth), weigh)
  isWarm = true
  await client.run(callers, Math.ceil(operationsOfScenario / worth), weigh)
}

/** How often it is to be done in so many milliseconds at least. */
const timesFor = async (least: number, once: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await once()
  return Math.ceil(least / (performance.now() - start))
}

export const track = async (name: string, scenario: Located): Promise<Race> => {
  const workload = (await loadWorkloads(scenario.server)).find(({ name }) => name === scenario.workload)
  const contender = workload?.contenders.find((contender) => contender.name === name)
  if (workload === undefined || contender === undefined) throw new Error(`there is no contender "${name}"`)
  const client = await contender.open(scenario.url)
  await check(workload, name, client, scenario)
  const { callers, operations } = scenario
  await warm(workload, client, callers)
  const run = (total: number) => client.run(callers, total, workload.weigh)
  const total = operations * await timesFor(scenario.least, () => run(operations))
  const sum = sumOf(workload, total)
  const unequal = (problem: string) => new Unequal(scenario.name, name, problem)
  return {
    round: () => timeRound({ callers, operations: total, sum, run, unequal }),
    finish: () => client.close()
  }
}
