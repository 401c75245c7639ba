/**
 * How long connections have been shared for of late, where the connector leaves it to the pool what sharers join.
 *
 * Short requests gain from leaving together, since each write costs about as much as the request itself. Long ones would
 * keep others waiting. The mean of the last leases tells which they are, and one connection is joined only for a moment:
 * whatever turns out to be slow holds up those that came with it and nobody who comes later.
 */

/** Leases are short while they last less than this on average, and each until it has lasted as long, in milliseconds. */
export const short = 2

/** The weight of the newest lease in the mean. */
const weight = 1 / 16

/** One long lease among the last ones counts as this, in milliseconds: what a pool has learnt is soon forgotten. */
const longest = 100

export class SharedUse {
  private mean = short

  /** Whether requests may leave together. */
  get isShort(): boolean {
    return this.mean < short
  }

  record(held: number): void {
    this.mean += (Math.min(held, longest) - this.mean) * weight
  }
}
