/**
 * Several pools that are used as one, as a user sees them.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { PoolError } from "../../PoolError.ts"
import type * as Scope from "effect/Scope"
import type { EjectReason } from "../../PoolEvent.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { ConnectionPool } from "./pool.ts"

/**
 * One of the pools to balance over, and how much of the load it gets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upstream<in out Lent> {
  readonly pool: ConnectionPool<Lent>
  /**
   * Its share of the leases beside the other weights, from 0.000001 to 1000000, or 0 for none: it stays connected and
   * gets no lease until `setWeight` gives it one. Default 1.
   */
  readonly weight?: number | undefined
}

/**
 * How an upstream is chosen. All go by weight.
 *
 * - `roundRobin`: one after the other. Fair in number, whatever becomes of the leases
 * - `leastUsed`: the one with the fewest leases in flight. Follows the load, and sends everybody to whoever has just
 *   become free
 * - `powerOfTwoChoices`: two at random, and the less used of them. Follows the load without a rush on one upstream
 *
 * @category models
 * @since 0.1.0
 */
export type Strategy = "roundRobin" | "leastUsed" | "powerOfTwoChoices"

/**
 * The verdict on an upstream at the end of a lease.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "success" | "failure" | "ignore"

/**
 * The facts of a lease that has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseReport {
  /**
   * Whether the connection broke. Of connections that broke together, as in a restart of the server, one lease tells.
   */
  readonly isBroken: boolean
}

/**
 * Judges how a lease ended. It must not wait; if it throws, the lease is ignored.
 *
 * @category models
 * @since 0.1.0
 */
export type Classify = (exit: Exit.Exit<unknown, unknown>, report: LeaseReport) => Outcome

/**
 * When an upstream is ejected because of how its leases end, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutlierEjection {
  /**
   * Ejected after so many failures in a row, at least 1. Default 5. Too small: chance ejects upstreams that are well.
   * Too large: many callers find out that an upstream is not.
   */
  readonly consecutiveFailures?: number | undefined
  /**
   * Ejected as well when this share of the leases within `interval` failed, above 0 and at most 1. Default 0.5. Too
   * small: errors of callers eject upstreams that are well. Too large: a sick one keeps half of its callers.
   */
  readonly failureRate?: number | undefined
  /**
   * How many leases `failureRate` is judged by at least. Default 50. Too small: chance decides. Too large: where few
   * come, nothing is ever ejected.
   */
  readonly minimumLeases?: number | undefined
  /**
   * How long leases are counted for `failureRate` before the count begins anew. Default 10 s. Too short: few leases are
   * judged. Too long: a failure that begins is lost among what went well before.
   */
  readonly interval?: Duration.Input | undefined
  /**
   * How long the first ejection lasts; the second in a row lasts twice as long, the third three times, and so on. Each
   * such time that an upstream stays in takes one back. Default 30 s. Too short: a sick upstream is asked again and
   * again. Too long: one that is well again stays unused.
   */
  readonly baseEjectionTime?: Duration.Input | undefined
  /**
   * The longest an ejection lasts, at least `baseEjectionTime`. Default 5 min. Too short: an upstream that never gets
   * well is asked often. Too long: one that gets well after all is found late.
   */
  readonly maxEjectionTime?: Duration.Input | undefined
  /**
   * The largest share of the upstreams that may be ejected at once, above 0 and at most 1. Default 0.5; of two or more
   * one may always be. Too large: the rest is overrun by a load meant for all.
   */
  readonly maxEjectedShare?: number | undefined
}

/**
 * The options of a balanced pool. An unknown one is refused, as is one without effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name in health, events and pages; it must differ from the upstreams' names. Default "balanced pool". */
  readonly name?: string | undefined
  /** Default `"powerOfTwoChoices"`. */
  readonly strategy?: Strategy | undefined
  /** When upstreams are ejected; `false`: never. */
  readonly outlierEjection?: OutlierEjection | false | undefined
  /**
   * The verdict on an upstream at the end of a lease. By default a lease that succeeds is a success, and one that fails
   * with its connection broken is a failure; what a caller's own effect fails or dies with is ignored, since only the
   * caller knows whose fault it is, and so are interruptions. Failures to connect always count, once for all callers
   * that meet the same one; whatever else a pool refuses never does.
   */
  readonly classify?: Classify | undefined
  /**
   * When less than this share of the upstreams is available, from 0 to 1, ejection is ignored: failing leases everywhere
   * say more about the program or the network than about one upstream, and the few that are left would be overrun.
   * Default 0.5. Together with the default of `maxEjectedShare` that happens only if upstreams are out for other reasons
   * as well. At 0 ejected upstreams are used only when no other is left. Too small: the last that are well are overrun. Too
   * large: upstreams that fail are asked although others would do.
   */
  readonly panicThreshold?: number | undefined
  /**
   * How long an upstream that comes back takes to get its full share; it begins with a tenth. Default 30 s; 0 gives it
   * all at once. Too short: it meets the load with cold caches. Too long: the others carry its share.
   */
  readonly slowStart?: Duration.Input | undefined
  /**
   * How long a caller waits at one upstream before it goes to another where a connection is free; if none is, one is
   * opened elsewhere meanwhile. A caller whose upstream fails to connect does not wait for that. Default 250 ms, or a
   * tenth of `acquireTimeout` if that is shorter. Too short: dials of ordinary length are doubled. Too long: callers
   * wait for an upstream that does not answer.
   */
  readonly hedgeAfter?: Duration.Input | undefined
}

