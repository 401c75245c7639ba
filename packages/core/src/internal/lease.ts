/**
 * One caller's claim to a connection, from the moment it asks until it has given the connection back.
 *
 * The same record waits in the queue, holds the connection and is known to the leak watch, so a lease costs one
 * allocation of ours whatever happens to it.
 */
import type * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"
import type { LeaseOptions } from "../ConnectionPool.ts"
import type { Pooled } from "./pooled.ts"

// A lease is typed by what it does to the queue, not by what it lends: `any` stays inside this folder.
type AnyEffect = Effect.Effect<any, any, any>

export class Lease {
  readonly body: (lent: any) => AnyEffect
  readonly fiber: Fiber<unknown, unknown>
  readonly label: string | undefined
  /** Whether it is meant to be held for long, so that nobody suspects a leak. */
  readonly isLongLived: boolean
  /** Whether it may use a connection together with others. */
  readonly isShared: boolean
  /** Set from the hand-over to the check-in. */
  connection: Pooled | undefined = undefined
  /** Whether the body was reached: a connection nobody touched needs no reset. */
  isStarted = false
  isQueued = false
  /** When it began to wait. */
  since = 0
  /** When it got its connection. */
  lentAt = 0
  /** The borrower's view of the connection, until it is given back. */
  lent: any = undefined
  /** Resumes the waiting fiber; a second call does nothing. */
  resume: ((effect: AnyEffect) => void) | undefined = undefined
  /** What the waiting fiber is resumed with, once the scheduler gets to it. */
  outcome: AnyEffect | undefined = undefined
  isLeakSuspected = false
  previous: Lease | undefined = undefined
  next: Lease | undefined = undefined

  constructor(
    body: (lent: any) => AnyEffect,
    fiber: Fiber<unknown, unknown>,
    options: LeaseOptions | undefined,
    isShared: boolean
  ) {
    this.body = body
    this.fiber = fiber
    this.label = options?.label
    this.isLongLived = options?.isLongLived === true
    this.isShared = isShared
  }
}

/** The name a lease goes by: its label, or the span its fiber is in. */
export const labelOf = (lease: Lease): string | undefined => {
  if (lease.label !== undefined) return lease.label
  const span = lease.fiber.cache.span
  return span !== undefined && span._tag === "Span" ? span.name : undefined
}

/** Where a lease was taken: the span and the call sites of `Effect.fn`, innermost first. */
export const takenAt = (lease: Lease): ReadonlyArray<string> => {
  const places: Array<string> = []
  const span = lease.fiber.cache.span
  if (span !== undefined && span._tag === "Span") places.push(span.name)
  let frame = lease.fiber.cache.stackFrame
  while (frame !== undefined && places.length < 10) {
    const stack = frame.stack()
    places.push(stack === undefined ? frame.name : `${frame.name} ${stack.trim()}`)
    frame = frame.parent
  }
  return places
}
