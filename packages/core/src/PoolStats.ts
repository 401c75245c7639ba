/**
 * The numbers of a pool, read at one moment.
 *
 * Numbers of *now*, numbers *since the pool was made* and *recent* ones are kept apart: a current number may fall, a
 * count never does, and what is recent is forgotten.
 *
 * @since 0.1.0
 */
import type { PoolBudget } from "./internal/model/budget.ts"
import type { Borrower } from "./internal/model/borrower.ts"
import type { PoolCounts } from "./internal/model/counts.ts"
import type { LimitedBy } from "./internal/model/limit.ts"
import type { OperationStats } from "./internal/model/operation.ts"
import type { SizingStats } from "./internal/model/sizing.ts"
import type { Timing } from "./internal/model/timing.ts"
import type { TrafficStats } from "./internal/model/traffic.ts"

export type { Borrower } from "./internal/model/borrower.ts"
export type { PoolBudget } from "./internal/model/budget.ts"
export { noCounts, type PoolCounts } from "./internal/model/counts.ts"
export type { LimitedBy } from "./internal/model/limit.ts"
export type { OperationEnd, OperationStats, SlowOperation } from "./internal/model/operation.ts"
export type { SizeMove, SizeTried, SizingStats } from "./internal/model/sizing.ts"
export type { Timing } from "./internal/model/timing.ts"
export type { KeyStats, TrafficStats } from "./internal/model/traffic.ts"

/**
 * The numbers of the last one to two minutes, or since the pool was made if that is less. `health` judges by it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recent {
  /** How long that is, in milliseconds. */
  readonly span: number
  /** Acquisitions and dials, those that failed included. */
  readonly attempts: number
  /** Those that failed: callers that timed out, were refused, or failed in the queue, and dials. */
  readonly failures: number
  /** Validations made and those that failed, health checks included. */
  readonly validated: number
  readonly failedToValidate: number
  /** How long callers waited for a connection; one that did not have to wait counts as 0. */
  readonly wait: Timing
  /** Operations that ended and were not interrupted. */
  readonly operations: number
  /** Those that failed by the backend's doing. */
  readonly failedOperations: number
  /** How long operations took on average, in milliseconds, without the wait for a connection. */
  readonly avgQueryTime: number
}

/**
 * The numbers of a pool at one moment that cost next to nothing to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolNumbers {
  /** The pool's name. */
  readonly name: string
  /** Whether callers are admitted. */
  readonly state: "open" | "paused" | "draining" | "closed"
  /** Connections that count against the limit: `opening + idle + checking + used + closing`. */
  readonly total: number
  /** Connections lent to a borrower. */
  readonly used: number
  /** Connections ready to be lent. */
  readonly idle: number
  /** Callers that wait. */
  readonly pending: number
  /** Connections being opened. */
  readonly opening: number
  /** Connections being validated before a lease, health-checked or reset after one. */
  readonly checking: number
  /** Connections being closed. */
  readonly closing: number
  /** The smallest number of connections the pool keeps open. */
  readonly minConnections: number
  /** The largest number of connections, as configured. */
  readonly maxConnections: number
  /** The live limit: at most `maxConnections`, lower when something holds it down. */
  readonly limit: number
  /** The bound that decides the live limit. Of a pool that is made of others, the first that holds one of them down. */
  readonly limitedBy: LimitedBy
  /** The part of the pool in a `ConnectionBudget`; absent where it is under none. */
  readonly budget?: PoolBudget | undefined
  /** `used` as a share of `limit`, 0 to 100. */
  readonly utilization: number
  /** How long the first caller in the queue has waited, in milliseconds; 0 without a queue. */
  readonly oldestWaiter: number
  /** Leases that are held for longer than `leakTimeout`. */
  readonly overdue: number
  /** The state of the breaker around dials. */
  readonly breaker: "closed" | "open"
  /** Counts since the pool was made. */
  readonly counts: PoolCounts
}

/**
 * The numbers that the health of a pool is judged by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Vitals extends PoolNumbers {
  readonly recent: Recent
  /**
   * In an outage, those of `used` that nobody can wait for: held by leases that are meant to be held for long, or for
   * longer than `acquireTimeout`. 0 while dials succeed.
   */
  readonly outOfReach?: number | undefined
}

