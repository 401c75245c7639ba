/** A contender of the race in its process. */
import { checksum, makeBody } from "../../lease/bodies.ts"
import { makeConnections } from "../../lease/connections.ts"
import { poolSize } from "../../lease/contender.ts"
import { inTime, type Race, timeRound, Unequal } from "../../race.ts"
import { contenders } from "./contenders.ts"
import type { Scenario } from "./scenarios.ts"

export const track = async (name: string, scenario: Scenario): Promise<Race> => {
  const contender = contenders.find((contender) => contender.name === name)
  if (contender === undefined) throw new Error(`there is no contender "${name}"`)
  const connections = makeConnections()
  const running = await contender.setUp(connections)
  const { callers, leases } = scenario
  const unequal = (problem: string) => new Unequal(scenario.name, name, problem)
  const body = makeBody(scenario.body)
  const run = (total: number) => {
    body.restart()
    return running.run(callers, Math.ceil(total / callers) * callers, body)
  }
  const few = 10 * callers
  if (await inTime(run(few), unequal) !== checksum(few)) throw unequal("does not run each lease once")
  return {
    round: () => timeRound({ callers, operations: leases, sum: checksum(leases), run, unequal }),
    async finish() {
      await running.close()
      if (connections.opened !== connections.closed) throw unequal("left a connection open")
      if (connections.peak > poolSize) throw unequal(`had ${connections.peak} connections`)
    }
  }
}
