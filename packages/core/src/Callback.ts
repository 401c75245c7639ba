/**
 * Guards against what a program's own functions and effects do: for authors of backend packages.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { PoolMisuse } from "./PoolError.ts"
import * as ServerText from "./ServerText.ts"

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

/**
 * The value of an option that may be an effect, such as a password that rotates. Only the message of the effect's error is
 * passed on, since nobody here knows what else the error of a secrets store holds.
 *
 * @category conversions
 * @since 0.1.0
 */
export const obtained = <A, E>(
  given: A | Effect.Effect<A, unknown>,
  failed: (message: string) => E
): Effect.Effect<A, E> =>
  Effect.isEffect(given)
    ? Effect.catchCause(given as Effect.Effect<A, unknown>, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.fail(failed(ServerText.messageOf(Cause.squash(cause), "it failed"))))
    : Effect.succeed(given)
