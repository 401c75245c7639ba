/**
 * Beside the path of a lease: a dial, from its first moment to a connection that is ready or a failure that is told.
 *
 * A dial belongs to the pool and not to the caller that caused it: a caller that leaves does not stop it, and a
 * connection that is ready goes to whoever is first in line.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Scope from "effect/Scope"
import { describeCause, oneLine } from "../../Describe.ts"
import { giveBack } from "../lease/checkIn.ts"
import { demand } from "../lease/share.ts"
import { refusedFor } from "../dial/dialer.ts"
import { breakerOpened, dialFailed, failUnserved, resumeAfter } from "./failure.ts"
import { serverFull } from "./full.ts"
import { emit } from "../watch/events.ts"
import { limited, StepMisused } from "../base/limited.ts"
import type { Pooled } from "../line/lease.ts"
import { discard } from "../pool/close.ts"
import { retireDue, retireSuperseded } from "../pool/expire.ts"
import { broken, ended } from "../pool/retire.ts"
import type { PoolState } from "../pool/state.ts"
import { failedCallersOf } from "../../PoolStats.ts"
import { operated } from "../pool/operated.ts"

/** Begins a dial. */
export const open = (state: PoolState): void => {
  const connection = state.places.add(state.trust.generation, state.time.now())
  state.house.openUnsafe()
  state.fork(dial(state, connection))
}

const dial = Effect.fnUntraced(function*(state: PoolState, connection: Pooled) {
  const hasWaited = yield* state.dialer.pace
  // The pool may have been closed while the dial waited for its turn, and the same again while it was made.
  if (connection.state !== "opening") return
  // Nor may it go on if another dial has failed meanwhile: it was begun when the backend seemed well.
  if (!state.dialer.mayDial) return discard(state, connection)
  // Nor if those for whom it was to be made have been served while it waited for its turn, or are gone. One whose turn it
  // was at once has begun: whoever leaves now does not stop it.
  if (hasWaited && demand(state) < state.places.opening) return discard(state, connection)
  connection.openedAt = state.time.now()
  connection.generation = state.trust.generation
  const { successes } = state.dialer
  const exit = yield* Effect.exit(state.dialer.guard(connect(state, connection), () => state.time.now()))
  if (connection.state !== "opening") return
  if (Exit.isSuccess(exit)) return arrived(state, connection, exit.value)
  const cause = Cause.squash(exit.cause)
  const refused = refusedFor(cause)
  return yield* refused === undefined
    ? failed(state, connection, cause, successes)
    : refusedByBreaker(state, connection, refused)
})

const connect = (state: PoolState, connection: Pooled): Effect.Effect<unknown, unknown> => {
  const dialed = Effect.suspend(() =>
    state.connector.connect({
      onBroken: (cause) => state.act(() => broken(state, connection, cause)),
      onEnded: () => state.act(() => ended(state, connection)),
      onOperation: (operation) => operated(state, connection, operation),
      onFull: ({ retryAfter, said, took }) =>
        serverFull(state, { began: state.time.now() - took, retryAfter, said: oneLine(said) })
    })
  ).pipe(
    Scope.provide(connection.scope),
    // Where the last connection ended as soon as it was open, the next shows first that it stays.
    Effect.tap(() => {
      const { settling } = state.dialer
      return settling > 0 ? Effect.sleep(Math.min(settling, state.config.connectTimeout / 2)) : Effect.void
    }),
    Effect.flatMap((value) => {
      const rule = connection.isBroken ? endedTooEarly(connection) : misuse(state, value)
      return rule === undefined ? Effect.succeed(value) : Effect.fail(new StepMisused({ rule }))
    })
  )
  return limited(dialed, {
    step: "connect",
    option: "connectTimeout",
    millis: state.config.connectTimeout,
    onStart: (fiber) => {
      connection.dial = fiber
    }
  })
}

const endedTooEarly = ({ endedBy }: Pooled): string =>
  `the connection ended while it was being opened${endedBy === undefined ? "" : `: ${describeCause(endedBy)}`}`

/** A connector that gives nothing, or the same connection twice, would make two borrowers share one. */
const misuse = (state: PoolState, value: unknown): string | undefined => {
  if (value === undefined || value === null) return `connect returned ${value}`
  if (typeof value !== "object" && typeof value !== "function") return undefined
  const other = state.opened.get(value)
  return other !== undefined && state.places.connections.has(other)
    ? "connect returned a connection that the pool holds already"
    : undefined
}

const arrived = (state: PoolState, connection: Pooled, value: unknown): void => {
  const { config, counts, dialer } = state
  const now = state.time.now()
  const took = now - connection.openedAt
  const wasOpen = dialer.breakerUntil > 0
  // Its fiber has ended, and would be kept as long as the connection.
  connection.dial = undefined
  dialer.succeeded(now)
  state.outage.ended(now, failedCallersOf(counts.numbers))
  counts.opened(took)
  connection.value = value
  if (typeof value === "object" || typeof value === "function") state.opened.set(value as object, connection)
  connection.openedAt = now
  connection.expiresAt = now + config.maxLifetime * (1 - config.maxLifetimeJitter * state.random.nextDoubleUnsafe())
  state.trust.proved(connection, now)
  state.places.arrive(connection)
  emit(state, { _tag: "Opened", connection: connection.id, took })
  if (wasOpen) emit(state, { _tag: "BreakerClosed" })
  if (!state.trust.isSuperseded(connection)) retireSuperseded(state)
  retireDue(state)
  giveBack(state, connection, now, true)
}

const failed = (
  state: PoolState,
  connection: Pooled,
  cause: unknown,
  successesBefore: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    discard(state, connection)
    return dialFailed(state, connection, cause, successesBefore)
  })

/** The breaker let nobody dial, because another process shares it or because its time is not up yet. */
const refusedByBreaker = (state: PoolState, connection: Pooled, retryAfter: number): Effect.Effect<void> =>
  Effect.sync(() => {
    const delay = Math.max(retryAfter, 100)
    discard(state, connection)
    if (!state.dialer.isBlocked) resumeAfter(state, delay, state.dialer.block())
    breakerOpened(state, state.time.now() + delay, delay)
    failUnserved(state)
  })
