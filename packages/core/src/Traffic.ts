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
 * - `isRetry`: whether the same was tried before, so that it counts against the pool's budget of retries. `Traffic.retry`
 *   says it
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
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Random from "effect/Random"
import { around, sayWithin } from "./internal/line/said.ts"
import type { Said, TrafficOptions } from "./internal/model/traffic.ts"
import { PoolError } from "./PoolError.ts"

export {
  type Level,
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
    // One step, which leaves a fiber that waits one frame to keep.
    Effect.updateContext(self, (context: Context.Context<R>): Context.Context<R> => {
      const now = traffic.deadline === undefined ? 0 : Context.get(context, Clock.Clock).currentTimeMillisUnsafe()
      return Context.add(context, Traffic, sayWithin(Context.get(context, Traffic), traffic, now))
    })
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

/**
 * How often, and when, `retry` tries again.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions<in E> {
  /** How often at most. Default 3. Too small: a moment's failure reaches users. Too large: they wait in vain. */
  readonly times?: number | undefined
  /**
   * How long before the first retry; twice as long before each one after it, by chance down to half of that. A pool that
   * says `retryAfter` is not asked before. Default 100 ms. Too small: the backend has had no time to recover.
   */
  readonly delay?: Duration.Input | undefined
  /**
   * Whether an error is worth a retry. Default: a `PoolError` that says `isRetryable`, where no connection was lent, so that
   * nothing of the failed lease can have happened.
   */
  readonly while?: ((error: E) => boolean) | undefined
}

/**
 * Tries an effect again when a pool gave it no connection. Retries are marked as such, so that a pool whose
 * `traffic.retryBudget` is spent refuses them; none is made that would begin after the caller's `deadline`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const retry: {
  <E>(options?: RetryOptions<E>): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options?: RetryOptions<E>): Effect.Effect<A, E, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, options: RetryOptions<E> = {}): Effect.Effect<A, E, R> => {
    const { delay = 100, times = 3, while: isWorthIt = isRefused } = options
    const attempt = (made: number): Effect.Effect<A, E, R> =>
      Effect.catch(made === 0 ? self : withTraffic(self, { isRetry: true }), (error) => {
        if (made >= times || !isWorthIt(error)) return Effect.fail(error)
        return Effect.flatMap(
          waitFor(error, Duration.toMillis(delay) * 2 ** made),
          (isInTime) => isInTime ? attempt(made + 1) : Effect.fail(error)
        )
      })
    return attempt(0)
  }
)

const isRefused = (error: unknown): boolean => error instanceof PoolError && error.isRetryable

/** Waits before a retry; `false` at once if the caller's deadline comes first. */
const waitFor = (error: unknown, delay: number): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const { deadlineAt } = yield* Traffic
    const wait = Math.max(retryAfterOf(error), delay * (yield* Random.nextBetween(0.5, 1)))
    if ((yield* Clock.currentTimeMillis) + wait >= deadlineAt) return false
    yield* Effect.sleep(wait)
    return true
  })

const retryAfterOf = (error: unknown): number =>
  error instanceof PoolError && "retryAfter" in error.reason ? error.reason.retryAfter : 0
