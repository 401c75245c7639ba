/**
 * The dispatcher: after every step that has changed something it serves the queue with what is idle, and opens what the
 * queue and the minimum still want. That it looks again after *every* change is why no waiter is ever lost.
 */
import { closest } from "./lease/affinity.ts"
import { handOver } from "./lease/checkOut.ts"
import type { Lease, Pooled } from "./line/lease.ts"
import { open } from "./open/open.ts"
import { settleWarmUps } from "./open/warmUp.ts"
import { isCurrent, isReady, retire } from "./pool/retire.ts"
import { demand, fillsUp, joinable, wantedByWaiters } from "./lease/share.ts"
import { PoolState } from "./pool/state.ts"
import { validateForWaiter } from "./proof/validate.ts"

/** The state of a pool that is dispatched here at the end of each step. */
export class DispatchedState extends PoolState {
  protected override dispatch(): void {
    dispatch(this)
  }
}

const dispatch = (state: PoolState): void => {
  if (isLentOut(state)) {
    if (state.line.size > 0 || state.places.wanted > state.places.limit) state.askForMore()
  } else if (state.phase !== "closed") {
    if (state.isLending) serve(state)
    state.places.keepFloor()
    for (let missing = wanted(state); missing > 0 && state.mayBegin(); missing--) open(state)
  }
  // All that was changed by this is done.
  state.mark.clear()
  if (state.places.warmUps.size > 0) settleWarmUps(state)
  state.drain.onChange?.()
}

/** With every connection lent, each to one, there is nothing to do but wait, or to ask a budget for more. */
const isLentOut = ({ places }: PoolState): boolean => places.used >= places.limit && places.sharing.length === 0

const serve = (state: PoolState): void => {
  const { line } = state
  let first = line.first()
  for (; first !== undefined; first = line.first()) {
    const now = state.time.now()
    if (!(fillsUp(state) && joinFirst(state, first, now)) && !serveIdle(state, first, now)) break
  }
  for (; first !== undefined; first = line.first()) if (!joinFirst(state, first, state.time.now())) break
}

/** Lets the first in line join those who share a connection, if it may and there is room. */
const joinFirst = (state: PoolState, first: Lease, now: number): boolean => {
  const shared = first.isShared ? joinable(state, now) : undefined
  if (shared !== undefined) handOver(state, shared, first, now)
  return shared !== undefined
}

/** Gives the first in line an idle connection, or does what must be done before; `false` if there is nothing to do. */
const serveIdle = (state: PoolState, first: Lease, now: number): boolean => {
  const { idle } = state.places
  // A health check may have left a colder one as the only one that needs no proof.
  const fresh = freshest(state, first, now)
  if (fresh !== undefined) {
    handOver(state, state.places.takeIdle(fresh), first, now)
    return true
  }
  const warmest = idle.findLast((connection) => isCurrent(state, connection))
  if (warmest === undefined) return false
  if (state.connector.validate === undefined) retire(state, warmest, "broken")
  else if (state.trust.validating < proofsWanted(state, now) && state.mayBegin()) validateForWaiter(state, warmest)
  else return false
  return true
}

/**
 * The connection that may be lent as it is. Thousands may be stale and wait for their proofs: they are looked through once, and
 * not at each change.
 */
const freshest = (state: PoolState, first: Lease, now: number): Pooled | undefined => {
  const { config, dialer, places: { idle, idled }, trust } = state
  if (!trust.mayAnyBeFresh(now)) return undefined
  if (config.traffic.affinity) return closest(state, first, now)
  if (trust.isNoneFresh(idled) && dialer.failures === 0) return undefined
  const fresh = idle.findLast((connection) => isReady(state, connection, now))
  if (fresh === undefined) trust.noneIsFresh(idled)
  return fresh
}

/**
 * Where the last proof has failed, the others are asked together and not one after another: they may all have died of the
 * same.
 */
const proofsWanted = (state: PoolState, now: number): number =>
  wantedByWaiters(state, now) + (state.trust.isProofDoubted ? proofsInDoubt : 0)

/** How many more connections prove themselves at a time after a proof has failed. */
const proofsInDoubt = 16

/** How many dials to begin now. */
const wanted = (state: PoolState): number => {
  if (state.dialer.isBlocked) return 0
  const room = state.places.limit - state.places.connections.size
  if (room <= 0 && !state.mayAskForMore) return 0
  const more = demand(state) - state.places.opening
  if (more > room) state.askForMore()
  const missing = Math.min(room, more)
  // After a failure one dial at a time finds out whether the backend is back.
  return state.dialer.failures > 0 ? Math.min(missing, 1 - state.places.opening) : missing
}
