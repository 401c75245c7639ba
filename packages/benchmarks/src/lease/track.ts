/** A contender of the lease benchmark in its process. */
import { type Race, timeRound, Unequal } from "../race.ts"
import { checksum, makeBody } from "./bodies.ts"
import { check, checkClosed, type Racer } from "./check.ts"
import { makeConnections } from "./connections.ts"
import { contenderOf } from "./contenders/all.ts"
import type { Scenario } from "./scenarios.ts"

export const track = async (name: string, scenario: Scenario): Promise<Race> => {
  const contender = contenderOf(name)
  const connections = makeConnections()
  const racer: Racer = { contender, connections, running: await contender.setUp(connections) }
  await check(racer, scenario)
  const { callers, leases } = scenario
  const unequal = (problem: string) => new Unequal(scenario.name, name, problem)
  const body = makeBody(scenario.body)
  const run = (total: number) => {
    body.restart()
    return racer.running.run(callers, total, body)
  }
  return {
    round: () => timeRound({ callers, operations: leases, sum: checksum(leases), run, unequal }),
    async finish() {
      await racer.running.close()
      checkClosed(racer, scenario)
    }
  }
}
