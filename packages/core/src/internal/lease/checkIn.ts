/**
 * Step 5 of a lease, check in: what becomes of the connection, given how the lease ended.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LeaseEnd } from "../../PoolEvent.ts"
import { attempt, Threw } from "../base/attempt.ts"
import { handOver } from "./checkOut.ts"
import { describeCause } from "../../Describe.ts"
import { emit, warn } from "../watch/events.ts"
import { visitIdle } from "../pool/expire.ts"
import { labelOf, type Lease, type Pooled } from "../line/lease.ts"
import { nameOf } from "../line/said.ts"
import { limited } from "../base/limited.ts"
import { lastActivityOf } from "../pool/activity.ts"
import { hasEnded, isCurrent, retire, whyRetire } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"

/**
 * Ends a lease. Runs exactly once for each, uninterruptibly, also for a caller that never got a connection. Returns an
 * effect only if a reset must be waited for.
 */
export const checkIn = (
  state: PoolState,
  lease: Lease,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> | undefined => {
  const reset = end(state, lease, exit)
  state.settle()
  return reset
}

const end = (state: PoolState, lease: Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined => {
  const connection = lease.end()
  if (connection === undefined) return leave(state, lease)
  state.leaseEnded(lease)
  const now = state.turnTime()
  const held = now - lease.lentAt
  const end = endOf(exit)
  state.counts.leaseEnded(end, held)
  if (lease.isShared && state.connector.joins === "adaptive") state.sharedUse.record(held, connection.holders.size)
  state.line.ended(lease, held, end)
  account(state, lease, connection, held, now)
  if (end === "failure" || end === "defect") connection.errors++
  if (state.events.leaseListeners > 0) {
    emit(state, { _tag: "Released", connection: connection.id, ...nameOf(lease), held, end })
  }
  if (lease.isLeakSuspected) leakEnded(state, lease, connection, held)
  if (!state.places.part(connection, lease)) return partFrom(state, connection, lease, exit)
  // Closed under its borrower by a drain or a reclaim: there is nothing left to take back but the borrower's view.
  if (connection.state === "closing") {
    revoke(state, connection, lease)
    return undefined
  }
  // A connection that nobody touched needs no reset; a shared connection may have been touched by others.
  if (!lease.isStarted && !lease.isShared) {
    giveBack(state, connection, now)
    return undefined
  }
  return takeBack(state, connection, lease, exit, end, now)
}

/** A lease this short is told by its label alone: to ask for its statement would cost more than it matters. ms */
const tooShort = 5

/** Notes who had a connection, and for how long the first in line waited meanwhile. */
const account = (state: PoolState, lease: Lease, connection: Pooled, held: number, now: number): void => {
  const { oldest } = state.line
  const waits = oldest === undefined ? 0 : Math.min(held, now - oldest.since)
  const statement = held < tooShort ? undefined : lastActivityOf(state, connection)
  state.borrowers.ended(labelOf(lease), statement, held, waits)
}

/** A sharer that is not the last leaves the connection to the others, and its place to the first in line. */
const partFrom = (
  state: PoolState,
  connection: Pooled,
  lease: Lease,
  exit: Exit.Exit<unknown, unknown>
): undefined => {
  if (lease.isStarted) {
    revoke(state, connection, lease)
    // Closed under its borrowers: that their leases failed says nothing of the other connections.
    if (connection.state !== "closing") judge(state, connection, lease, exit)
  }
  return undefined
}

/** An interrupted caller that waited: it leaves the queue, and what is being opened for it goes to the next. */
const leave = (state: PoolState, lease: Lease): undefined => {
  if (!lease.isQueued) return undefined
  state.line.leave(lease)
  state.counts.add("interrupted")
  return undefined
}

const takeBack = (
  state: PoolState,
  connection: Pooled,
  lease: Lease,
  exit: Exit.Exit<unknown, unknown>,
  end: LeaseEnd,
  now: number
): Effect.Effect<void> | undefined => {
  const { connector } = state
  revoke(state, connection, lease)
  judge(state, connection, lease, exit)
  const isSound = whyRetire(state, connection, now) === undefined
  if (connector.reset === undefined) {
    // Nobody can tell what an interrupted borrower was in the middle of, unless the protocol keeps sharers apart.
    if (end === "interrupt" && !lease.isShared) connection.retireLater("broken")
  } else if (isSound) {
    const reset = attempt(connector, connector.reset, connection.value, exit)
    if (reset instanceof Threw) return resetBy(state, connection, Effect.fail(reset.cause))
    if (reset !== undefined) {
      const done = resetBy(state, connection, reset)
      return end === "interrupt" ? waitBriefly(done) : done
    }
  }
  if (end === "success") prove(state, connection, now)
  // Within this step only the reset may have found something.
  if (isSound && !connection.isBroken && connection.retireBecause === undefined) pass(state, connection, now, false)
  else giveBack(state, connection, now)
  return undefined
}

/** Finds out whether the connection is broken, and tells a balanced pool. */
const judge = (state: PoolState, connection: Pooled, lease: Lease, exit: Exit.Exit<unknown, unknown>): void => {
  askConnector(state, connection, lease, exit)
  if (connection.isBroken) lease.request.options?.onward?.broke()
}

/** Asks the connector what the end of a lease says about the connection. */
const askConnector = (state: PoolState, connection: Pooled, lease: Lease, exit: Exit.Exit<unknown, unknown>): void => {
  const { connector } = state
  const { isBroken } = connector
  if (isBroken === undefined || connection.isBroken || hasEnded(connection)) return
  if (!attempt(connector, isBroken, connection.value, exit)) return
  connection.broke()
  state.trust.died(state.time.now(), lease.lentAt)
}

const revoke = (state: PoolState, connection: Pooled, { lent }: Lease): void => {
  const { connector } = state
  const { revoke } = connector
  if (revoke === undefined || lent === undefined) return
  if (attempt(connector, revoke, lent, undefined) instanceof Threw) connection.broke()
}

/** A lease that ended well proves the connection, unless a doubt arose after it was lent. */
const prove = (state: PoolState, connection: Pooled, now: number): void => {
  state.trust.usedWell(connection, now)
}

const resetBy = (state: PoolState, connection: Pooled, reset: Effect.Effect<unknown, unknown>): Effect.Effect<void> => {
  state.places.check(connection)
  const limit = { step: "reset", option: "resetTimeout", millis: state.config.resetTimeout }
  return Effect.map(Effect.exit(limited(reset, limit)), (exit) =>
    state.act(() => {
      if (connection.state === "closing") return
      if (Exit.isFailure(exit)) failedToReset(state, connection, Cause.squash(exit.cause))
      else {
        const now = state.time.now()
        prove(state, connection, now)
        giveBack(state, connection, now)
      }
    }))
}

const briefly = "50 millis"

/**
 * Lets an interrupted caller go on at the latest after a moment: a backend that does not answer must not make its
 * `Effect.timeout` late. The reset goes on by itself within its limit. The moment is waited for in another fiber, since
 * this one is interrupted already.
 */
const waitBriefly = (reset: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.forkDetach(reset, { startImmediately: true }).pipe(
    Effect.flatMap((fiber) =>
      Effect.forkDetach(Effect.timeoutOption(Fiber.await(fiber), briefly), { startImmediately: true })
    ),
    Effect.flatMap(Fiber.await),
    Effect.asVoid
  )

const failedToReset = (state: PoolState, connection: Pooled, cause: unknown): void => {
  // A reset that meets the end of its connection has failed at nothing.
  if (hasEnded(connection)) return retire(state, connection, "ended")
  state.counts.add("failedToReset")
  emit(state, { _tag: "ResetFailed", connection: connection.id, cause })
  warn(state, `connection ${connection.id} could not be reset after its lease: ${describeCause(cause)}`)
  retire(state, connection, "broken")
}

/**
 * Puts a connection that nobody holds where it belongs: to the first in line, to idle, or out of the pool.
 *
 * One that proved itself just now is lent however short `freshnessWindow` is: at 0 it would be validated for ever.
 */
export const giveBack = (state: PoolState, connection: Pooled, now: number, isProven = false): void => {
  const because = whyRetire(state, connection, now)
  if (because === undefined) pass(state, connection, now, isProven)
  else retire(state, connection, because)
}

/** Passes on a connection that may be lent: to the first in line or to idle. */
const pass = (state: PoolState, connection: Pooled, now: number, isProven: boolean): void => {
  const first = state.line.first(connection)
  const isReady = isProven
    ? connection.fence === state.trust.fence
    : first !== undefined && state.trust.isFresh(connection, now)
  if (first !== undefined && state.isLending && isReady && isCurrent(state, connection)) {
    return handOver(state, connection, first, now)
  }
  state.places.toIdle(connection, now)
  if (now >= connection.expiresAt || state.trust.isSuperseded(connection)) visitIdle(state, connection, now)
}

const endOf = (exit: Exit.Exit<unknown, unknown>): LeaseEnd =>
  Exit.isSuccess(exit)
    ? "success"
    : Cause.hasInterrupts(exit.cause)
    ? "interrupt"
    : Cause.hasDies(exit.cause)
    ? "defect"
    : "failure"

const leakEnded = (state: PoolState, lease: Lease, connection: Pooled, held: number): void => {
  const label = labelOf(lease)
  emit(state, { _tag: "LeakEnded", connection: connection.id, ...nameOf(lease), held })
  warn(state, `${label ?? "a lease"} gave connection ${connection.id} back after ${Math.round(held)} ms`)
}
