/** A contender of the throughput benchmark in its process. */
import { type Race, timeRound, Unequal } from "../race.ts"
import { check, sumOf } from "./check.ts"
import type { Client, Located, Workload } from "./workload.ts"
import { loadWorkloads } from "./workloads.ts"

// Enough for the compiler to have seen it all. A round with one caller is too short for that, above all for clients
// with much code.
const warmUp = { callers: 64, operations: 32_000 }

let isWarm = false

const warm = async (workload: Workload<unknown>, client: Client<unknown>): Promise<void> => {
  if (!isWarm) await client.run(warmUp.callers, warmUp.operations, workload.weigh)
  isWarm = true
}

export const track = async (name: string, scenario: Located): Promise<Race> => {
  const workload = (await loadWorkloads(scenario.server)).find(({ name }) => name === scenario.workload)
  const contender = workload?.contenders.find((contender) => contender.name === name)
  if (workload === undefined || contender === undefined) throw new Error(`there is no contender "${name}"`)
  const client = await contender.open(scenario.url)
  await check(workload, name, client, scenario)
  await warm(workload, client)
  const { callers, operations } = scenario
  const sum = sumOf(workload, operations)
  const run = (total: number) => client.run(callers, total, workload.weigh)
  const unequal = (problem: string) => new Unequal(scenario.name, name, problem)
  return {
    round: () => timeRound({ callers, operations, sum, run, unequal }),
    finish: () => client.close()
  }
}
