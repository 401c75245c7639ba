/**
 * The ceiling of a pool whose server said that it is full, for a while, and then up step by step: after a refused dial the
 * connections that the server has taken, so that pools don't go on dialling for the same last place; after refused work one
 * fewer than are open, since these were too many.
 */

/** How long the ceiling stays, and how long at most where the server says how long it wants to be left alone. */
const hold = 30_000
const longestHold = 300_000

/** One step up, and the time between two. */
const step = 0.1
const between = 2_000

interface Refused {
  readonly now: number
  /** When the work began that was refused. */
  readonly began: number
  /** The dial, by the number of its connection, unless it was work on an open connection. */
  readonly dial: number | undefined
  /** Connections that are open. */
  readonly live: number
  /** Dials that have begun, and of which nobody knows yet, by the numbers of their connections. */
  readonly underWay: ReadonlyArray<number>
  /** The ceiling does not go below it. */
  readonly floor: number
  /** The server's words. */
  readonly said: string
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfter?: number | undefined
}

export class FullServer {
  private current = Infinity
  private stays = 0
  private loweredAt = -Infinity
  private words = ""
  /** The connections that the server has taken, as far as it is known. */
  private counted = 0
  /** Those of them whose dials were under way. */
  private awaited = new Set<number>()

  /** `Infinity` while there is none. */
  get ceiling(): number {
    return this.current
  }

  /** When the next step up is due. */
  get until(): number {
    return this.stays
  }

  /** The server's words while there is a ceiling, and how long ago they were. */
  said(now: number): { readonly said: string; readonly ago: number } | undefined {
    return this.current === Infinity ? undefined : { said: this.words, ago: now - this.loweredAt }
  }

  /** Tells whether the ceiling is another now. */
  refused({ began, dial, floor, live, now, retryAfter = 0, said, underWay }: Refused): boolean {
    this.stays = Math.max(this.stays, now + Math.max(hold, Math.min(longestHold, retryAfter)))
    const wasCounted = dial !== undefined && this.awaited.delete(dial)
    // Work that began before met the same crowd. Dials that were under way are counted as open until they are refused, too: a
    // server may refuse sooner than it accepts.
    if (wasCounted) this.counted--
    else if (began <= this.loweredAt) return false
    else {
      this.counted = Math.min(this.current, live + underWay.length)
      this.awaited = new Set(underWay)
      this.loweredAt = now
    }
    this.words = said
    const before = this.current
    // Without a connection there is nothing to give up, and the dialler dials once at a time.
    this.current = this.counted <= 0
      ? Infinity
      : Math.min(before, Math.max(1, floor, dial === undefined ? this.counted - 1 : this.counted))
    return this.current !== before
  }

  /** Takes a step up when it is due, at the end to no ceiling at all: `most` is what there would be without it. */
  rise(now: number, most: number): boolean {
    if (this.current === Infinity || now < this.stays) return false
    const to = this.current + Math.max(1, Math.ceil(step * this.current))
    this.current = to >= most ? Infinity : to
    this.stays = now + between
    return true
  }
}
