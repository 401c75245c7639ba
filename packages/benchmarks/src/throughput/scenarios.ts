/** Each workload with one caller, with as many callers as connections, and with six times that. */
import type { Rounds } from "../measure.ts"
import type { Choice } from "../suite.ts"
import { callers, type Scenario, type Workload } from "./workload.ts"

export interface Plan extends Rounds {
  readonly scenarios: ReadonlyArray<Scenario>
}

// A machine whose speed changes by the second changes it for all: rather many short rounds than few long ones.
export const makePlan = (workloads: ReadonlyArray<Workload<unknown>>, { filter, quick }: Choice): Plan => {
  const scenarios = workloads.flatMap(({ name, operations, server }) =>
    callers.map((callers): Scenario => ({
      name: `throughput/${name}/${callers}`,
      workload: name,
      server,
      callers,
      operations: operations[callers] / (quick ? 2 : 1)
    }))
  )
  return {
    rounds: quick ? 3 : 9,
    warmUps: 1,
    scenarios: scenarios.filter(({ name }) => name.includes(filter))
  }
}
