/**
 * Beside the path: the level of degradation, set by hand or found second by second.
 */
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { InvalidOption, type PoolError } from "../../PoolError.ts"
import type { Level } from "../model/traffic.ts"
import type { PoolState } from "../pool/state.ts"
import { emit, warn } from "../watch/events.ts"
import { refuseWaiting } from "./shed.ts"

const levels: ReadonlySet<unknown> = new Set([0, 1, 2, 3, 4, "auto"])

/** Sets the level by hand, or lets the pool find it. */
export const degrade = (state: PoolState, level: Level | "auto"): Effect.Effect<void, PoolError> =>
  Effect.suspend(() => {
    if (!levels.has(level)) {
      const rule = `must be 0, 1, 2, 3, 4 or "auto", got ${String(level)}`
      return Effect.fail(state.error(new InvalidOption({ option: "level", rule })))
    }
    return state.act(() => {
      state.line.degrade(level)
      return tellLevel(state)
    })
  })

/** Judges each second, in a pool that finds its level by itself. */
export const watchLevel = (state: PoolState): Effect.Effect<void> =>
  state.config.traffic.degradation === "manual"
    ? Effect.void
    : Effect.forever(Effect.andThen(
      Effect.sleep("1 second"),
      Effect.suspend(() =>
        state.act(() => {
          state.line.turnSecond()
          return tellLevel(state)
        })
      )
    ))

const tellLevel = (state: PoolState): Effect.Effect<void> => {
  const { overload } = state.line.order
  const from = SubscriptionRef.getUnsafe(state.degradation)
  if (overload === undefined || overload.level === from) return Effect.void
  const { isManual, level } = overload
  emit(state, { _tag: "DegradationChanged", level, from, isManual })
  const why = isManual ? "set by hand" : level > from ? "callers fail to get a connection" : "callers are served again"
  warn(state, `degradation is at level ${level} after ${from}: ${why}`)
  // Nobody's turn may come any more at a higher level, and others' may at a lower one.
  if (level > from) refuseWaiting(state, overload)
  return SubscriptionRef.set(state.degradation, level)
}
