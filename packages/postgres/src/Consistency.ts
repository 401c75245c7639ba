/**
 * Says what belongs together for the reads of a `PostgresCluster`: one request, one user, one job.
 *
 * Within a session every read sees the session's own writes, and none sees less than the one before it. Sessions don't
 * wait for each other's writes, so wrap each request in one. Callers without a session share one per cluster: each of them
 * sees the writes of all of them.
 *
 * **Example** (A request that goes on where the one before it left off)
 *
 * ```ts
 * import { Consistency, PostgresCluster } from "@effect-pools/postgres"
 * import { Effect } from "effect"
 *
 * class Db extends PostgresCluster.Service<Db>()("app/Db") {}
 *
 * declare const cookie: string | undefined
 * declare const handler: Effect.Effect<void, never, Db>
 *
 * const request = Effect.gen(function*() {
 *   yield* handler
 *   // For a cookie of 30 seconds: nothing to hide, and nothing that somebody could gain by changing it.
 *   return yield* Db.token
 * }).pipe(cookie === undefined ? Consistency.session : Consistency.provide(cookie))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { CurrentSession, Session } from "./internal/cluster/session.ts"

/**
 * Runs an effect, and the fibers it starts, as a session of its own. Inside another session it is a new one, which does
 * not know of the other's writes.
 *
 * @category combinators
 * @since 0.1.0
 */
export const session = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(self, CurrentSession, new Session()))

/**
 * Runs an effect as a session that sees what was written before a token was made, by whatever process. What the session
 * around it has written, it does not know of.
 *
 * The token is looked at by the first read: one that is malformed, of another cluster or from the future makes it fail with
 * a `ClusterError`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const provide: {
  (token: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, token: string): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, token: string): Effect.Effect<A, E, R> =>
    Effect.suspend(() => Effect.provideService(self, CurrentSession, new Session([token])))
)
