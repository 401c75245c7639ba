/**
 * A budget of connections as pools, pages and tools see it.
 */

/**
 * Whether the processes that share a budget can speak to one another.
 *
 * - `own`: the budget is of this process alone
 * - `shared`: the store answers
 * - `away`: the store does not answer; what was granted last holds
 *
 * @category models
 * @since 0.1.0
 */
export type BudgetStoreState = "own" | "shared" | "away"

/**
 * The numbers of a budget at one moment, as this process knows them.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetStats {
  readonly name: string
  /** The connections of all who share it. */
  readonly total: number
  /** The part of it that this process may have: all of it, unless other processes share it. */
  readonly granted: number
  /** Sockets of this process, those being opened and closed included. */
  readonly has: number
  /** How many its pools could use, a little in advance included. */
  readonly wants: number
  /** Connections that others have or may have: of a fleet, as the store said last. */
  readonly othersHold: number
  /** Processes that share it, this one included. */
  readonly processes: number
  readonly store: BudgetStoreState
  readonly pools: ReadonlyArray<BudgetPool>
}

/**
 * One pool of this process within a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetPool {
  readonly name: string
  readonly grant: number
  readonly has: number
  readonly wants: number
}

/**
 * One process of those that share a budget, as the store knows it.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetProcess {
  readonly id: string
  /** The name that it gives itself. */
  readonly name: string
  /** Sockets that it has or may open. */
  readonly grant: number
  readonly wants: number
  /** Milliseconds since it was heard of. */
  readonly age: number
  /** Whether it is the one that asks. */
  readonly isSelf: boolean
}

/**
 * The grant of a budget to one pool, at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolBudget {
  /** The name of the budget. */
  readonly name: string
  readonly total: number
  /** How many connections the pool may have. */
  readonly grant: number
  /** How many it could use. */
  readonly wants: number
  /** Connections that the other pools and processes of the budget hold. */
  readonly othersHold: number
  /** How many other pools and processes share it. */
  readonly others: number
  readonly store: BudgetStoreState
  /**
   * Those that share it, the ones that hold most first, twenty at most: the pools of a budget of one process, the processes
   * of a fleet as the store said last. A fleet's are asked for while somebody looks.
   */
  readonly members: ReadonlyArray<BudgetMember>
}

/**
 * One of those that share a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetMember extends Pick<BudgetProcess, "name" | "grant" | "wants" | "isSelf"> {}
