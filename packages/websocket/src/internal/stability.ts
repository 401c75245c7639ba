/**
 * A pool's lessons from connections that the server ended.
 *
 * The pool's own retry schedule and breaker count dials that fail. A server that accepts every connection and ends it at
 * once would never be seen by them; so such an end is owed to them as failures of the dials that come next. The more of
 * them in a row, the more are owed, and the further the schedule advances.
 */
import type { WebSocketError } from "../WebSocketError.ts"

const mostOwed = 8

/** Ends that all clients of a server meet at once: it goes away, restarts, fails or has too much to do. */
const shared: ReadonlySet<number> = new Set([1001, 1006, 1011, 1012, 1013])

const tryAgainLater = 1013

interface Limits {
  readonly stableAfter: number
  readonly reconnectDelay: number
  readonly maxRetryAfter: number
}

export class Stability {
  /** Why no dial is made any more. */
  final: WebSocketError | undefined = undefined
  private readonly limits: Limits
  private inARow = 0
  private owed = 0
  private countedAt = -Infinity
  private last: WebSocketError | undefined = undefined
  /** When a connection last ended as those of others do too, and which part of the delay is waited for in any case. */
  private lostAt = -Infinity
  private least = 0
  /** Until when the server asked not to be asked, and how it said so. */
  private heldUntil = -Infinity
  private refusal: WebSocketError | undefined = undefined

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** The failure that the next dial must meet, if any. */
  toll(now: number): WebSocketError | undefined {
    if (this.final !== undefined) return this.final
    if (now < this.heldUntil) return this.refusal
    if (this.owed === 0) return undefined
    this.owed--
    return this.last
  }

  /** How long the next dial waits, given a random number from 0 to 1. */
  delay(now: number, random: number): number {
    const { reconnectDelay } = this.limits
    const part = this.least + random * (1 - this.least)
    return Math.max(0, this.lostAt + part * reconnectDelay - now)
  }

  /** The server does not want this client: no dial is made any more. */
  refused(error: WebSocketError): void {
    this.final = error
  }

  /** A dial failed, and the server may have said when to try again. */
  asked(error: WebSocketError, now: number): void {
    const wait = error.reason._tag === "OpenFailed" ? error.reason.retryAfter ?? 0 : 0
    if (wait === 0) return
    this.refusal = error
    this.heldUntil = now + Math.min(wait, this.limits.maxRetryAfter)
  }

  /** A connection ended with this code. */
  lost(code: number, now: number): void {
    if (!shared.has(code)) return
    this.lostAt = now
    this.least = code === tryAgainLater ? 0.5 : 0
  }

  /** A connection ended that nobody here wanted to end. */
  ended(error: WebSocketError, openedAt: number, now: number): void {
    if (now - openedAt >= this.limits.stableAfter) {
      this.inARow = 0
      return
    }
    // Connections that were open together and ended together say the same thing once.
    if (openedAt <= this.countedAt) return
    this.countedAt = now
    this.last = error
    this.inARow++
    this.owed = Math.min(this.inARow, mostOwed)
  }
}
