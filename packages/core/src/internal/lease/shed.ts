/**
 * Beside the path: when callers wait too long, a part of those who wait already is refused as newcomers are.
 */
import * as Effect from "effect/Effect"
import { withoutStack } from "../base/withoutStack.ts"
import type { Overload } from "../line/order.ts"
import type { PoolState } from "../pool/state.ts"
import { emit, warn } from "../watch/events.ts"

/** Judges the line, if its order refuses callers at all and it is time. */
export const shed = (state: PoolState): void => {
  const { line } = state
  const { overload } = line.order
  if (overload === undefined) return
  if (overload.turn(state.time.now())) state.act(() => refuseWaiting(state, overload))
  tell(state, overload.shed)
}

/** Refuses those who wait already as newcomers are. */
export const refuseWaiting = (state: PoolState, overload: Overload): void => {
  const { line } = state
  for (const lease of line.order) {
    const reason = overload.refusal(lease)
    if (reason === undefined) continue
    line.leave(lease)
    line.wake(lease, Effect.fail(withoutStack(() => state.error(reason))))
    state.counts.add("refused")
  }
}

/** Tells of a change that matters: where shedding begins or ends, and each tenth between. */
const tell = (state: PoolState, { low, normal }: { readonly low: number; readonly normal: number }): void => {
  const told = state.line.toldShedding
  const isSame = isNear(told.low, low) && isNear(told.normal, normal)
  if (isSame) return
  const wasShedding = told.low > 0 || told.normal > 0
  state.line.toldShedding = { low, normal }
  emit(state, { _tag: "SheddingChanged", refused: { low, normal } })
  if (!wasShedding) {
    const after = state.config.traffic.shedAfter
    warn(state, `overloaded: callers wait longer than ${after} ms (traffic.shedAfter), so a part of them is refused`)
  } else if (low === 0 && normal === 0) warn(state, "overloaded no more: nobody is refused")
}

const isNear = (before: number, now: number): boolean =>
  before === now || (before > 0 && now > 0 && Math.abs(before - now) < 0.1)
