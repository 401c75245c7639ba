/**
 * Shared leases: where a protocol can serve several callers on one connection, single requests need not wait for a
 * connection of their own.
 *
 * The connector says what a sharer joins. `"idle"`: an idle connection is taken first, so that load spreads; when none is
 * idle a caller joins the connection with the fewest sharers, and one more is opened. `"busiest"`: a caller joins the
 * connection with the most sharers that is not full, so that requests leave together; another is taken, and at last
 * opened, when all are full. Either way a caller waits only when all are full, and one that waits for a connection of its
 * own is overtaken by nobody.
 *
 * A connection that is to be retired is joined by nobody, so it ends with its last sharer, however busy the pool is.
 */
import type { Pooled } from "../line/lease.ts"
import { whyRetire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

/** Whether sharers fill a connection before they take another. */
export const fillsUp = ({ connector }: PoolState): boolean => connector.joins === "busiest"

/** The shared connection that one more caller may use, or `undefined`. */
export const joinable = (state: PoolState, now: number): Pooled | undefined => {
  if (state.places.sharing.length === 0) return undefined
  const most = state.connector.sharers ?? 1
  const sign = fillsUp(state) ? 1 : -1
  let best: Pooled | undefined
  for (const connection of state.places.sharing) {
    const { size } = connection.holders
    const isBetter = best === undefined || sign * (size - best.holders.size) > 0
    if (size < most && isBetter && mayBeJoined(state, connection, now)) best = connection
  }
  return best
}

const mayBeJoined = (state: PoolState, connection: Pooled, now: number): boolean =>
  connection.state === "used" && state.trust.isUndoubted(connection) &&
  whyRetire(state, connection, now) === undefined

/** How many connections the queue waits for. */
export const wantedByWaiters = (state: PoolState, now: number): number => {
  const { connector, line: { order } } = state
  if (order.wantedShared === 0 || !fillsUp(state)) return order.wanted
  const each = connector.sharers ?? 1
  let left = order.wantedShared
  // Those behind one that waits for a connection of its own will find room where others share.
  for (const connection of state.places.sharing) {
    if (mayBeJoined(state, connection, now)) left -= each - connection.holders.size
  }
  return order.wanted - order.wantedShared + Math.max(0, Math.ceil(left / each))
}

/** Where sharers spread, one more is opened at a time, so that a slow request holds up fewer others. */
const wantedBySharers = (state: PoolState): number => {
  if (fillsUp(state) || state.places.idle.length > 0 || !state.isLending || state.phase !== "open") return 0
  for (const connection of state.places.sharing) {
    if (connection.state === "used" && connection.holders.size > 1) return 1
  }
  return 0
}

/** How many connections should be under way, those being opened included. */
export const demand = (state: PoolState): number => {
  const waiting = state.isLending ? wantedByWaiters(state, state.time.now()) : 0
  // Nobody counts on a proof after one has failed: what there is room for is dialled beside.
  const forWaiters = waiting - (state.trust.isProofDoubted ? 0 : state.trust.validating)
  const forMinimum = state.places.floor - (state.places.live - state.places.due)
  return Math.max(forWaiters, forMinimum, wantedBySharers(state))
}
