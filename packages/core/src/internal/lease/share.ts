/**
 * Shared leases: where a protocol can serve several callers on one connection, single requests need not wait for a
 * connection of their own.
 *
 * The connector says what a sharer joins. `"idle"`: an idle connection is taken first, so that load spreads; when none
 * is idle a caller joins the connection with the fewest sharers, and one more is opened. `"busiest"`: a caller joins
 * the connection with the most sharers that is not full, so that requests leave together; another is taken, and at last
 * opened, when all are full. `"adaptive"`: while leases are short, callers that come in one moment fill a connection
 * before another is taken; otherwise as `"idle"`. In each way a caller waits only when all are full, and one
 * that waits for a connection of its own is overtaken by nobody.
 *
 * A connection that is to be retired is joined by nobody, so it ends with its last sharer, however busy the pool is.
 */
import type { Pooled } from "../line/lease.ts"
import { isCurrent, whyRetire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

/** Whether sharers fill a connection before they take another. */
export const fillsUp = ({ connector: { joins }, sharedUse }: PoolState): boolean =>
  joins === "busiest" || (joins === "adaptive" && sharedUse.isShort)

/** Whether those who share it would rather each have a connection of their own. */
export const isCrowded = (state: PoolState, { holders: { head, size } }: Pooled, now: number): boolean => {
  const { connector: { joins }, sharedUse } = state
  if (size < 2 || joins === "busiest") return false
  return joins !== "adaptive" || !sharedUse.isShort || head!.lentAt < now - sharedUse.moment
}

/** The shared connection that one more caller fills up, or `undefined`: then it takes an idle one. */
export const fillable = (state: PoolState, now: number): Pooled | undefined => {
  const { connector: { joins, sharers = 1 }, sharedUse } = state
  return pick(state, now, sharers, 1, joins === "adaptive" ? now - sharedUse.moment : -Infinity)
}

/** The shared connection that one more caller may use when none is idle, or `undefined`. */
export const joinable = (state: PoolState, now: number): Pooled | undefined => {
  const { connector: { joins, sharers = 1 } } = state
  return pick(state, now, sharers, joins === "busiest" ? 1 : -1, -Infinity)
}

/**
 * Among the connections that fewer than `most` share, all since `since`, the one with the most sharers (sign 1) or the
 * fewest (-1).
 */
const pick = (state: PoolState, now: number, most: number, sign: 1 | -1, since: number): Pooled | undefined => {
  let best: Pooled | undefined
  for (const connection of state.places.sharing) {
    const { head, size } = connection.holders
    if (size >= most || head!.lentAt < since) continue
    const isBetter = best === undefined || sign * (size - best.holders.size) > 0
    if (isBetter && mayBeJoined(state, connection, now)) best = connection
  }
  return best
}

const mayBeJoined = (state: PoolState, connection: Pooled, now: number): boolean =>
  connection.state === "used" && state.trust.isUndoubted(connection) && isCurrent(state, connection) &&
  whyRetire(state, connection, now) === undefined

/** How many connections the queue waits for. */
export const wantedByWaiters = (state: PoolState, now: number): number => {
  const { connector, line: { order } } = state
  if (order.wantedShared === 0 || connector.joins !== "busiest") return order.wanted
  const each = connector.sharers ?? 1
  let left = order.wantedShared
  // Those behind one that waits for a connection of its own will find room where others share.
  for (const connection of state.places.sharing) {
    if (mayBeJoined(state, connection, now)) left -= each - connection.holders.size
  }
  return order.wanted - order.wantedShared + Math.max(0, Math.ceil(left / each))
}

/** Where a connection is crowded one more is opened at a time, so that a slow request holds up fewer others. */
const wantedBySharers = (state: PoolState, now: number): number => {
  const { connector, isLending, phase, places } = state
  if (connector.joins === "busiest" || places.idle.length > 0 || !isLending || phase !== "open") return 0
  for (const connection of places.sharing) {
    if (connection.state === "used" && isCrowded(state, connection, now)) return 1
  }
  return 0
}

/** How many connections should be under way, those being opened included. */
export const demand = (state: PoolState): number => {
  const now = state.time.now()
  const waiting = state.isLending ? wantedByWaiters(state, now) : 0
  // Nobody counts on a proof after one has failed: what there is room for is dialled beside.
  const forWaiters = waiting - (state.trust.isProofDoubted ? 0 : state.trust.validating)
  const forMinimum = state.places.floor - (state.places.live - state.places.due)
  return Math.max(forWaiters, forMinimum, wantedBySharers(state, now))
}
