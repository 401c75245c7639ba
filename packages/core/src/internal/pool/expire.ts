/**
 * The end of an idle connection whose time is up: its idle time, or its lifetime.
 */
import type { Pooled } from "../line/lease.ts"
import { retire } from "./retire.ts"
import type { PoolState } from "./state.ts"

/**
 * One that the minimum needs is renewed at its lifetime alone: it is marked due and stays until its replacement is open, if there is room to open one; so
 * neither an expiry nor an outage ever leaves the pool with less than it had.
 */
export const visitIdle = (state: PoolState, connection: Pooled, now: number): number => {
  if (connection.isDue) return Infinity
  const isNeeded = state.places.live <= state.places.floor
  if (state.trust.isSuperseded(connection)) {
    supersede(state, connection, isNeeded)
    return Infinity
  }
  // Only what the minimum does not need may idle too long.
  const dueAt = isNeeded ? connection.expiresAt : dueAtOf(state, connection)
  if (now < dueAt) return dueAt
  if (isNeeded && state.places.connections.size < state.places.limit) {
    state.places.markDue(connection)
  } else if (isNeeded && (state.places.closing > 0 || state.places.opening > 0 || state.dialer.failures > 0)) {
    // Without room to replace it first they go one by one, and none goes while another can't be opened.
    return now + 1000
  } else if (now >= connection.expiresAt) retire(state, connection, "lifetime")
  else endIdle(state, connection)
  return Infinity
}

/**
 * One that `retireAll` replaces goes at once, unless the minimum needs it: then it goes when a dial has shown that others can
 * be opened. Where there is no room for that dial, one goes for it.
 */
const supersede = (state: PoolState, connection: Pooled, isNeeded: boolean): void => {
  const { closing, connections, limit, opening } = state.places
  const isAwaited = connections.size < limit || closing > 0 || opening > 0 || state.dialer.failures > 0
  if (isNeeded && isAwaited) state.places.markDue(connection)
  else retire(state, connection, "superseded")
}

/** A dial of now has succeeded: what the minimum needed of the connections that `retireAll` replaces goes too. */
export const retireSuperseded = (state: PoolState): void => {
  if (state.places.due === 0) return
  for (const connection of Array.from(state.places.idle)) {
    if (connection.isDue && state.trust.isSuperseded(connection)) retire(state, connection, "superseded")
  }
}

export const dueAtOf = (state: PoolState, connection: Pooled): number =>
  Math.min(connection.expiresAt, connection.idleSince + state.config.idleTimeout)

/** Effect's Pool ends what rests there; what was not yet put to rest leaves by the same door. */
const endIdle = (state: PoolState, connection: Pooled): void => {
  if (connection.loan === undefined) state.places.expire()
  if (connection.state === "idle") retire(state, connection, "idle")
}

/** Retires idle connections that are past their time, as far as the minimum allows. */
export const retireDue = (state: PoolState): void => {
  if (state.places.due === 0) return
  const now = state.time.now()
  for (const connection of Array.from(state.places.idle)) {
    if (!connection.isDue) continue
    if (state.places.live <= state.places.floor) return
    retire(state, connection, now >= connection.expiresAt ? "lifetime" : "idle")
  }
}
