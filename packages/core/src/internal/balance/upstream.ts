/**
 * One upstream as the balancer sees it: its pool, what it carries, and why it might not be chosen.
 */
import type { ConnectionPool } from "../../ConnectionPool.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { Outlier } from "./outlier.ts"

export class Upstream {
  readonly index: number
  readonly pool: ConnectionPool<any>
  readonly weight: number
  readonly outlier: Outlier
  /** Leases that are on their way to it or have not ended. */
  inFlight = 0
  /** Its credit in the round of `roundRobin`. */
  credit = 0
  /** What it is chosen by in the choice under way. */
  effective = 0
  /** Its pool is paused, draining or closed: it refuses at once. */
  isShut = false
  /** It has no connection and its dials fail: whoever goes there waits, probably in vain. */
  isFailing = false
  /** Whether somebody tries to open a connection on behalf of the balancer. */
  isProbed = false
  private returnedAt = -Infinity
  private opened = 0
  private failedToOpen = 0

  constructor(index: number, pool: ConnectionPool<any>, weight: number, outlier: Outlier) {
    this.index = index
    this.pool = pool
    this.weight = weight
    this.outlier = outlier
  }

  get isAvailable(): boolean {
    return !this.outlier.isEjected && !this.isShut && !this.isFailing
  }

  /** Takes in what its pool's numbers say, and tells whether dials fail while nothing is open. */
  see({ breaker, checking, counts, idle, state, used }: PoolStats): boolean {
    const failed = counts.failedToOpen > this.failedToOpen && counts.opened === this.opened
    this.opened = counts.opened
    this.failedToOpen = counts.failedToOpen
    this.isShut = state !== "open"
    const isBare = idle + used + checking === 0
    if (!isBare) this.isFailing = false
    return isBare && (failed || breaker === "open")
  }

  /** From here on it is chosen again after it was not: with little at first, and without old credit. */
  comeBack(now: number): void {
    this.returnedAt = now
    this.credit = 0
  }

  /** How much of its weight counts: all of it, unless it came back less than `slowStart` ago. */
  share(slowStart: number, now: number): number {
    const since = now - this.returnedAt
    return since >= slowStart ? 1 : Math.max(smallestShare, since / slowStart)
  }
}

/** Below this an upstream would get nothing to prove itself by. */
const smallestShare = 0.1
