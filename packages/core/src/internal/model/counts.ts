/**
 * The counts of a pool. This file alone lists them: the counter, the sum over upstreams and the manager's schema go through
 * that list.
 */
import type { LeaseEnd, RetireReason } from "../../PoolEvent.ts"
import type { OperationEnd } from "./operation.ts"

/**
 * The counts of a pool since it was made. None of them ever falls.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolCounts {
  /** Leases that got their connection without waiting. */
  readonly acquiredAtOnce: number
  /** Leases that got their connection after a wait. */
  readonly acquiredAfterWaiting: number
  /** Callers that gave up at their `acquireTimeout`. */
  readonly timedOut: number
  /** Callers turned away before they could queue: draining, paused, breaker open or queue full. */
  readonly refused: number
  /** Callers that left the queue because they were interrupted. */
  readonly interrupted: number
  /** Callers failed while queued because no connection could be opened or the pool was drained. */
  readonly failed: number
  /** Leases ended, by how the borrower's effect ended. */
  readonly ended: Readonly<Record<LeaseEnd, number>>
  /** Connections opened. */
  readonly opened: number
  /** Connections closed; `opened - closed` is what is open. */
  readonly closed: number
  /** Dials that failed. */
  readonly failedToOpen: number
  /** Closes that were given up at `closeTimeout`. They are counted in `closed`, since the pool no longer holds them. */
  readonly closesTimedOut: number
  /** Connections retired, by reason. */
  readonly retired: Readonly<Record<RetireReason, number>>
  /** Validations made and those that failed, health checks included. */
  readonly validated: number
  readonly failedToValidate: number
  /** Resets that failed or were given up at `resetTimeout`. */
  readonly failedToReset: number
  /** Leases held longer than `leakTimeout`. */
  readonly leaksSuspected: number
  /** Statements, commands, requests and messages on its connections, by how they ended. */
  readonly operations: Readonly<Record<OperationEnd, number>>
}

/**
 * Every count as 0, for whoever goes through them or makes up a pool in a test.
 *
 * @category models
 * @since 0.1.0
 */
export const noCounts: PoolCounts = Object.freeze({
  acquiredAtOnce: 0,
  acquiredAfterWaiting: 0,
  timedOut: 0,
  refused: 0,
  interrupted: 0,
  failed: 0,
  ended: Object.freeze({ success: 0, failure: 0, defect: 0, interrupt: 0 }),
  opened: 0,
  closed: 0,
  failedToOpen: 0,
  closesTimedOut: 0,
  retired: Object.freeze({
    idle: 0,
    lifetime: 0,
    ended: 0,
    broken: 0,
    invalid: 0,
    invalidated: 0,
    superseded: 0,
    shutdown: 0
  }),
  validated: 0,
  failedToValidate: 0,
  failedToReset: 0,
  leaksSuspected: 0,
  operations: Object.freeze({ success: 0, rejected: 0, failed: 0, interrupted: 0 })
})

/** One set of counts of any number of them, count by count. */
export const combine = (all: ReadonlyArray<PoolCounts>, f: (counts: ReadonlyArray<number>) => number): PoolCounts =>
  // Each has the names of the list.
  combineLike(
    noCounts as unknown as Tree,
    all as ReadonlyArray<unknown> as ReadonlyArray<Tree>,
    f
  ) as unknown as PoolCounts

interface Tree {
  readonly [name: string]: number | Tree
}

const combineLike = (like: Tree, all: ReadonlyArray<Tree>, f: (counts: ReadonlyArray<number>) => number): Tree =>
  Object.fromEntries(
    Object.entries(like).map(([name, value]) => [
      name,
      typeof value === "number"
        ? f(all.map((counts) => counts[name] as number))
        : combineLike(value, all.map((counts) => counts[name] as Tree), f)
    ])
  )
