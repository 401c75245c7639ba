/**
 * A managed pool of connections.
 *
 * A lease, from the caller to the connection and back:
 *
 * 1. **admit**: may this caller queue? If not it fails in microseconds (`internal/admit.ts`)
 * 2. **check out**: an idle connection, a new one, or a wait in turn (`checkOut.ts`, `wait.ts`, `dispatch.ts`)
 * 3. **validate**: unless it proved itself a moment ago (`validate.ts`)
 * 4. **lend**: run the caller's effect with it (`checkOut.ts`)
 * 5. **check in**: back to idle or to the next in line, made clean if need be, or retired (`checkIn.ts`, `retire.ts`)
 * 6. **record**: counts on the way, events for who listens (`counts.ts`, `events.ts`)
 *
 * Beside that path run the dials (`open.ts`, `dialer.ts`), `housekeeping.ts`, `healthCheck.ts` and at the end
 * `drain.ts`. All share one record of state (`state.ts`).
 *
 * **Example**
 *
 * ```ts
 * import { ConnectionPool, type Connector } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * declare const connector: Connector.Connector<{ readonly ping: Effect.Effect<void> }>
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ConnectionPool.make(connector, { name: "backend", maxConnections: 8 })
 *   yield* pool.withConnection((connection) => connection.ping)
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Connector } from "./Connector.ts"
import { checkIn } from "./internal/lease/checkIn.ts"
import * as control from "./internal/control.ts"
import { checkHealth } from "./internal/trust/healthCheck.ts"
import { keepHouse } from "./internal/end/housekeeping.ts"
import { connections, numbers, stats, vitals } from "./internal/watch/inspect.ts"
import { DrainWithin as drainWithin } from "./internal/end/drainWithin.ts"
import { PoolLease } from "./internal/lease/poolLease.ts"
import { makeDrain, makeState } from "./internal/make.ts"
import type { PoolState } from "./internal/places/state.ts"
import { startUp, warmUp } from "./internal/dial/warmUp.ts"
import { WithLease } from "./internal/lease/withLease.ts"
import * as OptionRules from "./OptionRules.ts"
import * as PoolConfig from "./PoolConfig.ts"
import { type Holder, PoolError } from "./PoolError.ts"
import type { PoolEvent } from "./PoolEvent.ts"
import * as PoolHealth from "./PoolHealth.ts"
import * as PoolMetrics from "./PoolMetrics.ts"
import type { PoolStats } from "./PoolStats.ts"

/**
 * What a borrower may say about one lease.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseOptions {
  /** Names the lease in warnings, errors, events and `connections`. By default the name of the current span. */
  readonly label?: string | undefined
  /**
   * Whether the lease is meant to be held for long, such as a listener's: `leakTimeout` and `reclaimTimeout` are not for
   * it. Default false.
   */
  readonly isLongLived?: boolean | undefined
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
}

/**
 * What a connection is doing.
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
  readonly state: ConnectionState
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
  /** What the connector says of it, such as the process id of the backend. */
  readonly tags: Readonly<Record<string, string>>
  /** What it runs, cut to 100 characters. */
  readonly activity: string | undefined
}

