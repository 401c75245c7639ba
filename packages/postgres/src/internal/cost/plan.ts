/**
 * Asks the planner what a statement costs, without running it.
 */
import * as Effect from "effect/Effect"
import type { LentConnection } from "../lent.ts"
import * as Dirt from "../dirt.ts"

/**
 * By the values at hand: the protocol wants some, and `GENERIC_PLAN` would plan for those that it is given. `undefined` for
 * what has no plan.
 */
export const ask = (
  lease: LentConnection,
  text: string,
  params: ReadonlyArray<unknown>
): Effect.Effect<number | undefined> =>
  Dirt.isPlain(text)
    ? Effect.match(lease.executeValuesUnprepared(`EXPLAIN (FORMAT JSON) ${text}`, params), {
      onSuccess: ([row]) => totalOf(row?.[0]),
      onFailure: () => undefined
    })
    : Effect.succeed(undefined)

const totalOf = (plan: unknown): number | undefined => {
  const [first] = Array.isArray(plan) ? plan as ReadonlyArray<{ readonly Plan?: Record<string, unknown> }> : []
  const total = first?.Plan?.["Total Cost"]
  return typeof total === "number" ? total : undefined
}
