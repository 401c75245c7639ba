/**
 * The events of a pool, as one tagged union in the past tense.
 *
 * Every event carries the pool's name and the time in milliseconds since the epoch, read from the `Clock`. Events of
 * single leases (`Acquired`, `Released`) are made only while somebody listens, and those of single operations
 * (`Operated`) only for who asks for them, so that they cost nothing otherwise.
 *
 * @since 0.1.0
 */
import type { DrainReport } from "./internal/model/connection.ts"
import type { Level } from "./internal/model/traffic.ts"
import type { LimitedBy } from "./internal/model/limit.ts"
import type { OperationEnd } from "./internal/model/operation.ts"

export type { OperationEnd } from "./internal/model/operation.ts"

/**
 * Why the pool gave up a connection.
 *
 * - `idle`: it was idle longer than `idleTimeout`, or the limit was lowered
 * - `lifetime`: it reached its `maxLifetime` or `maxUses`
 * - `ended`: it reported that it is over in good order
 * - `broken`: it reported that it is dead, or a lease ended in a way that breaks it
 * - `invalid`: it failed its validation
 * - `invalidated`: the user invalidated it, or it was held past `reclaimTimeout`
 * - `superseded`: `retireAll` was called after it was opened
 * - `shutdown`: the pool was drained or its scope closed
 *
 * @category models
 * @since 0.1.0
 */
export type RetireReason =
  | "idle"
  | "lifetime"
  | "ended"
  | "broken"
  | "invalid"
  | "invalidated"
  | "superseded"
  | "shutdown"

/**
 * How a lease ended.
 *
 * @category models
 * @since 0.1.0
 */
export type LeaseEnd = "success" | "failure" | "defect" | "interrupt"

/**
 * Why a balanced pool ejected an upstream.
 *
 * - `consecutiveFailures`: so many leases in a row failed there
 * - `failureRate`: too large a share of its leases failed within the interval
 *
 * @category models
 * @since 0.1.0
 */
export type EjectReason = "consecutiveFailures" | "failureRate"

/** The tags that the caller gave itself with `Traffic.with({ tags })`; absent if it says nothing. */
type Tags = Readonly<Record<string, string>> | undefined

