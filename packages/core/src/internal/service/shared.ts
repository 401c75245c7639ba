/**
 * `withShared` as `withConnection` with one thing more to say, so that there is one door to a pool's connections: a pool
 * whose `withConnection` is decorated lends nothing past it.
 */
import type * as Effect from "effect/Effect"
import type { PoolError } from "../../PoolError.ts"
import type { LeaseOptions } from "../model/connection.ts"
import type { ConnectionPool } from "../model/pool.ts"
import { isOwn, mark, receiverOf } from "./operation.ts"

type WithShared<Lent> = ConnectionPool<Lent>["withShared"]

const alone: LeaseOptions = Object.freeze({ isShared: true })

const lendShared = <Lent, A, E, R>(
  pool: Pick<ConnectionPool<Lent>, "withConnection">,
  f: (connection: Lent) => Effect.Effect<A, E, R>,
  options?: LeaseOptions
): Effect.Effect<A, E | PoolError, R> =>
  pool.withConnection(f, options === undefined ? alone : { ...options, isShared: true })

/** The member of a pool. */
export const sharedMethod = <Lent>(self: () => ConnectionPool<Lent>): WithShared<Lent> =>
  mark(function(this: unknown, f, options) {
    return lendShared(receiverOf(this, self()), f, options)
  } as WithShared<Lent>, lendShared)

/**
 * A shared lease of whatever pool an operation is given: by its `withShared`, or by its `withConnection` if that is all it
 * has.
 *
 * @category operations
 * @since 0.1.0
 */
export const shared = <Lent, A, E, R>(
  pool: ConnectionPool<Lent>,
  f: (connection: Lent) => Effect.Effect<A, E, R>,
  options?: LeaseOptions
): Effect.Effect<A, E | PoolError, R> =>
  isOwn(pool, "withShared", lendShared) ? pool.withShared(f, options) : lendShared(pool, f, options)