/**
 * The numbers of a pool at one moment, with the distributions of its durations.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolStats extends Vitals {
  /** How long callers waited for a connection; one that did not have to wait counts as 0. */
  readonly wait: Timing
  /**
   * How many of those waits did not exceed each of `PoolMetrics.boundaries`, since the pool was made: the difference of
   * two readings gives the percentiles of the time between them.
   */
  readonly waitsUpTo: ReadonlyArray<number>
  /** How long borrowers held a connection. */
  readonly use: Timing
  /** How long dials took that succeeded. */
  readonly open: Timing
  /** How long validations took that succeeded. */
  readonly validate: Timing
  /** How long closed connections had lived. */
  readonly lifetime: Timing
  /** Statements, commands, requests and messages on its connections. */
  readonly operations: OperationStats
  /** The mean of `operations.time`, beside that of `wait`. */
  readonly avgQueryTime: number
  /** The callers that take the connections' time, ten at most, those with the largest share first. */
  readonly borrowers: ReadonlyArray<Borrower>
  /** The callers that wait and that are served, told apart by what they say with `Traffic`. */
  readonly traffic: TrafficStats
  /** The steps of the adaptive size, and why; `undefined` without the option `sizing`. */
  readonly sizing?: SizingStats | undefined
  /** The pools that it is made of, if it is: the upstreams of a balanced pool, the servers of a cluster. */
  readonly members?: ReadonlyArray<MemberStats> | undefined
  /** The member that takes the writes, where only one of them does: of a cluster. */
  readonly primary?: PrimaryStats | undefined
}

/**
 * The member of a pool that takes the writes, at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface PrimaryStats {
  /** Its name; `undefined` while there is none. */
  readonly name: string | undefined
  /** Since when, in milliseconds since the epoch. */
  readonly since: number
  /** The one before it; `undefined` if there was none. */
  readonly before: string | undefined
  /** The timeline of the servers: each promotion begins another. */
  readonly timeline: number
  /** How often it changed. The first that was found is no change. */
  readonly changes: number
}

/**
 * One of the pools that a pool is made of, at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemberStats extends Pick<PoolNumbers, "name" | "used" | "idle" | "pending" | "total" | "limit"> {
  /** Its part, such as `primary` and `replica`; `undefined` where all have the same. */
  readonly role: string | undefined
  /** Whether it serves callers, and if not why: `in` is the word for one that does. */
  readonly state: string
  /** Milliseconds that it is behind the member it follows; `undefined` where it follows none, and if nobody knows. */
  readonly lag: number | undefined
}

/**
 * A member of a pool from the numbers of its own pool.
 *
 * @category constructors
 * @since 0.1.0
 */
export const memberOf = (
  { idle, limit, name, pending, total, used }: PoolNumbers,
  about: Pick<MemberStats, "role" | "state" | "lag">
): MemberStats => ({ name, ...about, used, idle, pending, total, limit })

/**
 * Callers that got no connection: they timed out, were refused, or failed in the queue.
 *
 * @category getters
 * @since 0.1.0
 */
export const failedCallersOf = (counts: Pick<PoolCounts, "timedOut" | "refused" | "failed">): number =>
  counts.timedOut + counts.refused + counts.failed

/**
 * Acquisitions and dials that failed: callers that timed out, were refused, or failed in the queue, and dials.
 *
 * @category getters
 * @since 0.1.0
 */
export const failuresOf = (
  counts: Pick<PoolCounts, "timedOut" | "refused" | "failed" | "failedToOpen">
): number => failedCallersOf(counts) + counts.failedToOpen

/**
 * Acquisitions and dials, those that failed included.
 *
 * @category getters
 * @since 0.1.0
 */
export const attemptsOf = (
  counts: Parameters<typeof failuresOf>[0] & Pick<PoolCounts, "acquiredAtOnce" | "acquiredAfterWaiting" | "opened">
): number => failuresOf(counts) + counts.acquiredAtOnce + counts.acquiredAfterWaiting + counts.opened
