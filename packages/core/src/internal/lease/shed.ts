/**
 * Beside the path: when callers wait too long, a part of those who wait already is refused as newcomers are.
 */
import * as Effect from "effect/Effect"
import type { PoolState } from "../pool/state.ts"

/** Judges the line, if its order refuses callers at all and it is time. */
export const shed = (state: PoolState): void => {
  const { line } = state
  const { overload } = line.order
  if (overload === undefined || !overload.turn(state.time.now())) return
  for (const lease of line.order) {
    const reason = overload.refusal(lease)
    if (reason === undefined) continue
    line.leave(lease)
    line.wake(lease, Effect.fail(state.error(reason)))
    state.counts.refused++
  }
}
