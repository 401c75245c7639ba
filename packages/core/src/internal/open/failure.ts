/**
 * A dial that failed, or that made a connection which ended at once: the backoff, the breaker, and who is told of it.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { describeCause } from "../../Describe.ts"
import { BreakerOpen, ConnectFailed, type PoolErrorReason } from "../../PoolError.ts"
import { refusalOf } from "../base/refusal.ts"
import { failWaiters, sendOn } from "../lease/wait.ts"
import type { Pooled } from "../line/lease.ts"
import { mayServe } from "../pool/serving.ts"
import type { PoolState } from "../pool/state.ts"
import { failedCallersOf } from "../../PoolStats.ts"
import { emit, warn } from "../watch/events.ts"
import { isRetryable } from "../base/retryable.ts"
import { serverFull } from "./full.ts"
import { failWarmUps } from "./warmUp.ts"

/** A connection that nobody has used and that ends within so many milliseconds was no success of its dial. */
const atOnce = 500

/** The least that a connection must stay open after another has ended at once, in milliseconds. */
const leastSettling = 20

/** The failure of a dial whose connection ended as soon as it was open. */
class EndedAtOnce extends Data.TaggedError("EndedAtOnce")<{ readonly lived: number; readonly cause: unknown }> {
  override get message(): string {
    const because = this.cause === undefined ? "" : `: ${describeCause(this.cause)}`
    return `the connection ended ${Math.round(this.lived)} ms after it was opened${because}`
  }
}

/**
 * Notes a failed dial. The dialer knows of it when this returns, so that no other dial begins before its delay; the
 * effect tells everybody else.
 */
export const dialFailed = (
  state: PoolState,
  connection: Pooled,
  cause: unknown,
  successesBefore: number | undefined
): Effect.Effect<void> => {
  const { dialer } = state
  const now = state.time.now()
  state.counts.add("failedToOpen")
  const isIsolated = dialer.failed(cause, now, successesBefore)
  if (!isIsolated) {
    state.outage.failed({
      began: connection.openedAt,
      attempts: dialer.failures,
      cause,
      isTotal: state.places.live === 0,
      failedCallers: failedCallersOf(state.counts.numbers)
    })
  }
  // Dials that fail together are one step of the schedule: the first of them starts the delay.
  const isFirst = !isIsolated && !dialer.isBlocked
  const block = isFirst ? dialer.block() : 0
  if (refusalOf(cause) === "capacity") {
    serverFull(state, { began: connection.openedAt, dial: connection.id, said: describeCause(cause) })
  }
  if (isIsolated) return Effect.sync(() => isolatedFailure(state, connection, cause))
  return Effect.gen(function*() {
    const delay = isFirst ? yield* dialer.backOff(state.time.date(), cause) : 0
    const openFor = yield* dialer.openFor
    emit(state, { _tag: "OpenFailed", connection: connection.id, cause, attempt: dialer.failures, retryIn: delay })
    if (isFirst) {
      warn(state, `could not connect, attempt ${dialer.failures}: ${describeCause(cause)}`)
      resumeAfter(state, Math.max(delay, openFor), block)
    }
    if (openFor > 0) breakerOpened(state, now + openFor, openFor)
    failUnserved(state)
  })
}

/** Others succeed: another dial is made at once. */
const isolatedFailure = (state: PoolState, connection: Pooled, cause: unknown): void => {
  emit(state, { _tag: "OpenFailed", connection: connection.id, cause, attempt: 1, retryIn: 0 })
  const now = state.time.now()
  // There may be many, each with its event; one line a second is enough for the log.
  if (now >= state.failureLoggedAt + 1000) {
    state.failureLoggedAt = now
    warn(state, `could not connect, while other dials succeed: ${describeCause(cause)}`)
  }
}

/**
 * A connection has ended by itself. If it did so as soon as it was open, and so did the one before it, its dial has
 * failed: a server that accepts whatever comes and closes it must not be dialled on and on. A single one may be chance.
 *
 * Connections that end under their first borrower fail a dial when there are as many in a row as the breaker wants to
 * see, since a borrower may be the cause.
 */
export const endedByItself = (state: PoolState, connection: Pooled): void => {
  const { config, dialer } = state
  const now = state.time.now()
  const lived = now - connection.openedAt
  if (lived >= atOnce) return
  if (connection.uses === 0) {
    if (!isStillborn(state, connection, now)) return
  } else {
    if (!isBarren(connection)) return
    if (dialer.endedBarren(state.trust.lastGoodAt >= connection.openedAt) < config.breaker.minimumDials) return
  }
  dialer.mustStay(Math.min(atOnce, Math.max(leastSettling, 2 * lived)))
  state.fork(dialFailed(state, connection, new EndedAtOnce({ lived, cause: connection.endedBy }), undefined))
}

/**
 * Nobody has used it, and another that nobody used either had ended at once before this one was dialled. Those that end
 * together end by one cause, such as a restart of the server.
 */
const isStillborn = (state: PoolState, connection: Pooled, now: number): boolean => {
  const before = state.dialer.lastStillborn
  state.dialer.lastStillborn = { at: now, nextId: state.places.nextId }
  return before !== undefined && connection.id >= before.nextId && !hasStayed(state, before.at, now)
}

/** Its only lease has failed. */
const isBarren = ({ errors, isBroken, uses }: Pooled): boolean => isBroken && uses === 1 && errors === 1

/** Whether any connection that was opened since then has shown to be good for something. */
const hasStayed = (state: PoolState, since: number, now: number): boolean => {
  for (const { openedAt, state: is, uses } of state.places.connections) {
    const isOpen = is !== "opening" && is !== "closing"
    if (isOpen && openedAt >= since && (uses > 0 || now - openedAt >= atOnce)) return true
  }
  return false
}

export const breakerOpened = (state: PoolState, until: number, retryAfter: number): void => {
  if (!state.dialer.breakerOpened(until)) return
  emit(state, { _tag: "BreakerOpened", retryAfter })
  warn(state, `too many dials failed, the next is made in ${Math.ceil(retryAfter)} ms`)
}

export const resumeAfter = (state: PoolState, delay: number, block: number): void => {
  state.fork(Effect.map(Effect.sleep(delay), () => state.dialer.unblock(block)))
}

/**
 * When a round of attempts is over and no other dial is under way, tells those who wait; callers only if nothing is
 * open either that could come back to them. Those who can be served elsewhere go there after the first attempt.
 */
export const failUnserved = (state: PoolState): void => {
  if (state.dialer.underWay > 0) return
  const isHopeless = !mayServe(state)
  if (isHopeless) sendOn(state, (waited) => unavailable(state, waited))
  if (!state.dialer.isRoundOver) return
  failWarmUps(state, unavailable(state, 0))
  if (isHopeless) failWaiters(state, (waited) => unavailable(state, waited))
}

const unavailable = (state: PoolState, waited: number): PoolErrorReason => {
  const { breakerUntil, failures, lastFailure } = state.dialer
  const retryAfter = breakerUntil - state.time.now()
  const cause = lastFailure?.cause
  return retryAfter > 0
    ? new BreakerOpen({ retryAfter, cause })
    : new ConnectFailed({ cause, attempts: failures, waited, isRetryable: isRetryable(cause) })
}
