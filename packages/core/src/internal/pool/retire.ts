/**
 * Whether a connection may be lent again, and its way to the exit if not.
 */
import type { RetireReason } from "../../PoolEvent.ts"
import { describeCause } from "../../Describe.ts"
import type { Pooled } from "../line/lease.ts"
import { warn } from "../watch/events.ts"
import type { PoolState } from "./state.ts"

/** Why a connection must not be lent again, or `undefined` if it may. */
export const whyRetire = (state: PoolState, connection: Pooled, now: number): RetireReason | undefined => {
  if (connection.isBroken) return "broken"
  if (connection.retireBecause !== undefined) return connection.retireBecause
  if (state.trust.isSuperseded(connection) && state.places.live > state.places.floor) return "superseded"
  if (connection.uses >= state.config.maxUses) return "lifetime"
  if (now >= connection.expiresAt && !isIrreplaceable(state)) return "lifetime"
  if (state.places.live > state.places.limit) return "idle"
  if (state.phase !== "open" && (state.phase === "closed" || state.line.size === 0)) return "shutdown"
  return undefined
}

/**
 * Whether a connection may be lent as far as `retireAll` is concerned: one that it replaces is lent only once a dial has shown
 * that there is nothing else to be had.
 */
export const isCurrent = (state: PoolState, connection: Pooled): boolean =>
  !state.trust.isSuperseded(connection) || state.dialer.failures > 0

/** Whether a connection may be lent as it is. */
export const isReady = (state: PoolState, connection: Pooled, now: number): boolean =>
  state.trust.isFresh(connection, now) && isCurrent(state, connection)

/** In an outage what the minimum needs serves on past its lifetime: an old connection is better than none. */
const isIrreplaceable = (state: PoolState): boolean =>
  state.dialer.failures > 0 && state.places.live <= state.places.floor

/** Sends a connection that is open to its end, whatever its state. */
export const retire = (state: PoolState, connection: Pooled, because: RetireReason): void => {
  if (connection.state === "closing") return
  state.places.leave(connection, because)
}

/** A connection reported that it is dead. */
export const broken = (state: PoolState, connection: Pooled, cause: unknown): void => {
  if (connection.isBroken || hasEnded(connection) || connection.state === "closing") return
  connection.broke(cause)
  if (connection.state === "opening") return
  const now = state.time.now()
  state.trust.died(now, connection.holders.head?.lentAt ?? now)
  if (connection.state !== "idle") return
  warn(state, `connection ${connection.id} broke while idle: ${describeCause(cause)}`)
  retire(state, connection, "broken")
}

/** A connection reported that it is over in good order: whatever becomes of it now says nothing of the others. */
export const ended = (state: PoolState, connection: Pooled): void => {
  switch (connection.state) {
    case "closing":
      return
    // To its dial there is no good order in this: a server that ends whatever it accepts must not be dialled on and on.
    case "opening":
      connection.broke()
      return
    case "idle":
      retire(state, connection, "ended")
      return
    case "checking":
    case "used":
      connection.ended()
  }
}

export const hasEnded = (connection: Pooled): boolean => connection.retireBecause === "ended"
