/**
 * The options of a pool: their meaning, defaults and rules.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { common, limits } from "./internal/options/poolDefaults.ts"
import { check } from "./internal/options/poolOptionsSchema.ts"
import { millisOf } from "./OptionRules.ts"
import { InvalidOption, PoolError } from "./PoolError.ts"

/**
 * The kinds of pool. The kind chooses the defaults and the first word of the metrics' names.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolKind = "db" | "redis" | "http" | "websocket" | "service"

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
   * The most connections ever open, those being opened and closed included, at least 1. Default by kind. Too small:
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
   * How long a validation may take, at most `acquireTimeout`. Default 1 s. Too short: slow networks look dead. Too long:
   * a caller loses its time on a dead connection.
   */
  readonly validateTimeout?: Duration.Input | undefined
  /**
   * How long a reset after a lease may take. Default 1 s. Too short: connections are retired that were fine. Too long: a
   * connection that hangs keeps its place.
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
   * A connection idle for so long is retired; one that `minConnections` needs is replaced first. Default by kind. It
   * must not exceed `maxLifetime`. Too short: connections come and go with every lull. Too long: a firewall forgets the
   * connection before the pool does.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * A connection older than this is replaced, a lent one when it comes back. Default by kind. Too short: dials for
   * nothing. Too long: changes of address, load balance and credentials are followed late.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * Each connection's lifetime is shortened by a random share of up to this, 0 to 1. Default 0.1. At 0 connections
   * opened together end together.
   */
  readonly maxLifetimeJitter?: number | undefined
  /** A connection is retired after so many leases, at least 1. By default leases are not limited. */
  readonly maxUses?: number | undefined
  /**
   * A connection proven within this time is lent without validation. Default 1 s; 0 validates before every lease. Too
   * long: a connection that died meanwhile is lent.
   */
  readonly freshnessWindow?: Duration.Input | undefined
  /**
   * How many callers may wait beyond those for whom a connection is already being opened. Default 1000; 0 lets nobody
   * wait for another's connection. Too large: callers queue up that will time out anyway.
   */
  readonly pendingLimit?: number | undefined
  /**
   * Dials per second at most. Default 50. Too small: a cold pool fills slowly. Too large: a server that comes back is
   * stormed.
   */
  readonly connectRate?: number | undefined
  /**
   * The delays between attempts to connect, shared by all waiters. Default: 3 attempts, 1 s exponential with jitter.
   * When it ends, callers that wait while no connection is open fail with `ConnectFailed`, and it begins anew. A delay
   * of more than an hour is cut to an hour, so that a pool is never left without attempts.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  /** The breaker around dials. */
  readonly breaker?: {
    /** Opens when this share of the last dials failed, above 0 and at most 1. Default 0.5. */
    readonly failureRate?: number | undefined
    /** ... of at least this many. Default 10. */
    readonly minimumDials?: number | undefined
    /** How long it stays open before one dial may try. Default 5 s. */
    readonly openDuration?: Duration.Input | undefined
  } | undefined
  /** How often idle connections are probed: a duration or a schedule. Default by kind. */
  readonly healthCheck?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /** A lease held longer raises a warning. Default 1 min. It must be less than `reclaimTimeout`. */
  readonly leakTimeout?: Duration.Input | undefined
  /**
   * A lease held longer loses its connection, which is closed under it. Where callers share a connection, nobody more
   * joins it, and it is closed when all who still have it have held it longer. Off by default. Too short: honest long
   * work is cut off.
   */
  readonly reclaimTimeout?: Duration.Input | undefined
  /** A caller that got its connection later raises a warning. Default 1 s. It must be less than `acquireTimeout`. */
  readonly slowAcquireTimeout?: Duration.Input | undefined
  /**
   * `"failFast"` (default): the layer is ready when `minConnections` are open and fails if that takes longer than
   * `startupTimeout`. `"lazy"`: the layer is ready at once and connections are opened beside.
   */
  readonly startup?: "failFast" | "lazy" | undefined
  /** Default 10 s. Without effect, and so refused, when `startup` is `"lazy"` or `minConnections` is 0. */
  readonly startupTimeout?: Duration.Input | undefined
  /** How many events a slow reader may lag behind before it loses the oldest, at least 1. Default 1024. */
  readonly eventBuffer?: number | undefined
  /** Whether the pool publishes metrics. Default true. */
  readonly metrics?: boolean | undefined
}

