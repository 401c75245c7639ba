/**
 * How many connections somebody wants, without the ups and downs of single moments.
 *
 * It rises at once and falls by half a second, so that a pool whose leases come and go keeps what it has, and one that is
 * idle gives it back within a few seconds.
 */

/** In milliseconds. */
const halfLife = 1_000

export class Appetite {
  private value = 0
  private at = 0

  /** How many are wanted, given how many would be of use at this moment. */
  read(useful: number, now: number): number {
    const faded = this.value * 0.5 ** ((now - this.at) / halfLife)
    // The fading part of one connection is none.
    this.value = Math.max(useful, faded < 0.5 ? 0 : faded)
    this.at = now
    return Math.ceil(this.value - 1e-9)
  }
}