/**
 * One upstream at one moment. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamInfo {
  /** The name of its pool. */
  readonly name: string
  readonly weight: number
  /** The weight it is chosen by just now: less than its own while it is warming, 0 while it is not chosen. */
  readonly effectiveWeight: number
  /**
   * - `in`: it gets its full share
   * - `warming`: it came back a moment ago and gets less
   * - `ejected`: its leases failed too often
   * - `unavailable`: its pool is paused, draining or closed, or can't connect, or its dials are not answered
   */
  readonly state: "in" | "warming" | "ejected" | "unavailable"
  /** Leases that wait there or have not ended. */
  readonly inFlight: number
  /** Ejections so far. */
  readonly ejections: number
  /** Why it is ejected, if it is. */
  readonly ejectedBecause: EjectReason | undefined
  /** How long it has been ejected; 0 unless it is. */
  readonly ejectedFor: number
  /** How long until it returns from its ejection; 0 unless it is ejected. */
  readonly returnsIn: number
  readonly stats: PoolStats
}

/**
 * Several pools that are used as one.
 *
 * The members of every pool, which show and do everything for all upstreams:
 *
 * - `config`: connections, `pendingLimit` and `connectRate` add up, of other numbers the largest is shown, and of what is
 *   no number the first upstream's
 * - a lease waits no longer than the `acquireTimeout` shown there, however many upstreams it tries, nor at any of them
 *   longer than that one's own
 * - `stats`: numbers and counts add up. Means are exact; a percentile is the largest of the upstreams', which the true one
 *   never exceeds. A lease that went on to another upstream is counted at both. `state` is the best of all, and
 * `breaker`
 *   is open when every breaker is
 * - `connections`: the ids are unique over all upstreams and good for `retire`; the tag `upstream` tells whose they are
 * - `health`: unhealthy when no upstream is available, degraded when one is out or not well
 * - `events` and `eventsWith`: those of all upstreams, each with its upstream's name, and its own `UpstreamEjected` and
 *   `UpstreamReturned`
 * - `invalidate` finds the upstream that lent the connection
 * - `warmUp(count)` and `setLimit` split the number by weight. Of a limit each upstream gets at least one. They fail only
 *   if no upstream could do it
 * - `pause`, `resume`, `retireAll` and `drain` go to all, side by side
 *
 * @category models
 * @since 0.1.0
 */
export interface BalancedPool<in out Lent> extends ConnectionPool<Lent>, BalancedMembers<Lent> {}

/**
 * The members of a balanced pool, and of its class, beyond those of every pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface BalancedMembers<in out Lent, out Env = never> {
  /**
   * How each upstream is, in the order in which they were given; empty where a class finds another pool, such as a fake
   * in a test.
   */
  readonly upstreams: Effect.Effect<ReadonlyArray<UpstreamInfo>, never, Env>
  /**
   * Adds an upstream until the scope closes, with little load at first. When it leaves, callers that wait there go on
   * to the others and leases that have begun end there; its pool stays its maker's. So a pool that is made in the same
   * scope is drained when it has left.
   *
   * Fails with `InvalidOption` for a name that is taken, a bad weight, and more than 1000 upstreams. Where a class
   * finds another pool it does nothing.
   */
  readonly join: (upstream: Upstream<Lent>) => Effect.Effect<void, PoolError, Scope.Scope | Env>
  /**
   * Gives an upstream another weight from the next lease on, 0 for none. When none has a weight, callers are refused
   * with `PoolPaused`. Fails with `InvalidOption` if there is no upstream of that name, and for a bad weight. Where a
   * class finds another pool it does nothing.
   */
  readonly setWeight: (upstream: string, weight: number) => Effect.Effect<void, PoolError, Env>
}
