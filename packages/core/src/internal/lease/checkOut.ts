/**
 * Steps 2 to 4 of a lease: check out a connection that needs no proof, or wait for one, and lend it.
 */
import * as Effect from "effect/Effect"
import { effectOf } from "../../Callback.ts"
import { type PoolErrorReason, QueueFull } from "../../PoolError.ts"
import { diagnosedLately } from "../diagnosis/lately.ts"
import { affinityOf, closest } from "./affinity.ts"
import { refusal } from "./admit.ts"
import { emit, warn } from "../watch/events.ts"
import { labelOf, type Lease, type Pooled } from "../line/lease.ts"
import { nameOf } from "../line/said.ts"
import { fillable, fillsUp, isCrowded, joinable } from "./share.ts"
import { isReady } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"
import { shed } from "./shed.ts"
import { wait } from "./wait.ts"

/** Runs the lease's body with a connection: at once if one is ready and nobody is before us, else in turn. */
export const borrow = (state: PoolState, lease: Lease): Effect.Effect<any, any, any> => {
  if (state.line.isNext(lease) && state.isAdmitting) {
    const now = state.time.now()
    const connection = take(state, lease, now)
    if (connection !== undefined) {
      state.counts.lentAtOnce()
      lend(state, connection, lease, now)
      if (state.events.leaseListeners > 0) acquired(state, lease, connection, 0)
      if (connection.holders.size > 1) joined(state, connection, now)
      return start(state, lease, connection)
    }
  }
  shed(state)
  const reason = refusal(state, lease)
  if (reason !== undefined) {
    state.counts.add("refused")
    // The one that paused or ended the pool knows that callers are turned away.
    if (state.phase === "open" && !state.isPaused) state.callerFailed(state.time.elapsed)
    return Effect.fail(state.error(explained(state, reason)))
  }
  return wait(state, lease)
}

/** A full queue says why it is full. */
const explained = (state: PoolState, reason: PoolErrorReason): PoolErrorReason => {
  if (reason._tag !== "QueueFull") return reason
  const { pending, pendingLimit } = reason
  return new QueueFull({ pending, pendingLimit, diagnosis: diagnosedLately(state) })
}

/** A sharer would rather have a connection for itself: the pool grows as long as it may. */
const joined = (state: PoolState, connection: Pooled, now: number): void => {
  if (!isCrowded(state, connection, now)) return
  state.places.crowded()
  state.settle()
}

/** The warmest idle connection if it needs no proof, or one that others share; which first, the connector says. */
const take = (state: PoolState, lease: Lease, now: number): Pooled | undefined => {
  if (lease.isShared && fillsUp(state)) {
    const shared = fillable(state, now)
    if (shared !== undefined) return shared
  }
  if (state.config.traffic.affinity && state.places.idle.length > 1) {
    const close = closest(state, lease, now)
    if (close !== undefined) return state.places.takeIdle(close)
  }
  const connection = state.places.idle[state.places.idle.length - 1]
  if (connection === undefined) return lease.isShared ? joinable(state, now) : undefined
  return isReady(state, connection, now) ? state.places.takeIdle(connection) : undefined
}

/** Gives a connection that is ready, or that may be shared, to the first in line. */
export const handOver = (state: PoolState, connection: Pooled, lease: Lease, now: number): void => {
  const waited = now - lease.since
  state.counts.lentAfter(waited)
  state.line.served(lease)
  lend(state, connection, lease, now)
  if (state.events.leaseListeners > 0) acquired(state, lease, connection, waited)
  if (waited > state.config.slowAcquireTimeout) acquiredSlowly(state, lease, connection, waited)
  state.line.wake(lease, lease)
}

const lend = (state: PoolState, connection: Pooled, lease: Lease, now: number): void => {
  lease.begin(connection, now)
  state.places.lend(connection, lease)
  state.line.order.account?.began(lease)
  if (state.config.traffic.affinity && connection.holders.size === 1) connection.affinity = affinityOf(lease)
}

/** Reached in the borrower's own fiber, so that whatever the connector or the body throws is the borrower's defect. */
export const start = (state: PoolState, lease: Lease, connection: Pooled): Effect.Effect<any, any, any> => {
  lease.isStarted = true
  connection.uses++
  const lent = state.connector.lend === undefined
    ? connection.value
    : state.connector.lend(connection.value, lease.isShared)
  lease.lent = lent
  return effectOf(state.config.name, lease.request.body(lent))
}

const acquired = (state: PoolState, lease: Lease, connection: Pooled, waited: number): void =>
  emit(state, { _tag: "Acquired", connection: connection.id, ...nameOf(lease), waited })

const acquiredSlowly = (state: PoolState, lease: Lease, connection: Pooled, waited: number): void => {
  const label = labelOf(lease)
  emit(state, { _tag: "AcquiredSlowly", connection: connection.id, ...nameOf(lease), waited })
  // After an outage everybody was slow: each has its event, but one line a second is enough for the log.
  const now = state.time.now()
  if (now < state.slowLoggedAt + 1000) return
  state.slowLoggedAt = now
  warn(state, `${label ?? "a lease"} waited ${Math.round(waited)} ms for its connection (slowAcquireTimeout)`)
}