/**
 * What a drain did. Durations are in milliseconds.
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

/**
 * How long drains that are asked for under it may take from now on, whatever the pools' own limits say: for who has
 * a deadline for more than one pool. When that time is up a drain waits for no borrower any more and for closes a quarter
 * of a second at most. It holds for a drain that runs already, too; a drain that is done sooner does not wait.
 *
 * ```ts
 * import { ConnectionPool } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * declare const pool: ConnectionPool.ConnectionPool<object>
 *
 * const drained = pool.drain.pipe(Effect.provideService(ConnectionPool.DrainWithin, "2 seconds"))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const DrainWithin: Context.Reference<Duration.Input | undefined> = drainWithin

/**
 * A managed pool of connections. `Lent` is what a borrower gets.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionPool<in out Lent> {
  readonly name: string
  readonly config: PoolConfig.PoolConfig
  /**
   * Runs an effect with a connection, and takes the connection back however the effect ends.
   *
   * The connection is back in the pool, or on its way to be closed, before the returned effect completes: on success,
   * failure, defect and interruption.
   */
  readonly withConnection: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R>
  /**
   * Like `withConnection`, but other callers may use the same connection at the same time, as far as the connector
   * allows it; where it does not, the lease is exclusive. For single requests that leave nothing behind.
   *
   * Whether an idle connection is taken first or the busiest is joined is the connector's to say (`joins`).
   */
  readonly withShared: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R>
  /** A connection until the scope closes. */
  readonly acquire: Effect.Effect<Lent, PoolError, Scope.Scope>
  /** `acquire`, with something to say about the lease. */
  readonly acquireWith: (options?: LeaseOptions) => Effect.Effect<Lent, PoolError, Scope.Scope>
  /** Marks a connection one holds as not to be lent again. It is retired when it comes back. */
  readonly invalidate: (connection: Lent) => Effect.Effect<void>
  /** Retires one connection by its id: an idle one now, a lent one when it comes back. `false` if there is none. */
  readonly retire: (id: number) => Effect.Effect<boolean>
  /**
   * Replaces every connection opened so far: idle ones are retired now, lent ones when they come back, and
   * replacements are opened at once. A pool that drains replaces none.
   */
  readonly retireAll: Effect.Effect<void>
  readonly stats: Effect.Effect<PoolStats>
  readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>>
  readonly health: Effect.Effect<PoolHealth.PoolHealth>
  /**
   * What happens from the moment the stream is run. A reader too slow for `eventBuffer` loses the oldest events.
   *
   * While it runs, each lease makes two events, which costs some microseconds. Who needs no `Acquired` and `Released`
   * saves that by `eventsWith`.
   */
  readonly events: Stream.Stream<PoolEvent>
  /** `events`, but only those asked for. */
  readonly eventsWith: (options?: EventOptions) => Stream.Stream<PoolEvent>
  /**
   * Opens connections until `count` are open (by default `minConnections`, never more than the limit), and tells how
   * many are. Fails with `ConnectFailed` or `BreakerOpen` when they can't be opened, and with `PoolClosed` when the pool
   * drains or is closed.
   */
  readonly warmUp: (count?: number) => Effect.Effect<number, PoolError>
  /**
   * Refuses newcomers with `PoolPaused` and lends nothing until `resume`. Leases and waiters stay as they are. A pool that
   * drains or is closed refuses newcomers already: there it does nothing.
   */
  readonly pause: Effect.Effect<void>
  /**
   * Ends a pause. It does nothing to a pool that is not paused, and so never reopens one that drains or is closed: `stats`
   * tells its `state`. Neither it nor `pause` fails, so that they can begin and end a piece of work.
   */
  readonly resume: Effect.Effect<void>
  /**
   * The live limit of connections, from 1 to `maxConnections`. Lowering it retires idle ones now, lent ones later. Fails
   * with `PoolClosed` when the pool drains or is closed.
   */
  readonly setLimit: (limit: number) => Effect.Effect<void, PoolError>
  /**
   * Ends the pool in bounded time: refuses newcomers, serves the queue and waits for borrowers until `drainTimeout`,
   * then closes what is left under its borrower. A second call awaits the first. An interruption of the caller does
   * not stop it.
   */
  readonly drain: Effect.Effect<DrainReport>
}

