/** The timed work: two bodies, each with one caller, as many callers as connections, and ten and a hundred times that. */
import type { Rounds } from "../measure.ts"
import type { Choice } from "../suite.ts"
import type { BodyName } from "./bodies.ts"

export interface Scenario {
  readonly name: string
  readonly body: BodyName
  readonly callers: number
  /** Leases in one round, all callers together: a multiple of `callers`. */
  readonly leases: number
}

export interface Plan extends Rounds {
  readonly scenarios: ReadonlyArray<Scenario>
}

// Long enough that a round is a pool at work and not a process that has just been woken, short enough that a machine
// whose speed changes by the second changes it for all.
const leasesOf = (body: BodyName): number => body === "empty" ? 200_000 : 100_000

export const makePlan = (options: Choice): Plan => {
  const scenarios = (["empty", "hop"] as const).flatMap((body) =>
    [1, 10, 100, 1000].map((callers): Scenario => ({
      name: `lease/${body}/${callers}`,
      body,
      callers,
      leases: leasesOf(body) / (options.quick ? 5 : 1)
    }))
  )
  return {
    rounds: options.quick ? 5 : 11,
    warmUps: 2,
    scenarios: scenarios.filter(({ name }) => name.includes(options.filter))
  }
}
