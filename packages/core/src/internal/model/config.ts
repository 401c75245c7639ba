/**
 * The options of a pool as a user gives them, and the whole configuration that comes of them.
 */
import type * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"
import type { SizingConfig, SizingOptions } from "./sizing.ts"
import type { TrafficConfig, TrafficRules } from "./traffic.ts"
import type { PoolThresholdOptions, PoolThresholds } from "./thresholds.ts"

/**
 * The options of every pool. Durations are `Duration.Input`: `"30 seconds"`, `500` (milliseconds), ...
 *
 * Nothing is unlimited: a duration must be finite and, but for `freshnessWindow`, greater than 0. An unknown option is
 * refused, so that a misspelt one can't be silently without effect; so is one that contradicts another. A default never
 * contradicts an option that was given: it gives way.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolOptions {
  /** The pool's name in metrics, events and pages, 200 characters at most. By default the id of the service class. */
  readonly name?: string | undefined
  /**
   * Connections kept open whatever the load, at least 0 and at most `maxConnections`. Default by kind. Too small: the
   * first callers after a quiet time wait for a dial. Too large: the server keeps sessions nobody uses.
   */
  readonly minConnections?: number | undefined
  /**
   * The most connections ever open, those being opened and closed included, at least 1. Default by kind. A burst on a
   * cold pool dials once for each caller that waits, up to this and as fast as `connectRate` allows, since nobody knows
   * how long the first will keep theirs; a dial whose turn comes when nobody wants it any more is not made. Too small:
   * callers queue. Too large: the server slows down or refuses; count the other instances of the program too.
   */
  readonly maxConnections?: number | undefined
  /**
   * How long a caller waits for a connection. Default 30 s. Too short: callers fail in a burst that the pool would have
   * served. Too long: callers hang in an outage.
   */
  readonly acquireTimeout?: Duration.Input | undefined
  /**
   * How long one dial may take in all, look-up and login included. Default 10 s. It may exceed `acquireTimeout`: a dial
   * belongs to the pool and serves whoever waits when it is done. Too short: a slow server is never reached. Too long:
   * dials to a host that swallows packets hold places of the pool.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * How long a validation may take, at most `acquireTimeout`. Default 1 s. Too short: slow networks look dead. Too
   * long: a caller loses its time on a dead connection.
   */
  readonly validateTimeout?: Duration.Input | undefined
  /**
   * How long a reset after a lease may take. Default 1 s. Too short: connections are retired that were fine. Too long:
   * a connection that hangs keeps its place.
   */
  readonly resetTimeout?: Duration.Input | undefined
  /**
   * How long a close may take before the pool gives it up and frees its place. Default 5 s. Too short: sockets are torn
   * down without a farewell and the server keeps its session for a while. Too long: closes that hang hold places.
   */
  readonly closeTimeout?: Duration.Input | undefined
  /**
   * How long a drain waits for waiters and borrowers. Default 10 s. Too short: work is cut off. Too long: whoever stops
   * the process kills it first.
   */
  readonly drainTimeout?: Duration.Input | undefined
  /**
   * A connection beyond `minConnections` that is idle for so long is retired; those that the minimum needs are kept,
   * proven by the health check and renewed at `maxLifetime`. Default by kind. It must not exceed `maxLifetime`. Too
   * short: connections come and go with every lull. Too long: the server keeps sessions that only a burst needed.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * A connection older than this is replaced, a lent one when it comes back. Default by kind. Where there is room the
   * replacement is open first, so none grows older than this and one dial. Where `minConnections` is all there may be,
   * they are replaced one after the other: of so many that end together the last is older by as many dials. Too short:
   * dials for nothing. Too long: changes of address, load balance and credentials are followed late.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * Each connection's lifetime is shortened by a random share of up to this, 0 to 1. Default 0.1. Too small:
   * connections opened together end together. Too large: many end long before `maxLifetime`.
   */
  readonly maxLifetimeJitter?: number | undefined
  /**
   * A connection is retired after so many leases, at least 1. By default leases are not limited. Too small: dials for
   * nothing.
   */
  readonly maxUses?: number | undefined
  /**
   * A connection proven within this time is lent without validation. Default 1 s. 0 validates before every lease. Too
   * short: callers wait for validations. Too long: a connection that died meanwhile is lent.
   */
  readonly freshnessWindow?: Duration.Input | undefined
  /**
   * How many callers may wait beyond those for whom a connection is already being opened. Default 1000. 0 lets nobody
   * wait for another's connection. Too small: a burst is refused that would have been served. Too large: callers queue
   * up that will time out anyway.
   */
  readonly pendingLimit?: number | undefined
  /**
   * Dials per second at most, whatever they are for; so many may also be made at once. Default: 2.5 for each of
   * `maxConnections`, but at least 50 and at most 200. Too small: a cold pool fills slowly, and connections that are
   * used up (`maxUses`) or break are not replaced as fast as they go. Too large: a server that comes back is stormed.
   */
  readonly connectRate?: number | undefined
  /**
   * The delays between attempts to connect, shared by all waiters. Default: 3 attempts, 1 s exponential with jitter.
   * When it ends, callers that wait while no connection is open fail with `ConnectFailed`, and it begins anew. A delay
   * of more than an hour is cut to an hour, so that a pool is never left without attempts.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  /** The breaker around dials: while it is open, callers that would need a dial fail at once. */
  readonly breaker?: {
    /**
     * Opens when this share of the last dials failed, above 0 and at most 1. Default 0.5. Too small: single failures
     * stop all dials. Too large: a backend that is down is dialled on and on.
     */
    readonly failureRate?: number | undefined
    /**
     * How many dials it judges by, at least 1. Default 10. Too small: it opens on a few failures that say nothing. Too
     * large: it opens late.
     */
    readonly minimumDials?: number | undefined
    /**
     * How long it stays open before one dial may try. Default 5 s. Too short: a backend that is down is dialled often.
     * Too long: callers are refused although the backend is back.
     */
    readonly openDuration?: Duration.Input | undefined
  } | undefined
  /**
   * How often idle connections are probed, every one of them: a duration or a schedule. Default by kind. A caller that
   * comes while the only idle one is probed waits for its answer, or for a new connection if there is room for one. Its
   * timer keeps a Node.js process alive, as the sockets do, unless `unref` says otherwise: a pool ends with its scope,
   * and a program by closing it. Too short: probes for nothing. Too long: a backend that hangs is noticed by the next
   * caller.
   */
  readonly healthCheck?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /**
   * A lease held longer raises a warning. Default 1 min. It must be less than `reclaimTimeout`. Too short: honest long
   * work raises warnings; mark it `isLongLived`. Too long: a leak is noticed when the pool is empty.
   */
  readonly leakTimeout?: Duration.Input | undefined
  /**
   * A lease held longer loses its connection, which is closed under it. Off by default. Where callers share a
   * connection, nobody more joins it, and it is closed when all who still have it have held it longer. Too short:
   * honest long work is cut off. Too long: a leak keeps its connection for as long.
   */
  readonly reclaimTimeout?: Duration.Input | undefined
  /**
   * A caller that got its connection later raises a warning. Default 1 s. It must be less than `acquireTimeout`. Too
   * short: every burst raises warnings. Too long: callers feel it first.
   */
  readonly slowAcquireTimeout?: Duration.Input | undefined
  /**
   * `"failFast"`: the layer is ready when `minConnections` are open and fails if that takes longer than
   * `startupTimeout`. `"lazy"`: the layer is ready at once and connections are opened beside. Default `"failFast"`.
   */
  readonly startup?: "failFast" | "lazy" | undefined
  /**
   * How long `minConnections` may take to open before the layer fails. Default 10 s. Without effect, and so refused,
   * when `startup` is `"lazy"` or `minConnections` is 0. Too short: a start fails that would have succeeded. Too long:
   * a start in an outage hangs.
   */
  readonly startupTimeout?: Duration.Input | undefined
  /**
   * How many events a slow reader may lag behind before it loses the oldest, at least 1. Default 1024. Too small:
   * readers miss events. Too large: each slow reader keeps as many in memory.
   */
  readonly eventBuffer?: number | undefined
  /**
   * Whether a Node.js process may end while the pool is idle: its timers and sockets then keep it alive only while a
   * connection is lent, opened, checked or closed, or a caller waits. A process that ends so does not drain the pool,
   * and whatever else watches it keeps the process alive: a manager's routes, a `PostgresCluster`. Default false.
   */
  readonly unref?: boolean | undefined
  /** Whether the pool publishes metrics. Default true. */
  readonly metrics?: boolean | undefined
  /**
   * The rules by which callers that wait are served or, when they wait too long, refused. By default priorities and
   * keys that callers tell with `Traffic` order the queue, nobody is refused for them, and callers that tell nothing
   * are served first come, first served.
   */
  readonly traffic?: TrafficRules | undefined
  /**
   * The search for the number of connections that help: while callers wait and nearly all connections are lent, the
   * pool changes its live limit by a tenth, and keeps the change only if that pays in leases a second. Off by default.
   */
  readonly sizing?: SizingOptions | undefined
  /**
   * From which numbers on the pool is not well: `"calm"`, `"strict"` or numbers of your own, see `PoolThresholds`.
   * `health` warns by them, and a manager raises its alerts. Default `"calm"`.
   */
  readonly thresholds?: PoolThresholdOptions | undefined
}