interface Common<Tag extends string> {
  readonly _tag: Tag
  readonly pool: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

interface OfConnection<Tag extends string> extends Common<Tag> {
  readonly connection: number
}

/** A dial succeeded. @category events @since 0.1.0 */
export interface Opened extends OfConnection<"Opened"> {
  /** Milliseconds from the start of the dial. */
  readonly took: number
}

/** A dial failed. @category events @since 0.1.0 */
export interface OpenFailed extends OfConnection<"OpenFailed"> {
  readonly cause: unknown
  /** Attempts in a row that failed, this one included. Dials that fail together are one attempt. */
  readonly attempt: number
  /** Milliseconds until the next dial. */
  readonly retryIn: number
}

/** A caller got a connection. Made only while somebody listens. @category events @since 0.1.0 */
export interface Acquired extends OfConnection<"Acquired"> {
  readonly label: string | undefined
  readonly tags?: Tags
  /** Milliseconds the caller waited. */
  readonly waited: number
}

/** A borrower gave its connection back. Made only while somebody listens. @category events @since 0.1.0 */
export interface Released extends OfConnection<"Released"> {
  readonly label: string | undefined
  readonly tags?: Tags
  /** Milliseconds the connection was held. */
  readonly held: number
  readonly end: LeaseEnd
}

/** A caller got its connection later than `slowAcquireTimeout`. @category events @since 0.1.0 */
export interface AcquiredSlowly extends OfConnection<"AcquiredSlowly"> {
  readonly label: string | undefined
  readonly tags?: Tags
  readonly waited: number
}

/** A caller gave up at its `acquireTimeout`. @category events @since 0.1.0 */
export interface AcquireTimedOut extends Common<"AcquireTimedOut"> {
  readonly label: string | undefined
  readonly tags?: Tags
  readonly waited: number
}

/** A validation or health check failed. @category events @since 0.1.0 */
export interface ValidateFailed extends OfConnection<"ValidateFailed"> {
  readonly cause: unknown
}

/** A connection could not be made clean after a lease. @category events @since 0.1.0 */
export interface ResetFailed extends OfConnection<"ResetFailed"> {
  readonly cause: unknown
}

/** The pool gave up a connection; its close has begun. @category events @since 0.1.0 */
export interface Retired extends OfConnection<"Retired"> {
  readonly because: RetireReason
}

/** A retired connection is closed. @category events @since 0.1.0 */
export interface Closed extends OfConnection<"Closed"> {
  /** Milliseconds since it was opened. */
  readonly lived: number
}

/** A close failed, or was given up at `closeTimeout`. @category events @since 0.1.0 */
export interface CloseFailed extends OfConnection<"CloseFailed"> {
  readonly cause: unknown
}

/** A connection is held longer than `leakTimeout`. @category events @since 0.1.0 */
export interface LeakSuspected extends OfConnection<"LeakSuspected"> {
  readonly label: string | undefined
  readonly tags?: Tags
  readonly held: number
  /** The span and call sites of the borrower, innermost first, as far as they are known. */
  readonly takenAt: ReadonlyArray<string>
}

/** A connection suspected to be leaked came back after all. @category events @since 0.1.0 */
export interface LeakEnded extends OfConnection<"LeakEnded"> {
  readonly label: string | undefined
  readonly tags?: Tags
  readonly held: number
}

/**
 * A statement, command, request or message on a connection ended. Made only for readers that ask for `operations`.
 *
 * @category events
 * @since 0.1.0
 */
export interface Operated extends OfConnection<"Operated"> {
  /** One of few words, such as `select`, `GET` or `send`. */
  readonly kind: string
  readonly end: OperationEnd
  /** Milliseconds, without the wait for a connection. */
  readonly took: number
  /** Its text without its values, cut to 100 characters. */
  readonly text: string | undefined
  /** The backend's own word for its end, such as a SQLSTATE or the status of a response. */
  readonly status: string | number | undefined
  /** How many it was about, such as rows or keys. */
  readonly count: number | undefined
}

/** Connections that were asked for ahead are open. @category events @since 0.1.0 */
export interface WarmedUp extends Common<"WarmedUp"> {
  /** How many are open now. */
  readonly open: number
}

/** The breaker around dials opened. @category events @since 0.1.0 */
export interface BreakerOpened extends Common<"BreakerOpened"> {
  /** Milliseconds until the next dial may try. */
  readonly retryAfter: number
}

/** The breaker around dials closed again. @category events @since 0.1.0 */
export interface BreakerClosed extends Common<"BreakerClosed"> {}

/**
 * The `CircuitBreakerStore` that pools share failed or did not answer. For a while dials are made without asking it.
 * @category events
 * @since 0.1.0
 */
export interface BreakerStoreFailed extends Common<"BreakerStoreFailed"> {
  readonly cause: unknown
}

/** A round of health checks ended. @category events @since 0.1.0 */
export interface HealthChecked extends Common<"HealthChecked"> {
  readonly checked: number
  readonly failed: number
}

/** Newcomers are refused from here on. @category events @since 0.1.0 */
export interface Paused extends Common<"Paused"> {}

/** Newcomers are admitted again. @category events @since 0.1.0 */
export interface Resumed extends Common<"Resumed"> {}

/** Every connection opened so far is to be replaced. @category events @since 0.1.0 */
export interface AllRetired extends Common<"AllRetired"> {
  readonly generation: number
}

/**
 * The store that processes share a budget by can't be asked: what was granted last holds. Told once, by each pool of the
 * budget. @category events @since 0.1.0
 */
export interface BudgetStoreLost extends Common<"BudgetStoreLost"> {
  readonly budget: string
  readonly cause: unknown
}

/** The store of a budget answers again. @category events @since 0.1.0 */
export interface BudgetStoreBack extends Common<"BudgetStoreBack"> {
  readonly budget: string
  /** Milliseconds since it was lost. */
  readonly away: number
}

/** The live limit changed, or another bound decides it. @category events @since 0.1.0 */
export interface LimitChanged extends Common<"LimitChanged"> {
  readonly limit: number
  readonly from: number
  /** The bound that decides the limit from now on. */
  readonly limitedBy: LimitedBy
  /** Why it changed, in words. */
  readonly why: string
}

/**
 * Callers wait longer than `traffic.shedAfter`, so a part of them is refused; or another part than before, or none any
 * more. A change of less than a tenth is not told.
 *
 * @category events
 * @since 0.1.0
 */
export interface SheddingChanged extends Common<"SheddingChanged"> {
  /** The part of each priority that is refused, from 0 to 1. High callers never are. */
  readonly refused: { readonly normal: number; readonly low: number }
}

/**
 * The level of degradation changed: by itself where `traffic.degradation` is `"auto"`, or by `degrade`.
 *
 * @category events
 * @since 0.1.0
 */
export interface DegradationChanged extends Common<"DegradationChanged"> {
  readonly level: Level
  readonly from: Level
  /** Whether `degrade` set it. */
  readonly isManual: boolean
}

/** Callers that waited were failed by `clear`. @category events @since 0.1.0 */
export interface QueueCleared extends Common<"QueueCleared"> {
  readonly failed: number
}

/** A drain began. @category events @since 0.1.0 */
export interface DrainStarted extends Common<"DrainStarted"> {}

/** A drain ended, and with it the pool. @category events @since 0.1.0 */
export interface Drained extends Common<"Drained"> {
  readonly report: DrainReport
}

/**
 * The process was suspended or the wall clock leapt; idle connections must prove themselves. @category events @since
 * 0.1.0
 */
export interface ClockLeapt extends Common<"ClockLeapt"> {
  /** Milliseconds, negative when the clock went back. */
  readonly by: number
}

/**
 * A balanced pool stopped choosing one of its upstreams because of how leases ended there. @category events @since
 * 0.1.0
 */
export interface UpstreamEjected extends Common<"UpstreamEjected"> {
  /** The name of the upstream's pool. */
  readonly upstream: string
  readonly because: EjectReason
  /** Milliseconds until it returns. */
  readonly forMillis: number
}

/** An ejected upstream is chosen again. @category events @since 0.1.0 */
export interface UpstreamReturned extends Common<"UpstreamReturned"> {
  readonly upstream: string
}

/** An upstream joined a balanced pool that was in use. @category events @since 0.1.0 */
export interface UpstreamJoined extends Common<"UpstreamJoined"> {
  readonly upstream: string
  readonly weight: number
}

/** An upstream left a balanced pool. @category events @since 0.1.0 */
export interface UpstreamLeft extends Common<"UpstreamLeft"> {
  readonly upstream: string
}

/**
 * Another member of a pool takes the writes, or none does: of a cluster of servers. @category events @since 0.1.0
 */
export interface PrimaryChanged extends Common<"PrimaryChanged"> {
  /** The name of the member that took them before; `undefined` if there was none. */
  readonly from: string | undefined
  /** `undefined` while there is none. */
  readonly to: string | undefined
  /** The timeline of the servers: each promotion begins another. */
  readonly timeline: number
}

/**
 * Everything that can happen in a pool.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolEvent =
  | Opened
  | OpenFailed
  | Acquired
  | Released
  | AcquiredSlowly
  | AcquireTimedOut
  | ValidateFailed
  | ResetFailed
  | Retired
  | Closed
  | CloseFailed
  | LeakSuspected
  | LeakEnded
  | Operated
  | WarmedUp
  | BreakerOpened
  | BreakerClosed
  | BreakerStoreFailed
  | HealthChecked
  | Paused
  | Resumed
  | AllRetired
  | LimitChanged
  | BudgetStoreLost
  | BudgetStoreBack
  | SheddingChanged
  | DegradationChanged
  | QueueCleared
  | DrainStarted
  | Drained
  | ClockLeapt
  | UpstreamEjected
  | UpstreamReturned
  | UpstreamJoined
  | UpstreamLeft
  | PrimaryChanged
