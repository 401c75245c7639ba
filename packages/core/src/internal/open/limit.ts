/**
 * A change of the live limit, whatever causes it: idle connections beyond it go now, lent ones when they come back.
 */
import type { Bound } from "../model/limit.ts"
import { retire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"
import { emit } from "../watch/events.ts"

/** Moves one bound of the limit; `Infinity` takes it away. `why` is told in the event. */
export const moveLimit = (state: PoolState, bound: Bound, to: number, why: string): void => {
  const { limits } = state.places
  const from = limits.limit
  const isOther = limits.set(bound, to)
  const { limit, limitedBy } = limits
  // A limit set by hand is told even if it changes nothing.
  if (isOther || bound === "setLimit") emit(state, { _tag: "LimitChanged", limit, from, limitedBy, why })
  if (isOther) state.act(() => retireSurplus(state, limit))
}

const retireSurplus = (state: PoolState, limit: number): void => {
  // Dials under way do not count: one may fail, and is retired on arrival if it is too many.
  const surplus = Math.max(0, state.places.live - limit)
  // The coldest are at the front.
  for (const connection of state.places.idle.slice(0, surplus)) retire(state, connection, "idle")
}