/**
 * The options of a pool, checked and complete. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolConfig {
  /** The name of the pool's kind. */
  readonly kind: string
  /** Whether the kind is one of databases. */
  readonly isDatabase: boolean
  readonly name: string
  readonly minConnections: number
  readonly maxConnections: number
  readonly acquireTimeout: number
  readonly connectTimeout: number
  readonly validateTimeout: number
  readonly resetTimeout: number
  readonly closeTimeout: number
  readonly drainTimeout: number
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly maxLifetimeJitter: number
  /** `Infinity` without a limit. */
  readonly maxUses: number
  readonly freshnessWindow: number
  readonly pendingLimit: number
  readonly connectRate: number
  readonly retry: Schedule.Schedule<unknown, unknown>
  readonly breaker: { readonly failureRate: number; readonly minimumDials: number; readonly openDuration: number }
  readonly healthCheck: Schedule.Schedule<unknown>
  readonly leakTimeout: number
  /** `Infinity` when off. */
  readonly reclaimTimeout: number
  readonly slowAcquireTimeout: number
  readonly startup: "failFast" | "lazy"
  readonly startupTimeout: number
  readonly eventBuffer: number
  readonly unref: boolean
  readonly metrics: boolean
  readonly traffic: TrafficConfig
  readonly sizing: SizingConfig
  /** `undefined` where none were given: as `"calm"`, unless a manager of the pool says otherwise. */
  readonly thresholds: PoolThresholds | undefined
}

/**
 * One option of a pool, as pages and tools show it. The texts are whole sentences, those of `tooSmall` and `tooLarge`
 * without their beginning.
 *
 * @category models
 * @since 0.1.0
 */
export interface OptionInfo {
  /** Its name, or its path, such as `breaker.failureRate`. */
  readonly name: string
  /** Completes the sentence "must be ...". */
  readonly expects: string
  /** The unit of its number; `"duration"` where any `Duration.Input` will do. */
  readonly unit: string | undefined
  /** The default of the kind in a few characters, such as `30 s`; `undefined` where `defaults` tells it. */
  readonly default: string | undefined
  /** Whether the kinds of pool differ in the default. */
  readonly isByKind: boolean
  readonly does: string
  /** The sentence that tells the default where its value alone does not. */
  readonly defaults: string | undefined
  readonly note: string | undefined
  readonly tooSmall: string | undefined
  readonly tooLarge: string | undefined
}
