/**
 * Pools made of pools: with the members of a kind, or with another way to lend.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ConnectionPool } from "../model/pool.ts"
import type { Operations } from "../model/service.ts"
import { effectMethod, mapped, run, streamMethod } from "./operation.ts"
import { sharedMethod } from "./shared.ts"

/**
 * Gives a pool the members of a kind, apart from those it has.
 *
 * @category constructors
 * @since 0.1.0
 */
export const extend = <Lent, Pool extends ConnectionPool<Lent>>(
  pool: ConnectionPool<Lent>,
  { effects = {}, methods = {}, streaming = {}, streams = {} }: Operations<Pool>
): Pool => {
  const self = {} as Pool
  const members = {
    ...mapped(methods, (_, operation) => effectMethod(self, operation)),
    ...mapped(effects, (_, operation) => Effect.suspend(() => run(operation, self, []) as Effect.Effect<unknown>)),
    ...mapped(streaming, (_, operation) => streamMethod(self, operation)),
    ...mapped(streams, (_, operation) => Stream.suspend(() => run(operation, self, []) as Stream.Stream<unknown>))
  }
  // Not their values: the configuration of a balanced pool changes with its upstreams.
  return Object.defineProperties(Object.assign(self, members), Object.getOwnPropertyDescriptors(pool))
}

/**
 * A pool that lends in another way than the one it is made of: other views of the connections, or the one that the caller
 * has already.
 *
 * @category constructors
 * @since 0.1.0
 */
export const derive = <A, B>(
  pool: ConnectionPool<A>,
  members:
    & Pick<ConnectionPool<B>, "withConnection" | "acquireWith" | "invalidate">
    & Partial<Pick<ConnectionPool<B>, "drain">>
): ConnectionPool<B> => {
  const self: ConnectionPool<B> = {
    ...pool,
    ...members,
    withShared: sharedMethod(() => self),
    acquire: members.acquireWith()
  }
  return self
}
