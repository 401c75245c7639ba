/**
 * Types of the callers that take the connections' time.
 */

/**
 * The leases of one label that run the same statement: those that hold a connection now and those of the last one to
 * two minutes. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Borrower {
  /** `undefined` for leases without a label; `(others)` for all beyond the 64 that are told apart. */
  readonly label: string | undefined
  /**
   * The statement that such a lease runs, or ran last, cut to 100 characters; `undefined` for leases of less than 5 ms,
   * and where the connector tells none.
   */
  readonly statement: string | undefined
  /** Connections that they hold now. */
  readonly used: number
  /** Leases, those that hold a connection now included. */
  readonly leases: number
  /** For how long a lease holds its connection, in the mean and at the longest, up to now. */
  readonly mean: number
  readonly longest: number
  /** Their part of all the time for which connections were lent, 0 to 1. */
  readonly share: number
  /** For how long the first in line waited while these held a connection, those included who gave up. */
  readonly waits: number
}
