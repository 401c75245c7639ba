/**
 * Why a pool could not give a connection.
 *
 * One error, `PoolError`, with a tagged `reason`: catch it whole with `Effect.catchTag("PoolError", ...)` or one
 * reason with `Effect.catchReason("PoolError", "AcquireTimeout", ...)`. Each reason says by `isRetryable` whether the
 * same call may succeed later, and carries numbers a caller can act on. What the borrower's own effect fails with
 * passes through untouched and is never wrapped.
 *
 * Misuse (a connection used after its lease) is a defect, `PoolMisuse`, since no caller can recover from a bug.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { describeCause, describeHolder } from "./Describe.ts"
import type { Diagnosis } from "./internal/diagnosis/model.ts"
import { isRetryable } from "./internal/base/retryable.ts"
import type { Holder } from "./internal/model/connection.ts"
import type { Level, Priority } from "./internal/model/traffic.ts"
import type { PoolStats } from "./PoolStats.ts"

export type { Holder } from "./internal/model/connection.ts"

/**
 * The last dial that failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectFailure {
  readonly cause: unknown
  /** Milliseconds ago. */
  readonly ago: number
  /** Attempts in a row that failed up to now. Dials that fail together are one attempt. */
  readonly attempts: number
}

/**
 * No connection came within `acquireTimeout`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class AcquireTimeout extends Data.TaggedError("AcquireTimeout")<{
  /**
   * Which limit it was: that of a caller, the caller's own deadline (see `Traffic`), that of a degraded pool, or that
   * of the pool's start.
   */
  readonly option: "acquireTimeout" | "deadline" | "traffic.degradedWait" | "startupTimeout"
  /** The step in which the caller's time ran out. */
  readonly step: "waiting" | "opening" | "validating"
  /** Milliseconds the caller waited. */
  readonly waited: number
  /** How many of them at other upstreams of a balanced pool, before this one; 0 everywhere else. */
  readonly elsewhere: number
  /**
   * The numbers of the pool. Like `holders` and `diagnosis` they may be up to 50 ms old: callers that fail close together
   * share them.
   */
  readonly stats: PoolStats
  readonly lastConnectFailure: ConnectFailure | undefined
  /** Attempts to connect that were not made yet, since only so many may begin in a second (`connectRate`). */
  readonly paced?: { readonly attempts: number; readonly connectRate: number } | undefined
  /** The holders of the connections, longest first, ten at most. */
  readonly holders: ReadonlyArray<Holder>
  /** Why, where the pool can tell. */
  readonly diagnosis?: Diagnosis | undefined
  /** The waiting fiber, or one that forked it, already holds connections of this pool and may be waiting for itself. */
  readonly holdsAlready: boolean
}> {
  /** `false` if connections can't be opened for a reason that stays, such as a wrong password. */
  get isRetryable(): boolean {
    return this.lastConnectFailure === undefined || isRetryable(this.lastConnectFailure.cause)
  }
  override get message(): string {
    return describeTimeout(this)
  }
}

/**
 * The queue holds `pendingLimit` callers already, or as many as leave no place for the caller's priority
 * (`traffic.places`).
 *
 * @category reasons
 * @since 0.1.0
 */
export class QueueFull extends Data.TaggedError("QueueFull")<{
  readonly pending: number
  readonly pendingLimit: number
  /** Why, where the pool can tell; as it was within the last second. */
  readonly diagnosis?: Diagnosis | undefined
}> {
  readonly isRetryable = true
  override get message(): string {
    const { diagnosis, pending, pendingLimit } = this
    const waiting = pending === 1 ? "1 caller waits" : `${pending} callers wait`
    const full = `${waiting} already and pendingLimit is ${pendingLimit}`
    return diagnosis === undefined ? full : `${full}; ${diagnosis.text}. ${diagnosis.remedy}`
  }
}

