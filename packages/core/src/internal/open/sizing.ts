/**
 * Beside the path: lets the limit follow what the sizer finds. Only pools with the option `sizing` run it.
 */
import * as Effect from "effect/Effect"
import type { PoolState } from "../pool/state.ts"
import type { Sizer } from "../sizing/sizer.ts"
import type { Look } from "../sizing/window.ts"
import { inform } from "../watch/events.ts"
import { moveLimit } from "./limit.ts"

/** How often a pool is looked at: seldom while it is not busy. */
const often = 100
const seldom = 1_000

export const watchSize = (state: PoolState): Effect.Effect<void> => {
  const { sizer } = state
  if (sizer === undefined) return Effect.void
  follow(state, sizer)
  return Effect.forever(Effect.suspend(() => {
    const before = sizer.climb.isSettled
    look(state, sizer)
    if (sizer.climb.isSettled && !before) inform(state, `sizing: ${sizer.climb.why}`)
    return Effect.sleep(isBusy(state) ? often : seldom)
  }))
}

const isBusy = ({ line, places: { limit, used } }: PoolState): boolean => line.size > 0 || used >= 0.9 * limit

const look = (state: PoolState, sizer: Sizer): void => {
  if (state.phase !== "open") return
  const { limits } = state.places
  // Somebody who is advised may set another limit than now.
  const ceiling = limits.without(state.config.sizing.mode === "apply" ? "sizing" : "setLimit")
  if (!sizer.look(lookOf(state), ceiling, state.time.date())) return
  follow(state, sizer)
  sizer.climb.moved(lookOf(state))
}

const follow = (state: PoolState, { climb: { size, why } }: Sizer): void => {
  if (state.config.sizing.mode === "apply") moveLimit(state, "sizing", size, why)
}

const lookOf = (state: PoolState): Look => {
  const { counts: { numbers }, line, places: { limit, live, used } } = state
  const { ended } = numbers
  return {
    now: state.time.now(),
    limit,
    live,
    used,
    pending: line.size,
    waited: numbers.acquiredAfterWaiting + numbers.timedOut + numbers.failed + numbers.interrupted,
    ended: ended.success + ended.failure + ended.defect,
    interrupted: ended.interrupt,
    failedOperations: numbers.operations.failed
  }
}
