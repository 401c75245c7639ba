/**
 * The close of a connection: beside everybody, within a limit of its own.
 *
 * Its place is free only when its close has ended or was given up, so that the server never sees more than
 * `maxConnections`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { describeCause } from "../../Describe.ts"
import { limited, StepCut, StepTimedOut } from "../base/limited.ts"
import type { Pooled } from "../line/lease.ts"
import { emit, warn } from "../watch/events.ts"
import type { PoolState } from "./state.ts"

/** Closes what a dial that failed, or was stopped, has left. */
export const discard = (state: PoolState, connection: Pooled): void => {
  state.places.close(connection)
  connection.dial?.interruptUnsafe()
  state.forkDetached(close(state, connection, false))
}

export const close = Effect.fnUntraced(function*(state: PoolState, connection: Pooled, wasOpen: boolean) {
  // A dial left behind at its limit may still succeed: its connection lands in the scope that is closed after it, or,
  // if even this close is given up before, in a scope that is closed already and lets nothing stay open.
  const finished = connection.dial === undefined
    ? Effect.void
    : Effect.onInterrupt(Fiber.await(connection.dial), () => Scope.close(connection.scope, Exit.void))
  const exit = yield* Effect.exit(limited(Effect.andThen(finished, Scope.close(connection.scope, Exit.void)), {
    step: "close",
    option: "closeTimeout",
    millis: state.config.closeTimeout,
    cut: Deferred.await(state.closesCut)
  }))
  for (const lease of connection.holders) state.bereave(lease)
  state.places.remove(connection)
  state.freed()
  if (Exit.isFailure(exit)) closeFailed(state, connection, exit)
  if (wasOpen) {
    const lived = state.time.now() - connection.openedAt
    state.counts.closed(lived)
    emit(state, { _tag: "Closed", connection: connection.id, lived })
  }
})

const closeFailed = (state: PoolState, connection: Pooled, exit: Exit.Failure<unknown, unknown>): void => {
  const cause = Exit.findErrorOption(exit)
  const error = cause._tag === "Some" ? cause.value : exit.cause
  if (error instanceof StepTimedOut || error instanceof StepCut) state.counts.add("closesTimedOut")
  emit(state, { _tag: "CloseFailed", connection: connection.id, cause: error })
  warn(state, `connection ${connection.id} could not be closed: ${describeCause(error)}`)
}