/**
 * The caller was refused at once, so that others are served: callers wait longer than `traffic.shedAfter`, the pool is
 * degraded, or its `traffic.retryBudget` is spent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Overloaded extends Data.TaggedError("Overloaded")<{
  /** The priority of the caller. */
  readonly priority: Priority
  /** Why: callers wait too long, the level of degradation, or too many retries. */
  readonly because: "wait" | "degradation" | "retries"
  /** The pool's level of degradation. */
  readonly level: Level
  /** The part of the callers of this priority that is refused now, from 0 to 1. */
  readonly refused: number
  /** Milliseconds after which the same call may be tried again. */
  readonly retryAfter: number
}> {
  /** `false` for a retry that is one too many: another would be refused as well. */
  get isRetryable(): boolean {
    return this.because !== "retries"
  }
  override get message(): string {
    return `${describeOverload(this)}; try again in ${Math.ceil(this.retryAfter)} ms`
  }
}

/**
 * Somebody has cleared the queue while the caller waited.
 *
 * @category reasons
 * @since 0.1.0
 */
export class QueueCleared extends Data.TaggedError("QueueCleared")<{
  /** Milliseconds the caller waited. */
  readonly waited: number
}> {
  readonly isRetryable = true
  override get message(): string {
    return `the queue was cleared after the caller had waited ${Math.round(this.waited)} ms`
  }
}

/**
 * No connection could be opened, and none is open that could be waited for.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ConnectFailed extends Data.TaggedError("ConnectFailed")<{
  /** The failure of the last dial. */
  readonly cause: unknown
  /** Attempts in a row that failed. Dials that fail together are one attempt. */
  readonly attempts: number
  /** Milliseconds the caller waited; 0 at start-up. */
  readonly waited: number
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return `${this.attempts} ${this.attempts === 1 ? "attempt" : "attempts"} to connect failed, the last with: ${
      describeCause(this.cause)
    }`
  }
}

/**
 * The breaker around dials is open, and no connection is open that could be waited for.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BreakerOpen extends Data.TaggedError("BreakerOpen")<{
  /** Milliseconds until the next dial. */
  readonly retryAfter: number
  /** The failure of the last dial; `undefined` if it was not this pool's, where pools share their breaker. */
  readonly cause: unknown
}> {
  /** `false` if the dials failed for a reason that stays, such as a wrong password. */
  get isRetryable(): boolean {
    return isRetryable(this.cause)
  }
  override get message(): string {
    const next = `too many attempts to connect failed; the next is made in ${Math.ceil(this.retryAfter)} ms`
    return this.cause === undefined ? next : `${next}. The last failed with: ${describeCause(this.cause)}`
  }
}

/**
 * The pool is paused.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PoolPaused extends Data.TaggedError("PoolPaused")<{
  /** Why, if not because of `pause`: a balanced pool may have no upstream. */
  readonly because?: string | undefined
}> {
  readonly isRetryable = true
  constructor(args: { readonly because?: string | undefined } = {}) {
    super(args)
  }
  override get message(): string {
    return this.because ?? "the pool is paused; it admits callers again after resume"
  }
}

/**
 * The pool is draining or closed.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PoolClosed extends Data.TaggedError("PoolClosed")<{
  readonly state: "draining" | "closed"
}> {
  readonly isRetryable = false
  override get message(): string {
    return this.state === "draining" ? "the pool is draining and admits nobody" : "the pool is closed"
  }
}

/**
 * An option is not allowed, alone or beside another.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidOption extends Data.TaggedError("InvalidOption")<{
  /** The option's name. */
  readonly option: string
  /** The rule it breaks. */
  readonly rule: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `option ${this.option}: ${this.rule}`
  }
}

/**
 * Every reason of a `PoolError`.
 *
 * @category reasons
 * @since 0.1.0
 */
export type PoolErrorReason =
  | AcquireTimeout
  | QueueFull
  | Overloaded
  | QueueCleared
  | ConnectFailed
  | BreakerOpen
  | PoolPaused
  | PoolClosed
  | InvalidOption

