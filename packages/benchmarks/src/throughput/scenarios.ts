/** Each workload with one caller, with as many callers as connections, and with six times that. */
import type { Rounds } from "../measure.ts"
import type { Choice } from "../suite.ts"
import { callers, type Scenario, type Workload } from "./workload.ts"

export interface Plan extends Rounds {
  readonly scenarios: ReadonlyArray<Scenario>
}

// Half a second: a client that was just woken finds the caches cold, and the kernel has yet to settle which of the client
// and its server runs where. In rounds of a tenth of a second that is what was measured, more than the clients.
export const makePlan = (workloads: ReadonlyArray<Workload<unknown>>, { filter, quick }: Choice): Plan => {
  const scenarios = workloads.flatMap(({ name, operations, server }) =>
    callers.map((callers): Scenario => ({
      name: `throughput/${name}/${callers}`,
      workload: name,
      server,
      callers,
      operations: operations[callers] / (quick ? 5 : 1),
      least: quick ? 100 : 500
    }))
  )
  return {
    rounds: quick ? 3 : 9,
    warmUps: 1,
    scenarios: scenarios.filter(({ name }) => name.includes(filter))
  }
}
