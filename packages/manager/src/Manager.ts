/**
 * The members of the manager of a program's pools, and its options. `ConnectionManager` is the service.
 *
 * @since 0.1.0
 */
import type { EventOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { PoolEvent } from "@effect-pools/core/PoolEvent"
import type { HealthWarning, PoolHealth } from "@effect-pools/core/PoolHealth"
import type { PoolStats } from "@effect-pools/core/PoolStats"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AlertChange } from "./internal/alertChange.ts"
import type { ManagerDrainReport } from "./internal/drain.ts"
import type { ManagedPool } from "./internal/managedPool.ts"
import type { HealthChange, Round } from "./internal/sampler.ts"
import type { Alert, Fleet, Sample, Status } from "./MonitoringApi.ts"
import type { PoolRef, UnknownPool } from "./internal/poolKey.ts"

export type { ManagerOptions } from "./internal/managerModel.ts"

/**
 * A pool as the manager gives it: everything but lending.
 *
 * @category models
 * @since 0.1.0
 */
export type { ManagedPool }

/**
 * The report of a drain, with the holders it met. Durations are in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type { DrainedPool, ManagerDrainReport } from "./internal/drain.ts"

/**
 * An alert that was raised or cleared.
 *
 * @category models
 * @since 0.1.0
 */
export type { AlertChange }

/**
 * A pool whose status is not what it was.
 *
 * @category models
 * @since 0.1.0
 */
export type { HealthChange }

/**
 * One reading of all pools.
 *
 * @category models
 * @since 0.1.0
 */
export type { Round }

export { type PoolKey, type PoolRef, UnknownPool } from "./internal/poolKey.ts"

/**
 * The numbers of all pools at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManagerStats {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** All pools added up. */
  readonly fleet: Fleet
  readonly pools: ReadonlyArray<PoolStats>
}

/**
 * The health of all pools at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManagerHealth {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** `unhealthy` if a pool is, else `degraded` if one is. */
  readonly status: Status
  /**
   * 0 to 100: the mean over the pools, of which a healthy one counts 100, a degraded one 10 less for each warning but
   * at least 50, and an unhealthy one 0. Never above 50 while one is unhealthy, nor above 90 while one is degraded.
   */
  readonly score: number
  readonly fleet: Fleet
  readonly warnings: ReadonlyArray<HealthWarning & { readonly pool: string }>
  readonly pools: ReadonlyArray<PoolHealth>
}

/**
 * The members of the service. The class has the same members as statics.
 *
 * @category models
 * @since 0.1.0
 */
export interface Manager {
  /** Those of now: first those that the manager was made with, then those that joined. */
  readonly pools: ReadonlyArray<ManagedPool>
  /**
   * Runs an effect once the manager is released and has drained its pools; or `drainTimeout` after this call, if it is
   * not released by then. The release waits for the effect. Gives an effect that runs it now, if it has not run yet.
   */
  readonly afterDrain: (effect: Effect.Effect<unknown>) => Effect.Effect<Effect.Effect<void>>
  /** Pools as they join, from the moment the stream is run. */
  readonly joins: Stream.Stream<ManagedPool>
  /**
   * Takes in a pool that was made while the program runs, until the scope closes: then it is drained within the
   * manager's `drainTimeout` and leaves. Give the class of a pool in the context, or the pool. It is found by its name;
   * where all are drained in `drainOrder` it goes with the last group. Fails with `InvalidOption` where another pool of
   * the same name is managed.
   */
  readonly register: {
    <I>(pool: Context.Key<I, ManagedPool>): Effect.Effect<void, PoolError, I | Scope.Scope>
    (pool: ManagedPool): Effect.Effect<void, PoolError, Scope.Scope>
  }
  /** A pool by its class, with all it can do, or by its name. */
  readonly get: {
    <I, Pool extends ManagedPool>(pool: Context.Key<I, Pool>): Effect.Effect<Pool, UnknownPool>
    (name: string): Effect.Effect<ManagedPool, UnknownPool>
  }
  readonly stats: Effect.Effect<ManagerStats>
  readonly health: Effect.Effect<ManagerHealth>
  /** Those that stand, the critical first, then the oldest; and those cleared, the latest first, 100 at most. */
  readonly alerts: Effect.Effect<{ readonly current: ReadonlyArray<Alert>; readonly cleared: ReadonlyArray<Alert> }>
  /**
   * Alerts as they are raised and cleared, however many at once. A reader that lags 256 readings behind loses the oldest;
   * `alerts` tells those that stand.
   */
  readonly alertChanges: Stream.Stream<AlertChange>
  /**
   * The events of all pools. While it runs each lease makes an event too, at a cost; see `ConnectionPool.events`. A
   * reader too slow for a pool's `eventBuffer` loses the oldest.
   */
  readonly events: Stream.Stream<PoolEvent>
  /** `events`, but only those asked for. */
  readonly eventsWith: (options?: EventOptions) => Stream.Stream<PoolEvent>
  /** `stats`, at once and then on `metricsSchedule`. */
  readonly metrics: Stream.Stream<ManagerStats>
  /** `health`, at once and then on `healthSchedule`. */
  readonly healthStream: Stream.Stream<ManagerHealth>
  /** Pools whose status changed, seen within `sampleInterval`. */
  readonly healthChanges: Stream.Stream<HealthChange>
  /** Every reading, as it is taken each `sampleInterval`. */
  readonly samples: Stream.Stream<Round>
  /** The readings of the last minutes, the oldest first. */
  readonly history: Effect.Effect<
    ReadonlyArray<{ readonly name: string; readonly samples: ReadonlyArray<Sample> }>
  >
  /** `history`, and before it one reading of each 20 s, as far back as `longHistory` says. */
  readonly longHistory: Manager["history"]
  /** Milliseconds between two readings. */
  readonly sampleInterval: number
  /** Opens the `minConnections` of these pools, by default of all, and tells how many are open of each. */
  readonly warmUp: (
    pools?: ReadonlyArray<PoolRef>
  ) => Effect.Effect<ReadonlyArray<{ readonly pool: string; readonly open: number }>, PoolError | UnknownPool>
  /** Pauses these pools, by default all. */
  readonly pause: (pools?: ReadonlyArray<PoolRef>) => Effect.Effect<void, UnknownPool>
  /** Resumes these pools, by default all. */
  readonly resume: (pools?: ReadonlyArray<PoolRef>) => Effect.Effect<void, UnknownPool>
  /**
   * Drains these pools at once, or all in `drainOrder`, within `drainTimeout`. A drained pool is closed for good. An
   * interruption of the caller does not stop it.
   */
  readonly drain: (pools?: ReadonlyArray<PoolRef>) => Effect.Effect<ManagerDrainReport, UnknownPool>
}
