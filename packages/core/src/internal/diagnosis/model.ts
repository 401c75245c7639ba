/**
 * A diagnosis, and the names of the causes.
 */

/**
 * The causes that a diagnosis may name, the one that explains most first: where several fit, the first is told.
 *
 * - `credentialsRefused`: the server does not accept the credentials
 * - `serverFull`: the server has no room for more connections
 * - `backendDown`: no connection is open and dials fail or have no answer
 * - `breakerOpen`: the breaker lets nobody dial, for failures of other dials
 * - `queueDeadlock`: all who hold a connection wait for another
 * - `budgetSpent`: the budget that the pool shares holds it down, and others have the rest
 * - `oneKey`: callers of one `fairKey` hold most connections while those of others wait
 * - `oneHolder`: one label holds the connections for long
 * - `backendSlow`: the backend answers more slowly than it did, or not at all
 * - `leak`: a lease is held for longer than `leakTimeout`
 * - `dialsFail`: some connections serve, but no further one can be opened
 * - `leasesTooLong`: the leases of one label take most of the connections' time
 * - `dialsSlow`: callers wait for connections that are being opened
 * - `poolTooSmall`: callers come faster than so many connections can serve them
 * - `callersFail`: callers get no connection, for none of these reasons
 * - `backendWasDown`: the backend was down and is back
 *
 * @category models
 * @since 0.1.0
 */
export const causes = [
  "credentialsRefused",
  "serverFull",
  "backendDown",
  "breakerOpen",
  "queueDeadlock",
  "budgetSpent",
  "oneKey",
  "oneHolder",
  "backendSlow",
  "leak",
  "dialsFail",
  "leasesTooLong",
  "dialsSlow",
  "poolTooSmall",
  "callersFail",
  "backendWasDown"
] as const

/** One of `causes`. @category models @since 0.1.0 */
export type Cause = typeof causes[number]

/** A diagnosis, and the subjects of the warnings that only follow from its cause. */
export interface Verdict {
  readonly diagnosis: Diagnosis
  readonly silences: ReadonlyArray<string>
}

/**
 * The cause of what is not well, or was not a moment ago.
 *
 * @category models
 * @since 0.1.0
 */
export interface Diagnosis {
  readonly cause: Cause
  /** `critical` when callers fail or nobody can be served. */
  readonly level: "warning" | "critical"
  /** When it began, in milliseconds since the epoch, as far as the pool can tell. */
  readonly since: number
  /** When it was over; `undefined` while it lasts. */
  readonly until: number | undefined
  /** The fault, in one sentence with the numbers. */
  readonly text: string
  /** The remedy, in whole sentences. */
  readonly remedy: string
}
