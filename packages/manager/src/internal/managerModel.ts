/**
 * The options of a manager.
 */
import type { PoolThresholdOptions } from "@effect-pools/core/PoolThresholds"
import type * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"
import type { PoolKey } from "./poolKey.ts"

/**
 * The options of a manager.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManagerOptions<Pools extends ReadonlyArray<PoolKey> = ReadonlyArray<PoolKey>> {
  /** The classes of the pools, at least one. No two pools may have the same name. */
  readonly pools: Pools
  /**
   * In which order the pools are drained: groups, one after the other, the pools of a group at once. By default all at
   * once. Every pool must be named once.
   */
  readonly drainOrder?: ReadonlyArray<ReadonlyArray<Pools[number]>> | undefined
  /**
   * How long the drain of all pools may take, whatever their own `drainTimeout` says. Default 20 s. A pool that is not
   * done by then is named in the log and cut off: its connections are closed under their borrowers. Too short: work is
   * cut off that a pool would have waited for. Too long: whoever stops the process kills it first.
   */
  readonly drainTimeout?: Duration.Input | undefined
  /**
   * How often the pools are read for alerts and charts, at least 100 ms. Default 2 s. Too short: a thousand pools cost
   * a noticeable share of a core. Too long: short trouble is not seen.
   */
  readonly sampleInterval?: Duration.Input | undefined
  /**
   * How far back the samples are kept. Default 5 min, at most 10 000 times `sampleInterval`. Too long: memory, about 300
   * bytes a pool and sample.
   */
  readonly history?: Duration.Input | undefined
  /**
   * How far back one sample of each 20 s is kept, the one in which most was wrong, for the page's longer ranges. Default 1
   * hour. Too short: what was at the beginning of an incident is gone when somebody looks. Too long: memory, about 300 bytes a
   * pool and sample: 54 kB a pool for an hour.
   */
  readonly longHistory?: Duration.Input | undefined
  /**
   * The time over which failures and waits are judged. Default 1 min. Too short: few leases decide. Too long: alerts
   * come and go late.
   */
  readonly alertWindow?: Duration.Input | undefined
  /**
   * From which numbers on alerts are raised for pools without `thresholds` of their own: `"calm"` (default), `"strict"` or
   * numbers of yours, see `PoolThresholds`. `"strict"` also raises alerts sooner and clears them later. A pool's `health`
   * is judged by its own alone.
   */
  readonly thresholds?: PoolThresholdOptions | undefined
  /**
   * How long a number must be above its limit before an alert is raised. Default 4 s, with `"strict"` 2 s. Too short:
   * bursts alarm. Too long: short trouble is never told.
   */
  readonly alertAfter?: Duration.Input | undefined
  /**
   * How long it must be well below before the alert is cleared. Default 10 s, with `"strict"` 30 s. Too short: alerts
   * flap. Too long: what is over still stands.
   */
  readonly clearAfter?: Duration.Input | undefined
  /**
   * When `metrics` emits, after the first at once. Default every 30 s. Too short: readers have more to do. Too long: they
   * miss what happens between.
   */
  readonly metricsSchedule?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /**
   * When `healthStream` emits, after the first at once. Default every 60 s. Too short: readers have more to do. Too long:
   * short trouble is not seen, which `healthChanges` tells.
   */
  readonly healthSchedule?: Duration.Input | Schedule.Schedule<unknown> | undefined
}
