/**
 * The one way out of Effect's Pool, for whatever ends a connection.
 */
import type { Pooled } from "../line/lease.ts"
import { endedByItself } from "../open/failure.ts"
import { close } from "../pool/close.ts"
import type { PoolState } from "../pool/state.ts"
import { emit } from "../watch/events.ts"

/** A connection has left Effect's Pool: it is told, and closed beside everybody. */
export const exitDoor = (state: PoolState, connection: Pooled): void => {
  const because = connection.leavesBecause ?? (state.phase === "open" ? "idle" : "shutdown")
  state.places.close(connection)
  state.counts.retired(because)
  emit(state, { _tag: "Retired", connection: connection.id, because })
  if (connection.isBroken || because === "ended") endedByItself(state, connection)
  state.forkDetached(close(state, connection, true))
}