/**
 * The service classes that pool packages make: `class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/Db") {}`.
 *
 * Every member is the pool's own, asked for by the class.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolClass<in out Self, in out Id extends string, in out Lent>
  extends Context.ServiceClass<Self, Id, ConnectionPool<Lent>>
{
  readonly withConnection: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R | Self>
  readonly withShared: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R | Self>
  readonly acquire: Effect.Effect<Lent, PoolError, Scope.Scope | Self>
  readonly acquireWith: (options?: LeaseOptions) => Effect.Effect<Lent, PoolError, Scope.Scope | Self>
  readonly invalidate: (connection: Lent) => Effect.Effect<void, never, Self>
  readonly retireAll: Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<PoolStats, never, Self>
  readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>, never, Self>
  readonly health: Effect.Effect<PoolHealth.PoolHealth, never, Self>
  readonly events: Stream.Stream<PoolEvent, never, Self>
  readonly eventsWith: (options?: EventOptions) => Stream.Stream<PoolEvent, never, Self>
  readonly warmUp: (count?: number) => Effect.Effect<number, PoolError, Self>
  readonly pause: Effect.Effect<void, never, Self>
  readonly resume: Effect.Effect<void, never, Self>
  readonly setLimit: (limit: number) => Effect.Effect<void, PoolError, Self>
  readonly drain: Effect.Effect<DrainReport, never, Self>
}

/**
 * The options of `make`: those of every pool, and the kind that chooses their defaults, `"service"` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export type MakeOptions = PoolConfig.PoolOptions & { readonly kind?: PoolConfig.PoolKind | undefined }

/**
 * What `Service` makes: a service class with layers over any connector.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectorPoolClass<in out Self, in out Id extends string, in out Lent>
  extends PoolClass<Self, Id, Lent>
{
  /** The layer of the pool. Its name is the class's id unless the options give one. */
  readonly layer: <Connection>(
    connector: Connector<Connection, Lent>,
    options?: MakeOptions
  ) => Layer.Layer<Self, PoolError>
  /** The same with options read from `Config`. */
  readonly layerConfig: <Connection>(
    connector: Connector<Connection, Lent>,
    options: Config.Wrap<MakeOptions>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
}

