/**
 * How long connections have been shared for of late, where the connector leaves it to the pool what sharers join.
 *
 * Short requests gain from leaving together, since each write costs about as much as the request itself. Long ones would
 * keep others waiting. The mean of the last leases tells which they are, and one connection is joined only for a moment:
 * whatever turns out to be slow holds up those that came with it and nobody who comes later.
 *
 * Where callers are many, leases last as long as the program needs for all of them. Spreading them would only add writes
 * to that. So leases are short too while each has a small part of the time in which its connection was shared.
 */

/** Leases are short while they last less than this on average, and one connection is joined at least so long, in ms. */
const short = 2

/** So are those whose part is less than this, in ms. */
const shortPart = 0.25

/** However small their parts, leases that last longer than this on average are long; nor is one joined longer, in ms. */
const longestMoment = 10

/** The weight of the newest lease in the means. */
const weight = 1 / 16

/** Sharers that end together leave one after the other, so the most of them count, and are forgotten this slowly. */
const kept = 63 / 64

/** One long lease among the last ones counts as this, in milliseconds: what a pool has learnt is soon forgotten. */
const longest = 100

export class SharedUse {
  private held = short
  private part = short
  private sharers = 1

  /** Whether requests may leave together. */
  get isShort(): boolean {
    return this.held < short || (this.part < shortPart && this.held < longestMoment)
  }

  /** For how long others may join a connection after the oldest of its leases has begun, in milliseconds. */
  get moment(): number {
    return Math.min(longestMoment, Math.max(short, 4 * this.held))
  }

  /** `sharers` had the connection when the lease ended, itself among them. */
  record(held: number, sharers: number): void {
    const counted = Math.min(held, longest)
    this.held += (counted - this.held) * weight
    this.sharers = Math.max(sharers, this.sharers * kept)
    this.part += (counted / this.sharers - this.part) * weight
  }
}
