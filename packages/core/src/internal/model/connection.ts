/**
 * One connection and one lease as a pool shows them, and what a reader of the pool may ask for. Whatever the pool's
 * errors, events and numbers share stands here, below all of them.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Priority } from "./traffic.ts"

/**
 * The holder of a connection, and since when.
 *
 * @category models
 * @since 0.1.0
 */
export interface Holder {
  readonly connection: number
  readonly label: string | undefined
  /** The tags that the holder gave itself with `Traffic.with({ tags })`; absent without any. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Milliseconds. */
  readonly held: number
}

/**
 * Options of one lease.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseOptions {
  /** Names the lease in warnings, errors, events and `connections`. By default the name of the current span. */
  readonly label?: string | undefined
  /**
   * Whether the lease is meant to be held for long, such as a listener's: `leakTimeout` and `reclaimTimeout` are not
   * for it. Default false.
   */
  readonly isLongLived?: boolean | undefined
  /**
   * Whether other callers may use the same connection at the same time, as far as the connector allows it; where it
   * does not, the lease is exclusive. Default false. `withShared` sets it.
   */
  readonly isShared?: boolean | undefined
  /**
   * How much the lease matters beside others that wait. By default what `Traffic.with` says around it, else `"normal"`.
   */
  readonly priority?: Priority | undefined
  /** With whom it shares fairly. By default what `Traffic.with` says around it. */
  readonly fairKey?: string | undefined
  /**
   * How long from now its caller can use an answer. By default, and at most, what `Traffic.with` says around it. Too short:
   * the caller is refused although it could have been served. Too long: it is lent a connection for work that nobody waits
   * for any more.
   */
  readonly deadline?: Duration.Input | undefined
  /**
   * Set by a pool over pools, such as a `BalancedPool`, on the leases that it asks its upstreams for. A pool that wraps
   * another hands it on as it is.
   */
  readonly onward?: Onward | undefined
}

/**
 * A caller that has other pools to go to, as a pool over pools tells it to the one where it asks. Times are in
 * milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Onward {
  /** How long it was at other upstreams. */
  readonly elsewhere: number
  /** How long it may still wait, if the pool's own `acquireTimeout` is not shorter. */
  readonly left: number
  /** Told when it begins to wait, and by what it can be taken out of the queue; later that does nothing. */
  readonly waits: (recall: (outcome: Effect.Effect<unknown, unknown>) => void) => void
  /** Whether another upstream might serve it. */
  readonly mayLeave: () => boolean
  /** Told when its lease ends and the connection is broken. */
  readonly broke: () => void
}

/**
 * Which events a reader wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventOptions {
  /**
   * Whether it wants the `Acquired` and `Released` of every lease. Default true. Without them a reader costs the leases
   * nothing, and no number of leases can push what is rare out of its buffer.
   */
  readonly leases?: boolean | undefined
  /**
   * Whether it wants the `Operated` of every statement, command, request and message. Default false. While somebody
   * does, each operation costs about a microsecond more.
   */
  readonly operations?: boolean | undefined
}

/**
 * The state of a connection.
 *
 * @category models
 * @since 0.1.0
 */
export type ConnectionState = "opening" | "idle" | "checking" | "used" | "closing"

/**
 * One connection of a pool, as seen at one moment. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionInfo {
  /** Counts up from 1 in each pool and is never given twice. */
  readonly id: number
  /** `draining`: it is lent and will be closed when it comes back, as in a drain, after `retireAll` or `retire`. */
  readonly state: ConnectionState | "draining"
  readonly age: number
  /** How long it has been idle; 0 unless it is. */
  readonly idleFor: number
  /** How long it has been lent; 0 unless it is. */
  readonly heldFor: number
  /** Whether a lease that holds it was reported by `LeakSuspected`. */
  readonly isLeakSuspected: boolean
  /** Leases so far. */
  readonly uses: number
  /** Leases that ended in a failure or a defect. */
  readonly errors: number
  /** The label of the lease that holds it. */
  readonly label: string | undefined
  /** Tags of the lease that holds it, and those from the connector, such as the process id of the backend. */
  readonly tags: Readonly<Record<string, string>>
  /** The work it runs, cut to 100 characters. */
  readonly activity: string | undefined
}

/**
 * The report of a drain. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface DrainReport {
  /** How long the drain took, closes included. */
  readonly took: number
  /** Callers that were still queued when the drain began and got a connection. */
  readonly served: number
  /** Callers that were still queued when time ran out and were failed with `PoolClosed`. */
  readonly refused: number
  /** Leases that ended by themselves during the drain. */
  readonly returned: number
  /** Leases that had not ended at `drainTimeout`; their connections were closed under them. */
  readonly abandoned: ReadonlyArray<Holder>
  /** Connections closed by the drain. */
  readonly closed: number
  /** Connections whose close was given up at `closeTimeout`. */
  readonly closesTimedOut: number
}