/**
 * Makes a pool that lives until the scope closes, when it is drained without serving its queue.
 *
 * Fails with `PoolError`: `InvalidOption` for a bad option, or a bad `sharers` or `joins` of the connector, and with
 * `startup: "failFast"` (the default) `ConnectFailed`, `BreakerOpen` or `AcquireTimeout` if `minConnections` can't be
 * opened within `startupTimeout`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(
  function*<Connection, Lent = Connection>(
    connector: Connector<Connection, Lent>,
    { kind = "service", ...options }: MakeOptions = {}
  ): Effect.fn.Return<ConnectionPool<Lent>, PoolError, Scope.Scope> {
    const config = yield* PoolConfig.make(kind, options.name ?? "pool", options)
    yield* Result.match(OptionRules.check(sharing, { joins: connector.joins, sharers: connector.sharers }), {
      onFailure: (reason) => Effect.fail(new PoolError({ pool: config.name, reason })),
      onSuccess: Effect.succeed
    })
    const background = Scope.makeUnsafe()
    const state = yield* makeState(config, connector, background)
    const drain = makeDrain(state, background)
    yield* Effect.addFinalizer(() => drain("refuse"))
    if (config.metrics) yield* PoolMetrics.register({ config, numbers: () => numbers(state), histograms: state.counts })
    state.fork(keepHouse(state))
    state.fork(checkHealth(state))
    yield* startUp(state)
    return makePool<Lent>(state, drain("serve"))
  }
)

const sharing: OptionRules.Rules<Pick<Connector<unknown>, "joins" | "sharers">> = {
  joins: OptionRules.oneOf("idle", "busiest"),
  sharers: OptionRules.count(1)
}

const makePool = <Lent>(state: PoolState, drain: Effect.Effect<DrainReport>): ConnectionPool<Lent> => ({
  name: state.config.name,
  config: state.config,
  withConnection: (f, options) => new WithLease(state, f, options, false),
  withShared: (f, options) => new WithLease(state, f, options, (state.connector.sharers ?? 1) > 1),
  acquire: acquireScoped(state, undefined),
  acquireWith: (options) => acquireScoped(state, options),
  invalidate: (connection) => control.invalidate(state, connection),
  retire: (id) => Effect.sync(() => control.retireById(state, id)),
  retireAll: Effect.sync(() => control.retireAll(state)),
  stats: Effect.sync(() => stats(state)),
  connections: Effect.sync(() => connections(state)),
  health: Effect.sync(() => PoolHealth.assess(vitals(state), state.config)),
  events: state.events.stream(),
  eventsWith: (options) => state.events.stream(options),
  warmUp: (count) => warmUp(state, count ?? state.config.minConnections),
  pause: Effect.sync(() => control.pause(state)),
  resume: Effect.sync(() => control.resume(state)),
  setLimit: (limit) => control.setLimit(state, limit),
  drain
})

const acquireScoped = <Lent>(
  state: PoolState,
  options: LeaseOptions | undefined
): Effect.Effect<Lent, PoolError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const lease = new PoolLease(state, { body: Effect.succeed, options, isShared: false }, fiber)
      const scope = Context.getUnsafe(fiber.context, Scope.Scope)
      return Effect.onExitPrimitive(
        restore(lease),
        (exit) =>
          Exit.isSuccess(exit)
            ? Scope.addFinalizerExit(scope, (exit) => checkIn(state, lease, exit) ?? Effect.void)
            : checkIn(state, lease, exit)
      )
    })
  )

/**
 * Makes a service class for a pool over any connector:
 *
 * ```ts
 * import { ConnectionPool, type Connector } from "@effect-pools/core"
 *
 * interface MyConnection {
 *   readonly id: number
 * }
 *
 * declare const connector: Connector.Connector<MyConnection>
 *
 * class Backend extends ConnectionPool.Service<Backend, MyConnection>()("app/Backend") {
 *   static readonly live = this.layer(connector, { maxConnections: 8 })
 * }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self, Lent>() => <const Id extends string>(id: Id): ConnectorPoolClass<Self, Id, Lent> => {
  const service = serviceClass<Self, Lent>()(id)
  const layers: Pick<ConnectorPoolClass<Self, Id, Lent>, "layer" | "layerConfig"> = {
    layer: (connector, options) => Layer.effect(service, make(connector, { ...options, name: options?.name ?? id })),
    layerConfig: (connector, options) =>
      Layer.effect(
        service,
        Effect.flatMap(Config.unwrap(options), (options) => make(connector, { ...options, name: options.name ?? id }))
      )
  }
  return Object.assign(service, layers)
}

/**
 * Makes a service class with a pool's members as statics, to which pool packages add their own layers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serviceClass = <Self, Lent>() => <const Id extends string>(id: Id): PoolClass<Self, Id, Lent> => {
  const tag = Context.Service<Self, ConnectionPool<Lent>>()(id)
  const statics: Omit<PoolClass<Self, Id, Lent>, keyof Context.ServiceClass<Self, Id, ConnectionPool<Lent>>> = {
    withConnection: (f, options) => tag.use((pool) => pool.withConnection(f, options)),
    withShared: (f, options) => tag.use((pool) => pool.withShared(f, options)),
    acquire: tag.use((pool) => pool.acquire),
    acquireWith: (options) => tag.use((pool) => pool.acquireWith(options)),
    invalidate: (connection) => tag.use((pool) => pool.invalidate(connection)),
    retireAll: tag.use((pool) => pool.retireAll),
    stats: tag.use((pool) => pool.stats),
    connections: tag.use((pool) => pool.connections),
    health: tag.use((pool) => pool.health),
    events: Stream.unwrap(tag.useSync((pool) => pool.events)),
    eventsWith: (options) => Stream.unwrap(tag.useSync((pool) => pool.eventsWith(options))),
    warmUp: (count) => tag.use((pool) => pool.warmUp(count)),
    pause: tag.use((pool) => pool.pause),
    resume: tag.use((pool) => pool.resume),
    setLimit: (limit) => tag.use((pool) => pool.setLimit(limit)),
    drain: tag.use((pool) => pool.drain)
  }
  return Object.assign(tag, statics)
}
