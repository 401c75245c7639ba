/**
 * Orders of the user to a running pool: retire this one or all, pause and resume, another limit.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { InvalidOption, PoolClosed, type PoolError, PoolMisuse, PoolPaused, QueueCleared } from "../PoolError.ts"
import type * as Fiber from "effect/Fiber"
import { ancestry, isRunning } from "./line/ancestry.ts"
import { emit } from "./watch/events.ts"
import type { Pooled } from "./line/lease.ts"
import { visitIdle } from "./pool/expire.ts"
import { retire } from "./pool/retire.ts"
import type { PoolState } from "./pool/state.ts"
import { failWaiters, sendOn } from "./lease/wait.ts"
import type { Priority } from "./model/traffic.ts"
import { moveLimit } from "./open/limit.ts"

/** Marks a connection one holds as not to be lent again. */
export const invalidate = (state: PoolState, lent: unknown): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const held = heldBy(state, lent, fiber)
    if (held !== undefined) {
      held.retireLater("invalidated")
      return Effect.void
    }
    // Its connection was taken from it while it held it: there is nothing left to mark.
    for (const lease of state.bereft) {
      if (lease.lent === lent) return Effect.void
    }
    const rule = "invalidate takes a connection of this pool during its lease"
    return Effect.die(new PoolMisuse({ pool: state.config.name, rule }))
  })

/** Where several connections are lent that are equal, as plain values may be, it is the caller's own. */
const heldBy = (state: PoolState, lent: unknown, fiber: Fiber.Fiber<unknown, unknown>): Pooled | undefined => {
  let found: Pooled | undefined
  let fibers: ReadonlySet<unknown> | undefined
  for (const connection of state.places.connections) {
    for (const lease of connection.holders) {
      if (lease.lent !== lent) continue
      if (isObject(lent)) return connection
      fibers ??= ancestry(fiber)
      if (fibers.has(lease.fiber) || isRunning(lease.fiber)) return connection
      found ??= connection
    }
  }
  return found
}

/** Nothing else is equal to an object but itself. */
const isObject = (value: unknown): boolean =>
  (typeof value === "object" && value !== null) || typeof value === "function"

/** Retires one connection by its id. `false` if there is none, or if it is on its way out already. */
export const retireById = (state: PoolState, id: number): boolean => {
  for (const connection of state.places.connections) {
    if (connection.id === id) return retireOne(state, connection)
  }
  return false
}

const retireOne = (state: PoolState, connection: Pooled): boolean => {
  switch (connection.state) {
    case "closing":
      return false
    case "idle":
      retire(state, connection, "invalidated")
      return true
    case "opening":
    case "checking":
    case "used":
      connection.retireLater("invalidated")
      return true
  }
}

/**
 * Begins a new generation: what is idle goes now, or once a replacement is open if the minimum needs it; what is lent or being
 * opened when it comes back.
 */
export const retireAll = (state: PoolState): void => {
  const generation = state.trust.nextGeneration()
  emit(state, { _tag: "AllRetired", generation })
  sweep(state)
}

/** Thousands go in several turns of the event loop. */
const sweep = (state: PoolState): void => {
  const now = state.time.now()
  for (const connection of Array.from(state.places.idle)) {
    if (connection.isDue || !state.trust.isSuperseded(connection)) continue
    if (!state.mayBegin()) {
      state.later(() => state.act(() => sweep(state)))
      break
    }
    visitIdle(state, connection, now)
  }
}

export const pause = (state: PoolState): void => pauseFor(state, operator)

export const resume = (state: PoolState): void => resumeFor(state, operator)

/** A pause for a piece of work: others that overlap with it neither end it nor are ended by it. */
export const paused = (state: PoolState): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const work = {}
    return Effect.acquireRelease(
      Effect.sync(() => state.act(() => pauseFor(state, work))),
      () => Effect.sync(() => state.act(() => resumeFor(state, work)))
    )
  })

/** To pause or resume twice is to do it once. */
const operator = {}

const pauseFor = (state: PoolState, by: object): void => {
  if (state.phase !== "open") return
  const was = state.isPaused
  state.pause(by)
  state.house.openUnsafe()
  if (was) return
  emit(state, { _tag: "Paused" })
  sendOn(state, () => new PoolPaused())
}

const resumeFor = (state: PoolState, by: object): void => {
  if (!state.isPaused) return
  state.resume(by)
  if (state.isPaused) return
  emit(state, { _tag: "Resumed" })
}

export const setLimit = (state: PoolState, limit: number): Effect.Effect<void, PoolError> =>
  Effect.suspend(() => {
    const { maxConnections } = state.config
    if (!Number.isInteger(limit) || limit < 1 || limit > maxConnections) {
      const rule = `must be an integer from 1 to maxConnections (${maxConnections}), got ${limit}`
      return Effect.fail(state.error(new InvalidOption({ option: "limit", rule })))
    }
    if (state.phase !== "open") return Effect.fail(state.error(new PoolClosed({ state: state.phase })))
    moveLimit(state, "setLimit", limit, "somebody set it")
    return Effect.void
  })

/** Fails those who wait. */
export const clear = (state: PoolState, priority: Priority | undefined): number => {
  const { order } = state.line
  const failed = failWaiters(
    state,
    (waited) => new QueueCleared({ waited }),
    (lease) => priority === undefined || order.priorityOf(lease) === priority
  )
  if (failed === 0) return failed
  emit(state, { _tag: "QueueCleared", failed })
  return failed
}
