/**
 * The members of a pool, and what they give: types alone, which the engine and the public modules share.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { PoolConfig } from "./config.ts"
import type { PoolError } from "../../PoolError.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import type { PoolHealth } from "../../PoolHealth.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { Level, Priority } from "./traffic.ts"
import type { ConnectionInfo, DrainReport, EventOptions, LeaseOptions } from "./connection.ts"

/**
 * The members of a pool, which its service class has as well. `Lent` is what a borrower gets; `Env` is what a member asks
 * for: nothing on a pool, the class on a class.
 *
 * Members that lend work on the object they are called on. So a copy of a pool with another `withConnection` lends by
 * that, whichever member is called.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolMembers<in out Lent, out Env = never> {
  /**
   * Runs an effect with a connection, and takes the connection back however the effect ends.
   *
   * The connection is back in the pool, or on its way to be closed, before the returned effect completes: on success,
   * failure, defect and interruption.
   */
  readonly withConnection: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R | Env>
  /**
   * Like `withConnection`, but other callers may use the same connection at the same time, as far as the connector
   * allows it; where it does not, the lease is exclusive. For single requests that leave nothing behind.
   *
   * Whether an idle connection is taken first or the busiest is joined is the connector's to say (`joins`).
   */
  readonly withShared: <A, E, R>(
    f: (connection: Lent) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ) => Effect.Effect<A, E | PoolError, R | Env>
  /** A connection until the scope closes. */
  readonly acquire: Effect.Effect<Lent, PoolError, Scope.Scope | Env>
  /** `acquire`, with something to say about the lease. */
  readonly acquireWith: (options?: LeaseOptions) => Effect.Effect<Lent, PoolError, Scope.Scope | Env>
  /** Marks a connection one holds as not to be lent again. It is retired when it comes back. */
  readonly invalidate: (connection: Lent) => Effect.Effect<void, never, Env>
  /** Retires one connection by its id: an idle one now, a lent one when it comes back. `false` if there is none. */
  readonly retire: (id: number) => Effect.Effect<boolean, never, Env>
  /**
   * Replaces every connection opened so far: idle ones are retired now, lent ones when they come back, and
   * replacements are opened at once. A pool that drains replaces none. Of what `minConnections` needs one shows first that
   * others can be opened: as long as they can't, as in an outage or with a password that is wrong, the old ones are lent.
   */
  readonly retireAll: Effect.Effect<void, never, Env>
  readonly stats: Effect.Effect<PoolStats, never, Env>
  readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>, never, Env>
  readonly health: Effect.Effect<PoolHealth, never, Env>
  /**
   * The events from the moment the stream is run. A reader too slow for `eventBuffer` loses the oldest events.
   *
   * While it runs, each lease makes two events, which costs some microseconds. Who needs no `Acquired` and `Released`
   * saves that by `eventsWith`.
   */
  readonly events: Stream.Stream<PoolEvent, never, Env>
  /** `events`, but only those asked for. */
  readonly eventsWith: (options?: EventOptions) => Stream.Stream<PoolEvent, never, Env>
  /**
   * Opens connections until `count` are open (by default `minConnections`, never more than the limit), and tells how
   * many are. Fails with `ConnectFailed` or `BreakerOpen` when they can't be opened, and with `PoolClosed` when the pool
   * drains or is closed. For what a budget does not grant it waits `acquireTimeout`, then it tells how many are open.
   */
  readonly warmUp: (count?: number) => Effect.Effect<number, PoolError, Env>
  /**
   * Refuses newcomers with `PoolPaused` and lends nothing until `resume`. Leases and waiters stay as they are. A pool that
   * drains or is closed refuses newcomers already: there it does nothing.
   */
  readonly pause: Effect.Effect<void, never, Env>
  /**
   * Ends a pause. It does nothing to a pool that is not paused, and so never reopens one that drains or is closed: `stats`
   * tells its `state`. Neither it nor `pause` fails. Both are an operator's: twice is as good as once. For a piece of work
   * use `paused`.
   */
  readonly resume: Effect.Effect<void, never, Env>
  /**
   * A pause until the scope closes. Pauses may overlap: the pool lends again when the last of them has ended and nobody
   * has called `pause` without `resume`.
   */
  readonly paused: Effect.Effect<void, never, Scope.Scope | Env>
  /**
   * The live limit of connections, from 1 to `maxConnections`. Lowering it retires idle ones now, lent ones later. Fails
   * with `PoolClosed` when the pool drains or is closed.
   */
  readonly setLimit: (limit: number) => Effect.Effect<void, PoolError, Env>
  /**
   * Fails everybody who waits, or those of one priority, with `QueueCleared`, and tells how many they were. Leases stay as
   * they are, and newcomers may queue.
   */
  readonly clear: (priority?: Priority) => Effect.Effect<number, never, Env>
  /**
   * The level of degradation, from 0 (all are served) to 4 (high callers only); see `Traffic.Level`. A program may read it
   * to do less itself.
   */
  readonly degradation: Effect.Effect<Level, never, Env>
  /** The level of degradation now, and each one that comes after. */
  readonly degradationChanges: Stream.Stream<Level, never, Env>
  /**
   * Sets the level of degradation by hand until the next call. With `"auto"` the pool finds it by itself again, if its
   * option `traffic.degradation` is `"auto"`, and else it is 0.
   */
  readonly degrade: (level: Level | "auto") => Effect.Effect<void, PoolError, Env>
  /**
   * Ends the pool in bounded time: refuses newcomers, serves the queue and waits for borrowers until `drainTimeout`,
   * then closes what is left under its borrower. A second call awaits the first. An interruption of the caller does
   * not stop it.
   */
  readonly drain: Effect.Effect<DrainReport, never, Env>
}

/**
 * A managed pool of connections. `Lent` is what a borrower gets.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionPool<in out Lent> extends PoolMembers<Lent> {
  readonly name: string
  readonly config: PoolConfig
}

/**
 * Any service class of a pool, for helpers that take one of any kind:
 * `<Self, Id extends string, Lent>(pool: ConnectionPool.PoolClass<Self, Id, Lent>) => pool.stats`.
 *
 * Pool packages make them: `class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {}`. Every member is
 * that of the pool the class finds, so a decorated, wrapped or mocked one works like any other.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolClass<out Self, out Id extends string, in out Lent>
  extends Context.Key<Self, ConnectionPool<Lent>>, PoolMembers<Lent, Self>
{
  readonly key: Id
  use<A, E, R>(f: (pool: ConnectionPool<Lent>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Self>
  useSync<A>(f: (pool: ConnectionPool<Lent>) => A): Effect.Effect<A, never, Self>
}

/**
 * A service class of a pool, with what makes it a key of Effect. `Pool` is what the class finds.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolServiceClass<
  in out Self,
  in out Id extends string,
  in out Lent,
  in out Pool extends ConnectionPool<Lent> = ConnectionPool<Lent>
> extends Context.ServiceClass<Self, Id, Pool>, PoolMembers<Lent, Self> {}
