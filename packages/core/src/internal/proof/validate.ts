/**
 * Step 3 of a lease, validate: a connection that has not proven itself lately does so before it is lent.
 *
 * The check runs beside the caller, who waits in turn like everybody: if another connection comes first, it takes that
 * one, and if it leaves, the connection goes to the next.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { giveBack } from "../lease/checkIn.ts"
import { describeCause } from "../../Describe.ts"
import { emit, warn } from "../watch/events.ts"
import { visitIdle } from "../pool/expire.ts"
import { limited } from "../base/limited.ts"
import type { Pooled } from "../line/lease.ts"
import { hasEnded, retire, whyRetire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

/** Checks a connection that was idle; it is lent if it passes, and the next is tried if not. */
export const validateForWaiter = (state: PoolState, connection: Pooled): void => {
  state.trust.beginProof()
  state.places.takeIdle(connection)
  state.places.check(connection)
  state.fork(Effect.map(prove(state, connection), (isProven) => {
    state.trust.endProof(isProven)
    if (isProven) giveBack(state, connection, state.time.now(), true)
  }))
}

/**
 * Checks a connection that is idle and puts it back where it was: a probe is no use and makes nothing younger.
 *
 * The connection is taken at once and not when the effect is run: in between the fiber may give way to one that borrows it.
 */
export const probe = (state: PoolState, connection: Pooled): Effect.Effect<boolean> => {
  state.places.takeIdle(connection)
  state.places.check(connection)
  return Effect.map(prove(state, connection), (isProven) => {
    state.act(() => {
      if (isProven) putBack(state, connection)
    })
    return isProven
  })
}

const putBack = (state: PoolState, connection: Pooled): void => {
  const now = state.time.now()
  const because = whyRetire(state, connection, now)
  if (because !== undefined) return retire(state, connection, because)
  state.places.toIdle(connection, connection.idleSince)
  visitIdle(state, connection, now)
}

/** Runs the connector's validation; what fails is retired. `false` also if the connection was closed meanwhile. */
const prove = (state: PoolState, connection: Pooled): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { fence } = state.trust
    const isDoubted = !state.trust.isUndoubted(connection)
    const startedAt = state.time.now()
    const validation = Effect.suspend(() => state.connector.validate!(connection.value))
    const limit = { step: "validate", option: "validateTimeout", millis: state.config.validateTimeout }
    return Effect.map(Effect.exit(limited(validation, limit)), (exit) => {
      if (connection.state !== "checking") return false
      state.counts.add("validated")
      if (isDoubted) state.trust.doubtEnded(state.time.now(), Exit.isSuccess(exit))
      if (Exit.isFailure(exit)) return failed(state, connection, Cause.squash(exit.cause))
      const now = state.time.now()
      state.counts.proved(now - startedAt)
      state.trust.proved(connection, now, fence)
      return true
    })
  })

const failed = (state: PoolState, connection: Pooled, cause: unknown): false => {
  state.counts.add("failedToValidate")
  if (hasEnded(connection)) {
    retire(state, connection, "ended")
    return false
  }
  // One that is found dead at leisure says as much about the others as one that broke in use.
  const now = state.time.now()
  state.trust.died(now, now)
  emit(state, { _tag: "ValidateFailed", connection: connection.id, cause })
  warn(state, `connection ${connection.id} failed its validation: ${describeCause(cause)}`)
  retire(state, connection, connection.isBroken ? "broken" : "invalid")
  return false
}
