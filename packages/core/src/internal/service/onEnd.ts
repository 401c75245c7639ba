/**
 * The beginning of a pool's end, for members that would hold their connections until a drain runs out of time.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectionPool } from "../model/pool.ts"

/**
 * The pool, which runs `begin` first whenever it ends: in front of a drain, and when the scope closes. It may run twice.
 *
 * @category constructors
 * @since 0.1.0
 */
export const onEnd = <Pool extends ConnectionPool<any>>(
  pool: Pool,
  begin: Effect.Effect<unknown>
): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.as(Effect.addFinalizer(() => begin), { ...pool, drain: Effect.andThen(begin, pool.drain) })
