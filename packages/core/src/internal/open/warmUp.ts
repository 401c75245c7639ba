/**
 * Opening connections before anybody asks for them, and waiting until they are open.
 */
import * as Effect from "effect/Effect"
import {
  AcquireTimeout,
  ConnectFailed,
  InvalidOption,
  PoolClosed,
  type PoolError,
  type PoolErrorReason
} from "../../PoolError.ts"
import { isRetryable } from "../base/retryable.ts"
import { stats } from "../pool/inspect.ts"
import type { WarmUp } from "../places/places.ts"
import { emit } from "../watch/events.ts"
import type { PoolState } from "../pool/state.ts"

/**
 * Raises the minimum to `count` until so many are open. Others at a budget may never give up what is missing: the pool waits
 * for it as long as a caller would, and is content with what it has then.
 */
export const warmUp = (state: PoolState, count: number): Effect.Effect<number, PoolError> => {
  if (!state.hasBudget) return open(state, count)
  return Effect.timeoutOrElse(open(state, count), {
    duration: state.config.acquireTimeout,
    orElse: () => state.places.live >= state.places.limit ? warm(state) : warmUp(state, count)
  })
}

const warm = (state: PoolState): Effect.Effect<number> =>
  Effect.sync(() => {
    emit(state, { _tag: "WarmedUp", open: state.places.live })
    return state.places.live
  })

const open = (state: PoolState, count: number): Effect.Effect<number, PoolError> =>
  Effect.suspend(() => {
    if (!Number.isInteger(count) || count < 0) {
      const rule = `must be an integer of at least 0, got ${count}`
      return Effect.fail(state.error(new InvalidOption({ option: "count", rule })))
    }
    // The numbers are asked in the step in which the request is made: in between the fiber may give way to what would
    // have answered it.
    return Effect.callback<number, PoolError>((resume) => {
      if (state.phase !== "open") return resume(Effect.fail(state.error(new PoolClosed({ state: state.phase }))))
      const target = Math.min(count, state.places.limits.without("budget"))
      if (state.places.live >= target) return resume(warm(state))
      const request: WarmUp = { target, resume }
      state.act(() => state.places.raiseFloor(request))
      return Effect.sync(() => {
        state.places.lowerFloor(request)
      })
    })
  })

export const settleWarmUps = (state: PoolState): void => {
  for (const request of state.places.warmUps) {
    // A budget may soon grant what it does not grant yet.
    if (state.places.live >= Math.min(request.target, state.places.limits.without("budget"))) {
      emit(state, { _tag: "WarmedUp", open: state.places.live })
      finish(state, request, Effect.succeed(state.places.live))
    }
  }
}

export const failWarmUps = (state: PoolState, reason: PoolErrorReason): void => {
  for (const request of state.places.warmUps) finish(state, request, Effect.fail(state.error(reason)))
}

const finish = (state: PoolState, request: WarmUp, outcome: Effect.Effect<number, PoolError>): void => {
  state.places.lowerFloor(request)
  state.later(() => request.resume(outcome))
}

/** Start-up: the pool is ready when its minimum is open, which is its floor at a budget, or fails within `startupTimeout`. */
export const startUp = (state: PoolState): Effect.Effect<unknown, PoolError> => {
  const { minConnections, startup, startupTimeout } = state.config
  if (startup === "lazy" || minConnections === 0) return Effect.void
  return Effect.timeoutOrElse(open(state, minConnections), {
    duration: startupTimeout,
    orElse: () => Effect.fail(state.error(lateStart(state)))
  })
}

const lateStart = (state: PoolState): PoolErrorReason => {
  const waited = state.config.startupTimeout
  const { failures, lastFailure } = state.dialer
  if (lastFailure !== undefined) {
    const { cause } = lastFailure
    return new ConnectFailed({ cause, attempts: failures, waited, isRetryable: isRetryable(cause) })
  }
  return new AcquireTimeout({
    option: "startupTimeout",
    step: "opening",
    waited,
    elsewhere: 0,
    stats: stats(state),
    lastConnectFailure: undefined,
    holders: [],
    holdsAlready: false
  })
}