/**
 * The pool could not give a connection, for the `reason` given.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolError extends Data.TaggedError("PoolError")<{
  /** The pool's name. */
  readonly pool: string
  readonly reason: PoolErrorReason
}> {
  /**
   * The failure of the last dial, where the reason is that none succeeds; so loggers and `Cause.pretty` show the chain.
   */
  override readonly cause = errorOf(this.reason)
  override get message(): string {
    return `${this.pool}: ${this.reason.message}`
  }
  /** Whether the same call may succeed later. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
}

/**
 * The rule that a connection's use after its lease breaks, the same in every kind of pool.
 *
 * @category errors
 * @since 0.1.0
 */
export const usedAfterLease =
  "a connection was used after its lease ended: keep all work inside withConnection or the scope of acquire"

/**
 * A bug in the program that uses the pool, raised as a defect.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolMisuse extends Data.TaggedError("PoolMisuse")<{
  readonly pool: string
  readonly rule: string
}> {
  override get message(): string {
    return `${this.pool}: ${this.rule}`
  }
}

/**
 * Only an error: of anything else a printer would show all fields, secrets too. The message says what is to be said.
 */
const errorOf = (reason: PoolErrorReason): Error | undefined => {
  const cause = causeOf(reason)
  return cause instanceof Error ? cause : undefined
}

const causeOf = (reason: PoolErrorReason): unknown => {
  switch (reason._tag) {
    case "ConnectFailed":
    case "BreakerOpen":
      return reason.cause
    case "AcquireTimeout":
      return reason.lastConnectFailure?.cause
    case "QueueFull":
    case "Overloaded":
    case "QueueCleared":
    case "PoolPaused":
    case "PoolClosed":
    case "InvalidOption":
      return undefined
  }
}

const describeOverload = ({ because, level, priority, refused }: Overloaded): string => {
  if (because === "retries") return "too many retries for the leases that end well (traffic.retryBudget)"
  const part = `${Math.round(100 * refused)} % of callers with ${priority} priority are refused`
  return because === "wait"
    ? `callers wait too long (traffic.shedAfter): ${part}`
    : `the pool is at level ${level} of degradation: ${part}`
}

const describeTimeout = (error: AcquireTimeout): string => {
  const { stats } = error
  const { paced } = error
  const isUnanswered = error.lastConnectFailure === undefined && stats.opening > (paced?.attempts ?? 0) &&
    stats.opening === stats.total
  const elsewhere = error.elsewhere > 0 ? `, ${Math.round(error.elsewhere)} ms of them at other upstreams,` : ""
  const known = error.diagnosis?.text ?? ""
  const parts = [
    `no connection within ${Math.round(error.waited)} ms (${error.option})${elsewhere} while ${error.step}`,
    ...(known === "" ? [] : [known]),
    `used ${stats.used}, idle ${stats.idle}, opening ${stats.opening}, closing ${stats.closing}, pending ${stats.pending}, limit ${stats.limit}`
  ]
  if (paced !== undefined) {
    parts.push(
      `${paced.attempts} more attempts to connect wait for their turn: at most ${paced.connectRate} begin in a second (connectRate)`
    )
  }
  if (isUnanswered && error.diagnosis?.cause !== "backendDown") {
    parts.push(
      "no attempt to connect has had an answer yet: check host and port, and whether a firewall drops what is sent"
    )
  }
  if (error.lastConnectFailure !== undefined && !known.includes(describeCause(error.lastConnectFailure.cause))) {
    const { ago, attempts, cause } = error.lastConnectFailure
    parts.push(`the last of ${attempts} failed attempts to connect, ${Math.round(ago)} ms ago: ${describeCause(cause)}`)
  }
  if (error.holders.length > 0) {
    parts.push(`held longest by ${error.holders.slice(0, 3).map(describeHolder).join(", ")}`)
  }
  if (error.holdsAlready) {
    parts.push(
      "this fiber holds a connection of the pool already and may wait for itself: borrow once and pass the connection on"
    )
  }
  const text = parts.join("; ")
  return error.diagnosis === undefined ? text : `${text}. ${error.diagnosis.remedy}`
}
