/**
 * How many retries a pool admits: a part of the leases that have ended well, and a few at first.
 *
 * Each success saves up a part of a retry, each retry spends a whole one. So callers that all try again while the backend
 * is ill add a tenth to its load, and not a multiple.
 */

/** How many retries may be spent at first, and saved up at most beside what a hundred successes give. */
const reserve = 10

export class RetryBudget {
  private readonly part: number
  private readonly most: number
  private saved: number

  /** `part` is how many retries there may be for each success. */
  constructor(part: number) {
    this.part = part
    this.most = part === 0 ? 0 : reserve + 100 * part
    this.saved = part === 0 ? 0 : reserve
  }

  /** Whether one more retry may be made. */
  get isSpent(): boolean {
    // Ten tenths make a little less than one.
    return this.saved < 1 - 1e-6
  }

  retried(): void {
    this.saved--
  }

  succeeded(): void {
    this.saved = Math.min(this.most, this.saved + this.part)
  }
}
