/**
 * The end of a pool in a test.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DrainWithin } from "../end/drainWithin.ts"
import type { ConnectionPool } from "../model/pool.ts"

/**
 * Lets the pool end at once with its scope. A borrower that has not ended by then is the test's own, which waits for the
 * pool, or a fiber that nobody will end; and the clock that would end the wait may be one that only the test moves.
 */
export const endsAtOnce = <Pool extends ConnectionPool<any>, E, R>(
  make: Effect.Effect<Pool, E, R>
): Effect.Effect<Pool, E, R | Scope.Scope> =>
  Effect.tap(make, (pool) => Effect.addFinalizer(() => Effect.provideService(pool.drain, DrainWithin, 0)))
