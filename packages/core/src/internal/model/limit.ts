/**
 * The live limit of a pool, and the bound that holds it down.
 */

/**
 * The bound that decides the live limit: the least of those that a pool has.
 *
 * - `maxConnections`: the option, nothing holds the limit down
 * - `setLimit`: what somebody set while the pool ran
 * - `sizing`: what the pool found to help, with the option `sizing`
 * - `server`: the server said that it is full
 * - `budget`: what a `ConnectionBudget` grants the pool
 *
 * @category models
 * @since 0.1.0
 */
export type LimitedBy = "maxConnections" | "setLimit" | "sizing" | "server" | "budget"

/** A bound that changes while the pool runs. */
export type Bound = Exclude<LimitedBy, "maxConnections">
