/**
 * One upstream as the balancer sees it: its pool, what it carries, and why it might not be chosen.
 */
import type { ConnectionPool } from "../model/pool.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { Outlier } from "./outlier.ts"

/** A caller that waits in the queue of an upstream's pool. */
export interface Waiting {
  /** When it came there. */
  readonly since: number
  /** Whether another upstream might serve it, and whether that one might. */
  readonly mayLeave: () => boolean
  readonly mayTry: (upstream: Upstream) => boolean
  /** Takes it out of the queue and sends it to an upstream, or to whichever is chosen for it. */
  readonly moveOn: (to: Upstream | undefined) => void
}

export class Upstream {
  /** Its number in the ids of connections. */
  readonly slot: number
  readonly pool: ConnectionPool<any>
  weight: number
  readonly outlier: Outlier
  /** Callers that wait there, first come first. */
  readonly waiting = new Set<Waiting>()
  /** Leases that are on their way to it or have not ended. */
  inFlight = 0
  /** Its credit in the round of `roundRobin`. */
  credit = 0
  /** Its weight and its load in the choice under way. */
  effective = 0
  load = 0
  /** It has left the balanced pool. */
  isGone = false
  /** Its pool is paused, draining or closed: it refuses at once. */
  isShut = false
  /** It has no connection that comes back and its dials fail: whoever goes there waits, probably in vain. */
  isFailing = false
  /** It has no connection that comes back and its dials are not answered as quickly as callers want. */
  isStalled = false
  /** Whether somebody tries to open a connection on behalf of the balancer. */
  isProbed = false
  /** How many more callers it could serve at once, as far as its numbers tell. */
  free = 0
  /** Nothing is open, nothing is being opened, and there is room. */
  isCold = false
  private returnedAt = -Infinity
  private opened = 0
  private succeeded = 0
  private failedToOpen = 0
  private dialsFail = false
  /** Connections that are lent, and how many it may have at most. */
  private used = 0
  private limit = 0
  /** Whether a connection is at hand or came back lately, and when that was last so. */
  private isServing = false
  private servedAt = -Infinity
  private brokeAt = -Infinity
  private failures = 0
  private failuresAt = 0

  constructor(slot: number, pool: ConnectionPool<any>, weight: number, outlier: Outlier) {
    this.slot = slot
    this.pool = pool
    this.weight = weight
    this.outlier = outlier
  }

  get isAvailable(): boolean {
    return this.isFit && !this.isStalled
  }

  /** Available but for the speed of its dials. */
  get isFit(): boolean {
    return this.weight > 0 && !this.outlier.isEjected && !this.isShut && !this.isFailing
  }

  /** Takes in what its pool's numbers say, and tells whether dials fail while no connection comes back. */
  see(stats: PoolStats, now: number, patience: number): boolean {
    const { counts, idle, limit, opening, pending, total, used } = stats
    const hasOpened = counts.opened > this.opened
    this.isServing = idle + stats.checking > 0 || (used > 0 && (hasOpened || counts.ended.success > this.succeeded))
    if (hasOpened) this.dialsFail = false
    else if (counts.failedToOpen > this.failedToOpen) this.dialsFail = true
    this.opened = counts.opened
    this.succeeded = counts.ended.success
    this.failedToOpen = counts.failedToOpen
    this.isShut = stats.state !== "open"
    this.used = used
    this.limit = limit
    const room = Math.max(0, limit - total)
    const isBare = idle + stats.checking + used === 0
    this.isCold = isBare && opening === 0 && room > 0
    this.free = Math.max(0, idle - pending + (isBare || this.dialsFail ? 0 : room))
    if (this.isServing) {
      this.servedAt = now
      this.isFailing = false
      this.isStalled = false
    }
    return this.isStuck(now, patience) && (this.dialsFail || stats.breaker === "open")
  }

  /** Its pool said that it serves nobody, before its numbers do. */
  shut(): void {
    this.isShut = true
  }

  /** It can't connect. `false` if that is known. */
  fails(): boolean {
    if (this.isFailing) return false
    return this.isFailing = true
  }

  /** Its dials are too slow. `false` if that is known. */
  stalls(): boolean {
    if (this.isStalled) return false
    return this.isStalled = true
  }

  /** One more caller is sent to it. */
  takesOne(): void {
    this.free--
  }

  /** It takes part in a choice. */
  earns(): void {
    this.credit += this.effective
  }

  /** It is chosen, and pays what all who took part have earned. */
  pays(earned: number): void {
    this.credit -= earned
  }

  /** Whether it has room for more, and nothing open but what its borrowers have kept for so long. */
  isStuck(now: number, patience: number): boolean {
    if (this.isServing || this.used >= this.limit) return false
    return this.used === 0 || now - this.servedAt >= patience
  }

  /** How many connections are open when its pool has opened one more. */
  get oneMore(): number {
    return Math.min(this.used + 1, this.limit)
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

  /**
   * Takes in that a lease that began at `since` ended with its connection broken, and tells whether that is news: a
   * restart breaks all connections of an upstream, which is one failure.
   */
  broke(since: number, now: number): boolean {
    if (since < this.brokeAt && now - this.brokeAt < together) return false
    this.brokeAt = now
    return true
  }

  /** Takes in that a lease failed, however that is judged. */
  failed(now: number): void {
    this.failures = this.failuresLeft(now) + 1
    this.failuresAt = now
  }

  /**
   * The facts that its load is reckoned from: the leases in flight, and its failures of late, each of which is half
   * forgotten after a second. By the leases in flight alone, whoever fails them at once would get the most. A single
   * failure is none.
   */
  burden(now: number): number {
    return this.failures === 0 ? this.inFlight : this.inFlight + Math.max(0, Math.ceil(this.failuresLeft(now)) - 1)
  }

  private failuresLeft(now: number): number {
    if (this.failures === 0) return 0
    const left = this.failures * 2 ** ((this.failuresAt - now) / 1_000)
    return left < 0.01 ? this.failures = 0 : left
  }
}

/** Below this an upstream would get nothing to prove itself by. */
const smallestShare = 0.1

/** Connections that break within so many milliseconds may have broken for one reason. */
const together = 1_000
