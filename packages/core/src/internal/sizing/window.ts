/**
 * A window of time in which the throughput of a pool at one size is measured.
 */

/** The pool as it is looked at several times in a window. Sums are since it was made. */
export interface Look {
  readonly now: number
  readonly limit: number
  /** Connections that are open. */
  readonly live: number
  readonly used: number
  readonly pending: number
  /** Callers that had to wait. */
  readonly waited: number
  /** Leases that ended and were not interrupted. */
  readonly ended: number
  readonly interrupted: number
  /** Operations that failed by the backend's doing, time-outs among them. */
  readonly failedOperations: number
}

export interface Measured {
  /** Useful leases a second. */
  readonly rate: number
  readonly leases: number
  /** Whether more connections could have been used: callers waited, and nearly all connections were lent. */
  readonly isSaturated: boolean
  /** Whether callers waited although fewer connections were open than there might be. */
  readonly isShort: boolean
  /** The part of the leases that the backend failed or that ran out of time. */
  readonly failed: number
}

/** How long a window is at least, and how many leases it has to tell one size from the next. */
const shortest = 1_000
export const enough = 500

/** A slow pool is measured for longer, with fewer leases, and by larger steps. */
const longer = 30_000
const fewest = 100

/** Where not even these come together, nothing can be told. */
const longest = 60_000

/** The share of the connections that is lent in a pool that could use more. */
const busy = 0.9

export class Window {
  private readonly first: Look
  private used = 0
  private looks = 0
  private hasWaited = false

  constructor(first: Look) {
    this.first = first
  }

  /** The measurement, once there is enough of it; `"nothing"` where there never will be. */
  look(seen: Look): Measured | "nothing" | undefined {
    const { first } = this
    const took = seen.now - first.now
    if (took <= 0) return undefined
    this.used += seen.used / Math.max(1, seen.limit)
    this.looks++
    this.hasWaited ||= seen.pending > 0 || seen.waited > first.waited
    if (took < shortest) return undefined
    const leases = seen.ended - first.ended
    const isSaturated = this.hasWaited && this.used >= busy * this.looks
    if (isSaturated && leases < enough && (took < longer || leases < fewest)) {
      return took >= longest ? "nothing" : undefined
    }
    const failedOperations = seen.failedOperations - first.failedOperations
    const interrupted = seen.interrupted - first.interrupted
    return {
      rate: Math.max(0, leases - failedOperations) / took * 1000,
      leases,
      isSaturated,
      isShort: this.hasWaited && seen.live < busy * seen.limit,
      failed: Math.min(1, (failedOperations + interrupted) / Math.max(1, leases + interrupted))
    }
  }
}
