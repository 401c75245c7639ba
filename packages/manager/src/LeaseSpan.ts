/**
 * Leases as spans of a trace. Pools make none by themselves, since a span costs more than a lease; what is borrowed
 * through this module has one, with how long the wait for the connection was.
 *
 * ```ts
 * import { ConnectionPool } from "@effect-pools/core"
 * import { LeaseSpan } from "@effect-pools/manager"
 * import type { Effect } from "effect"
 *
 * class Backend extends ConnectionPool.Service<Backend, { readonly ping: Effect.Effect<void> }>()("app/Backend") {}
 *
 * const ping = LeaseSpan.withConnection(Backend, ({ ping }) => ping)
 * ```
 *
 * @since 0.1.0
 */
import { effectOf } from "@effect-pools/core/Callback"
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import { Traffic } from "@effect-pools/core/Traffic"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * `withConnection` of a pool, in a span `<pool> lease`: from asking for the connection to giving it back. The spans of
 * the effect are below it. Its event `acquired` tells when the connection came, the attribute `pool.wait` how many
 * milliseconds that took, and `db.client.connection.pool.name` which pool it was; tags of `Traffic.with` are `pool.tag.<name>`.
 *
 * @category operations
 * @since 0.1.0
 */
export const withConnection = <Self, Lent, A, E, R>(
  pool: Context.Key<Self, ConnectionPool<Lent>>,
  f: (connection: Lent) => Effect.Effect<A, E, R>,
  options?: LeaseOptions
): Effect.Effect<A, E | PoolError, R | Self> => traced(pool, "withConnection", f, options)

/**
 * `withShared` of a pool, in the same span.
 *
 * @category operations
 * @since 0.1.0
 */
export const withShared = <Self, Lent, A, E, R>(
  pool: Context.Key<Self, ConnectionPool<Lent>>,
  f: (connection: Lent) => Effect.Effect<A, E, R>,
  options?: LeaseOptions
): Effect.Effect<A, E | PoolError, R | Self> => traced(pool, "withShared", f, options)

const traced = <Self, Lent, A, E, R>(
  key: Context.Key<Self, ConnectionPool<Lent>>,
  how: "withConnection" | "withShared",
  f: (connection: Lent) => Effect.Effect<A, E, R>,
  options: LeaseOptions | undefined
): Effect.Effect<A, E | PoolError, R | Self> =>
  Effect.gen(function*() {
    const pool = yield* key
    const outer = Option.getOrUndefined(yield* Effect.option(Effect.currentSpan))
    // Otherwise the lease would be called after its own span, which says nothing of who borrows.
    const label = options?.label ?? outer?.name
    const { tags } = yield* Traffic
    const asked = yield* Clock.monotonicTimeNanos
    const body = (lent: Lent) => Effect.andThen(acquired(asked), Effect.suspend(() => effectOf(pool.name, f(lent))))
    return yield* Effect.withSpan(pool[how](body, { ...options, label }), `${pool.name} lease`, {
      attributes: {
        "db.client.connection.pool.name": pool.name,
        ...(label === undefined ? {} : { "pool.label": label }),
        ...Object.fromEntries(Object.entries(tags ?? {}).map(([name, value]) => [`pool.tag.${name}`, value]))
      },
      captureStackTrace: false
    })
  })

const acquired = (asked: bigint): Effect.Effect<void> =>
  Effect.gen(function*() {
    const waited = (yield* Clock.monotonicTimeNanos) - asked
    const span = Option.getOrUndefined(yield* Effect.option(Effect.currentSpan))
    span?.attribute("pool.wait", Number(waited) / 1e6)
    span?.event("acquired", yield* Clock.currentTimeNanos)
  })