/**
 * The options of a pool, checked and complete. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolConfig {
  readonly kind: PoolKind
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
  readonly metrics: boolean
}

/**
 * What every option is by default, for each kind of pool. Durations are in milliseconds.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaults: Readonly<Record<PoolKind, Omit<PoolConfig, "kind" | "name">>> = Object.freeze({
  db: Object.freeze({ ...common, ...limits.db }),
  redis: Object.freeze({ ...common, ...limits.redis }),
  http: Object.freeze({ ...common, ...limits.http }),
  websocket: Object.freeze({ ...common, ...limits.websocket }),
  service: Object.freeze({ ...common, ...limits.service })
})

/**
 * Options for common situations, to be spread before one's own: `{ ...presets.production, maxConnections: 30 }`.
 *
 * - `development`: few connections, quick to fail
 * - `production`: balanced
 * - `highThroughput`: many connections, given up as soon as they idle
 * - `lowLatency`: connections kept warm, short waits
 * - `serverless`: nothing kept open between calls
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<
  Record<"development" | "production" | "highThroughput" | "lowLatency" | "serverless", PoolOptions>
> = Object.freeze({
  development: Object.freeze({
    minConnections: 2,
    maxConnections: 10,
    idleTimeout: "1 minute",
    connectTimeout: "5 seconds",
    acquireTimeout: "10 seconds"
  }),
  production: Object.freeze({
    minConnections: 10,
    maxConnections: 50,
    idleTimeout: "30 seconds",
    connectTimeout: "10 seconds",
    acquireTimeout: "30 seconds"
  }),
  highThroughput: Object.freeze({
    minConnections: 20,
    maxConnections: 100,
    idleTimeout: "10 seconds",
    connectTimeout: "5 seconds",
    acquireTimeout: "15 seconds"
  }),
  lowLatency: Object.freeze({
    minConnections: 20,
    maxConnections: 50,
    idleTimeout: "1 minute",
    connectTimeout: "3 seconds",
    acquireTimeout: "5 seconds"
  }),
  serverless: Object.freeze({
    minConnections: 0,
    maxConnections: 10,
    idleTimeout: "5 seconds",
    connectTimeout: "10 seconds",
    acquireTimeout: "20 seconds"
  })
})

/**
 * Checks the options of a pool and completes them with the defaults of its kind.
 *
 * Fails with the reason `InvalidOption`, which names the option and the rule it breaks. The options are copied: changing
 * the object afterwards has no effect. `name` is used where the options have none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (kind: PoolKind, name: string, options: PoolOptions): Effect.Effect<PoolConfig, PoolError> =>
  Effect.suspend(() => {
    // The second check is for the name alone, which comes from elsewhere if the options have none.
    const checked = Result.flatMap(check(options), (given) => check({ ...given, name: given.name ?? name }))
    return Result.isSuccess(checked)
      ? Effect.succeed(complete(kind, name, checked.success))
      : Effect.fail(new PoolError({ pool: name, reason: new InvalidOption(checked.failure) }))
  })

const complete = (kind: PoolKind, name: string, given: PoolOptions): PoolConfig => {
  const base = defaults[kind]
  const breaker = given.breaker ?? {}
  return Object.freeze({
    kind,
    name: given.name ?? name,
    ...connections(base, given),
    ...ages(base, given),
    ...waits(base, given),
    connectTimeout: millisOf(given.connectTimeout) ?? base.connectTimeout,
    resetTimeout: millisOf(given.resetTimeout) ?? base.resetTimeout,
    closeTimeout: millisOf(given.closeTimeout) ?? base.closeTimeout,
    drainTimeout: millisOf(given.drainTimeout) ?? base.drainTimeout,
    maxLifetimeJitter: given.maxLifetimeJitter ?? base.maxLifetimeJitter,
    maxUses: given.maxUses ?? base.maxUses,
    freshnessWindow: millisOf(given.freshnessWindow) ?? base.freshnessWindow,
    pendingLimit: given.pendingLimit ?? base.pendingLimit,
    connectRate: given.connectRate ?? base.connectRate,
    retry: given.retry ?? base.retry,
    breaker: Object.freeze({
      failureRate: breaker.failureRate ?? base.breaker.failureRate,
      minimumDials: breaker.minimumDials ?? base.breaker.minimumDials,
      openDuration: millisOf(breaker.openDuration) ?? base.breaker.openDuration
    }),
    healthCheck: given.healthCheck === undefined ? base.healthCheck : scheduleOf(given.healthCheck),
    startup: given.startup ?? base.startup,
    startupTimeout: millisOf(given.startupTimeout) ?? base.startupTimeout,
    eventBuffer: given.eventBuffer ?? base.eventBuffer,
    metrics: given.metrics ?? base.metrics
  })
}

type Defaults = (typeof defaults)[PoolKind]

// In these three a default gives way to an option that was given, so that `maxConnections: 1` needs no second option.

const connections = (base: Defaults, given: PoolOptions): Pick<PoolConfig, "minConnections" | "maxConnections"> => {
  const maxConnections = given.maxConnections ?? Math.max(base.maxConnections, given.minConnections ?? 0)
  return { minConnections: given.minConnections ?? Math.min(base.minConnections, maxConnections), maxConnections }
}

const ages = (base: Defaults, given: PoolOptions): Pick<PoolConfig, "idleTimeout" | "maxLifetime"> => {
  const maxLifetime = millisOf(given.maxLifetime) ?? Math.max(base.maxLifetime, millisOf(given.idleTimeout) ?? 0)
  return { idleTimeout: millisOf(given.idleTimeout) ?? Math.min(base.idleTimeout, maxLifetime), maxLifetime }
}

const waits = (
  base: Defaults,
  given: PoolOptions
): Pick<
  PoolConfig,
  "acquireTimeout" | "validateTimeout" | "slowAcquireTimeout" | "leakTimeout" | "reclaimTimeout"
> => {
  const acquireTimeout = millisOf(given.acquireTimeout) ?? base.acquireTimeout
  const reclaimTimeout = millisOf(given.reclaimTimeout) ?? base.reclaimTimeout
  return {
    acquireTimeout,
    validateTimeout: millisOf(given.validateTimeout) ?? Math.min(base.validateTimeout, acquireTimeout),
    slowAcquireTimeout: millisOf(given.slowAcquireTimeout) ?? below(base.slowAcquireTimeout, acquireTimeout),
    leakTimeout: millisOf(given.leakTimeout) ?? below(base.leakTimeout, reclaimTimeout),
    reclaimTimeout
  }
}

const below = (fallback: number, limit: number): number => fallback < limit ? fallback : limit / 2

const scheduleOf = (healthCheck: Duration.Input | Schedule.Schedule<unknown>): Schedule.Schedule<unknown> =>
  Schedule.isSchedule(healthCheck) ? healthCheck : Schedule.spaced(healthCheck)

const variable = (name: string, schema: Schema.Codec<number>): Config.Config<number | undefined> =>
  Config.schema(schema, name).pipe(Config.withDefault(undefined))

const AtLeast0 = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const AtLeast1 = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * Reads options from the environment: `POOL_MIN_CONNECTIONS`, `POOL_MAX_CONNECTIONS`, `POOL_IDLE_TIMEOUT_MS`,
 * `POOL_CONNECTION_TIMEOUT_MS` (which is `connectTimeout`), `POOL_ACQUIRE_TIMEOUT_MS`,
 * `POOL_HEALTH_CHECK_INTERVAL_MS` and `POOL_ENABLE_METRICS`.
 *
 * What is absent is left out, so that the result can be spread over a preset; what is invalid fails, naming the variable.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<PoolOptions> = Config.all({
  minConnections: variable("POOL_MIN_CONNECTIONS", AtLeast0),
  maxConnections: variable("POOL_MAX_CONNECTIONS", AtLeast1),
  idleTimeout: variable("POOL_IDLE_TIMEOUT_MS", Positive),
  connectTimeout: variable("POOL_CONNECTION_TIMEOUT_MS", Positive),
  acquireTimeout: variable("POOL_ACQUIRE_TIMEOUT_MS", Positive),
  healthCheck: variable("POOL_HEALTH_CHECK_INTERVAL_MS", Positive),
  metrics: Config.Boolean("POOL_ENABLE_METRICS").pipe(Config.withDefault(undefined))
}).pipe(
  // A key that is `undefined` would undo what the result is spread over.
  Config.map((read): PoolOptions => Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined)))
)
