/**
 * How much of what was tried lately went wrong. It forgets: one failure among many successes is no outage, and a success
 * of long ago says nothing.
 */

/** The memory reaches back so far at most, and at least half as far, in milliseconds. */
const memory = 10_000

export class RecentShare {
  private since = 0
  private good = 0
  private bad = 0
  private olderGood = 0
  private olderBad = 0

  note(now: number, isGood: boolean): void {
    this.forget(now)
    if (isGood) this.good++
    else this.bad++
  }

  /** Whether at least so many were tried lately, and less than this share of them went wrong. */
  isMostlyGood(now: number, atLeast: number, share: number): boolean {
    this.forget(now)
    const bad = this.bad + this.olderBad
    const all = bad + this.good + this.olderGood
    return all >= atLeast && bad < share * all
  }

  private forget(now: number): void {
    const age = now - this.since
    if (age < memory / 2) return
    this.olderGood = age < memory ? this.good : 0
    this.olderBad = age < memory ? this.bad : 0
    this.good = this.bad = 0
    this.since = now
  }
}
