/**
 * Checks what a caller's function returned: for authors of backend packages.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { PoolMisuse } from "./PoolError.ts"

/**
 * The effect that a function returned, or a defect that names the mistake if it is none, as in code without types.
 *
 * To Effect itself such a value is a fault of the run loop, which ends the fiber without its finalizers: the connection
 * would never come back.
 *
 * @category conversions
 * @since 0.1.0
 */
export const effectOf = <A, E, R>(pool: string, returned: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  // Read and not asked for by `in`, which is dear on the path of every lease.
  (returned as Partial<Effect.Effect<A, E, R>> | undefined)?.[Effect.TypeId] === undefined
    ? noEffect(pool, returned)
    : returned

const noEffect = (pool: string, returned: unknown): Effect.Effect<never> => {
  if (!Predicate.isPromiseLike(returned)) return misuse(pool, String(returned))
  // It runs on and may fail when nobody looks, which would end the program.
  returned.then(undefined, () => {})
  return misuse(pool, "a promise; wrap it in Effect.promise or Effect.tryPromise")
}

const misuse = (pool: string, what: string): Effect.Effect<never> =>
  Effect.die(new PoolMisuse({ pool, rule: `the function must return an Effect, and it returned ${what}` }))
