/** Leases that are timed one after the other: served at once, and after a wait. */
import type { Plan, Scenario } from "../../lease/scenarios.ts"
import type { Choice } from "../../suite.ts"

export type { Scenario } from "../../lease/scenarios.ts"

export const makePlan = ({ filter, quick }: Choice): Plan => {
  const part = quick ? 5 : 1
  const scenarios: ReadonlyArray<Scenario> = [
    { name: "traffic/at-once/1", body: "empty", callers: 1, leases: 200_000 / part },
    { name: "traffic/at-once/10", body: "hop", callers: 10, leases: 100_000 / part },
    { name: "traffic/waiting/100", body: "hop", callers: 100, leases: 100_000 / part },
    { name: "traffic/waiting/1000", body: "hop", callers: 1000, leases: 100_000 / part }
  ]
  return {
    rounds: quick ? 5 : 11,
    warmUps: 2,
    scenarios: scenarios.filter(({ name }) => name.includes(filter))
  }
}
