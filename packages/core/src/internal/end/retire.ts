/**
 * Giving up a connection: out of every list at once, then closed beside everybody, within a limit of its own.
 *
 * Its place is free only when its close has ended or was given up, so that the server never sees more than
 * `maxConnections`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { RetireReason } from "../../PoolEvent.ts"
import { describeCause } from "../../Describe.ts"
import { emit, warn } from "../watch/events.ts"
import { limited, StepCut, StepTimedOut } from "../base/limited.ts"
import { endedByItself } from "../dial/failure.ts"
import { removeIdle } from "../places/idle.ts"
import type { Pooled } from "../places/pooled.ts"
import type { PoolState } from "../places/state.ts"

/** Why a connection must not be lent again, or `undefined` if it may. */
export const whyRetire = (state: PoolState, connection: Pooled, now: number): RetireReason | undefined => {
  if (connection.isBroken) return "broken"
  if (connection.retireBecause !== undefined) return connection.retireBecause
  if (connection.generation !== state.generation) return "superseded"
  if (connection.uses >= state.config.maxUses) return "lifetime"
  if (now >= connection.expiresAt && !isIrreplaceable(state)) return "lifetime"
  if (state.live > state.limit) return "idle"
  if (state.phase !== "open" && (state.phase === "closed" || state.line.size === 0)) return "shutdown"
  return undefined
}

/** In an outage what the minimum needs serves on past its lifetime: an old connection is better than none. */
const isIrreplaceable = (state: PoolState): boolean => state.dialer.failures > 0 && state.live <= state.floor

/** Sends a connection that is open to its end, whatever its state. Callers call `changed` when they are done. */
export const retire = (state: PoolState, connection: Pooled, because: RetireReason): void => {
  if (connection.state === "closing") return
  connection.leavesBecause = because
  state.hold.leave(connection)
}

/** The one way out of Effect's Pool, for whatever ends a connection: it is closed beside everybody. */
export const exitDoor = (state: PoolState, connection: Pooled): void => {
  const because = connection.leavesBecause ?? (state.phase === "open" ? "idle" : "shutdown")
  if (connection.state === "idle") removeIdle(state, connection)
  state.move(connection, "closing")
  state.counts.retired[because]++
  emit(state, { _tag: "Retired", connection: connection.id, because })
  if (connection.isBroken || because === "ended") endedByItself(state, connection)
  state.forkDetached(close(state, connection, true))
}

/** Closes what a dial that failed, or was stopped, has left. */
export const discard = (state: PoolState, connection: Pooled): void => {
  state.move(connection, "closing")
  connection.dial?.interruptUnsafe()
  state.forkDetached(close(state, connection, false))
}

/** A connection reported that it is dead. */
export const broken = (state: PoolState, connection: Pooled, cause: unknown): void => {
  if (connection.isBroken || hasEnded(connection) || connection.state === "closing") return
  connection.isBroken = true
  connection.endedBy = cause
  if (connection.state === "opening") return
  raiseFence(state)
  if (connection.state !== "idle") return
  warn(state, `connection ${connection.id} broke while idle: ${describeCause(cause)}`)
  retire(state, connection, "broken")
  state.changed()
}

/** A connection reported that it is over in good order: whatever becomes of it now says nothing of the others. */
export const ended = (state: PoolState, connection: Pooled): void => {
  switch (connection.state) {
    case "closing":
      return
    // To its dial there is no good order in this: a server that ends whatever it accepts must not be dialled on and on.
    case "opening":
      connection.isBroken = true
      return
    case "idle":
      retire(state, connection, "ended")
      return state.changed()
    case "checking":
    case "used":
      connection.retireBecause = "ended"
  }
}

export const hasEnded = (connection: Pooled): boolean => connection.retireBecause === "ended"

/** Where one connection proved dead, every other must prove itself before it is lent. */
export const raiseFence = (state: PoolState): void => {
  state.fence++
}

/** Retires idle connections that are past their time, as far as the minimum allows. */
export const retireDue = (state: PoolState): void => {
  const now = state.time.now()
  for (const connection of Array.from(state.idle)) {
    if (!connection.isDue) continue
    if (state.live <= state.floor) return
    retire(state, connection, now >= connection.expiresAt ? "lifetime" : "idle")
  }
}

const close = Effect.fnUntraced(function*(state: PoolState, connection: Pooled, wasOpen: boolean) {
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
  for (const lease of connection.holders) state.bereft.add(lease)
  state.connections.delete(connection)
  state.closing--
  if (Exit.isFailure(exit)) closeFailed(state, connection, exit)
  if (wasOpen) {
    const lived = state.time.now() - connection.openedAt
    state.counts.closed++
    state.counts.lifetime.record(lived)
    emit(state, { _tag: "Closed", connection: connection.id, lived })
  }
  state.changed()
})

const closeFailed = (state: PoolState, connection: Pooled, exit: Exit.Failure<unknown, unknown>): void => {
  const cause = Exit.findErrorOption(exit)
  const error = cause._tag === "Some" ? cause.value : exit.cause
  if (error instanceof StepTimedOut || error instanceof StepCut) state.counts.closesTimedOut++
  emit(state, { _tag: "CloseFailed", connection: connection.id, cause: error })
  warn(state, `connection ${connection.id} could not be closed: ${describeCause(error)}`)
}
