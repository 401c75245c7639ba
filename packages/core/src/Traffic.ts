/**
 * Says who is served when callers wait for connections: by priority, in fair shares, before a deadline.
 *
 * Child fibers inherit whatever is said around an effect, like an annotation of logs, so programs written for
 * `SqlClient`, `HttpClient`, `Redis` or `Socket` are served by it unchanged. A pool reads it only when a caller must wait.
 *
 * - `priority`: `"high"`, `"normal"` (the default) or `"low"`. Who has waited longest after its priority's slack goes
 *   first, so no priority starves another for ever
 * - `fairKey`: callers of one key share with those of other keys by the time they hold connections, whatever their
 *   number: a tenant, a user, a job
 * - `deadline`: from when on nobody needs the answer. A caller whose time is up, or nearer than a lease takes, is failed
 *   before it is lent anything
 *
 * **Example** (A report that gives way to everybody else)
 *
 * ```ts
 * import { Traffic } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * declare const report: Effect.Effect<void>
 * declare const checkout: Effect.Effect<void>
 *
 * const program = Effect.all([
 *   report.pipe(Traffic.with({ priority: "low", fairKey: "reports" })),
 *   checkout.pipe(Traffic.with({ priority: "high", deadline: "800 millis" }))
 * ], { concurrency: 2 })
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { around, sayWithin } from "./internal/line/said.ts"
import type { Said, TrafficOptions } from "./internal/model/traffic.ts"

export {
  type PerPriority,
  priorities,
  type Priority,
  type Said,
  type TrafficConfig,
  type TrafficOptions,
  type TrafficRules
} from "./internal/model/traffic.ts"

/**
 * The traffic said around the running effect.
 *
 * @category references
 * @since 0.1.0
 */
export const Traffic: Context.Reference<Said> = around

const withTraffic: {
  (traffic: TrafficOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, traffic: TrafficOptions): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, traffic: TrafficOptions) =>
    Effect.flatMap(Traffic, (outer) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => Effect.provideService(self, Traffic, sayWithin(outer, traffic, now))
      ))
)

export {
  /**
   * Says something of an effect and of the fibers it starts. What is not said is taken over from around it; of two
   * deadlines the earlier one holds. A priority that does not exist, or a deadline that is no finite duration, is a defect.
   *
   * @category combinators
   * @since 0.1.0
   */
  withTraffic as with
}

/**
 * Says that an effect goes before others that wait.
 *
 * @category combinators
 * @since 0.1.0
 */
export const high: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = withTraffic({ priority: "high" })

/**
 * Says that an effect goes behind others that wait.
 *
 * @category combinators
 * @since 0.1.0
 */
export const low: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = withTraffic({ priority: "low" })
