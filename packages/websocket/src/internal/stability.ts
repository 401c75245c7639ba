/**
 * What a pool learns from connections that the server ended.
 *
 * The pool's own retry schedule and breaker count dials that fail. A server that accepts every connection and ends it at
 * once would never be seen by them; so such an end is owed to them as failures of the dials that come next. The more of
 * them in a row, the more are owed, and the further the schedule advances.
 */
import type { WebSocketError } from "../WebSocketError.ts"

const mostOwed = 8

export class Stability {
  private readonly stableAfter: number
  private inARow = 0
  private owed = 0
  private countedAt = -Infinity
  private last: WebSocketError | undefined = undefined
  private final: WebSocketError | undefined = undefined

  constructor(stableAfter: number) {
    this.stableAfter = stableAfter
  }

  /** What the next dial must fail with, if anything. */
  toll(): WebSocketError | undefined {
    if (this.final !== undefined) return this.final
    if (this.owed === 0) return undefined
    this.owed--
    return this.last
  }

  /** The server does not want this client: no dial is made any more. */
  refused(error: WebSocketError): void {
    this.final = error
  }

  /** A connection ended that nobody here wanted to end. */
  ended(error: WebSocketError, openedAt: number, now: number): void {
    if (now - openedAt >= this.stableAfter) {
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
