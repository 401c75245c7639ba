/**
 * The service class of a pool: each of its members is that of the pool it finds.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ConnectionPool, PoolMembers, PoolServiceClass } from "../model/pool.ts"
import type { Operations } from "../model/service.ts"
import { call, mapped, read } from "./operation.ts"
import { shared } from "./shared.ts"

/**
 * Makes a service class with a pool's members as statics, and those of `operations`. Layers are added to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serviceClass = <Self, Id extends string, Lent, Pool extends ConnectionPool<Lent>>(
  id: Id,
  operations: Operations<Pool> = {}
): PoolServiceClass<Self, Id, Lent, Pool> => {
  const tag = Context.Service<Self, Pool>()(id)
  const statics: PoolMembers<Lent, Self> = {
    withConnection: (f, options) => tag.use((pool) => pool.withConnection(f, options)),
    withShared: (f, options) => tag.use((pool) => shared(pool, f, options)),
    acquire: tag.use((pool) => pool.acquire),
    acquireWith: (options) => tag.use((pool) => pool.acquireWith(options)),
    invalidate: (connection) => tag.use((pool) => pool.invalidate(connection)),
    retire: (id) => tag.use((pool) => pool.retire(id)),
    retireAll: tag.use((pool) => pool.retireAll),
    stats: tag.use((pool) => pool.stats),
    connections: tag.use((pool) => pool.connections),
    health: tag.use((pool) => pool.health),
    events: Stream.unwrap(tag.useSync((pool) => pool.events)),
    eventsWith: (options) => Stream.unwrap(tag.useSync((pool) => pool.eventsWith(options))),
    warmUp: (count) => tag.use((pool) => pool.warmUp(count)),
    pause: tag.use((pool) => pool.pause),
    resume: tag.use((pool) => pool.resume),
    paused: tag.use((pool) => pool.paused),
    setLimit: (limit) => tag.use((pool) => pool.setLimit(limit)),
    clear: (priority) => tag.use((pool) => pool.clear(priority)),
    degradation: tag.use((pool) => pool.degradation),
    degradationChanges: Stream.unwrap(tag.useSync((pool) => pool.degradationChanges)),
    degrade: (level) => tag.use((pool) => pool.degrade(level)),
    drain: tag.use((pool) => pool.drain)
  }
  return Object.assign(tag, statics, staticsOf(tag, operations))
}

const staticsOf = <Self, Pool extends object>(
  tag: Context.Service<Self, Pool>,
  { effects = {}, methods = {}, streaming = {}, streams = {} }: Operations<Pool>
): object => {
  const effect = (f: (pool: Pool) => unknown) => tag.use(f as (pool: Pool) => Effect.Effect<unknown>)
  const stream = (f: (pool: Pool) => unknown) => Stream.unwrap(tag.useSync(f as (pool: Pool) => Stream.Stream<unknown>))
  return {
    ...mapped(
      methods,
      (name, operation) => (...args: ReadonlyArray<unknown>) => effect((pool) => call(pool, name, operation, args))
    ),
    ...mapped(effects, (name, operation) => effect((pool) => read(pool, name, operation))),
    ...mapped(
      streaming,
      (name, operation) => (...args: ReadonlyArray<unknown>) => stream((pool) => call(pool, name, operation, args))
    ),
    ...mapped(streams, (name, operation) => stream((pool) => read(pool, name, operation)))
  }
}
