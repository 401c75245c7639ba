/**
 * The members of a cluster beyond those of a pool.
 *
 * On a mock, which knows no servers, and on a cluster that was decorated, reads are transactions of its own lending.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import type { Operations } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import type * as Statement from "effect/sql/Statement"
import { operations as ofPools } from "../members.ts"
import type { ClusterError } from "../../ClusterError.ts"
import type { NodeInfo, PostgresCluster, ReadOptions } from "./model.ts"
import * as Runtime from "../runtime.ts"
import * as Transaction from "../transaction.ts"
import * as Position from "./position.ts"
import * as Reads from "./reads.ts"
import { nobody, viewOf } from "./route.ts"
import { clusters } from "./runtime.ts"
import { infoOf } from "./view.ts"

type AnyEffect = Effect.Effect<any, any, any>
type Ask = (sql: Statement.Constructor) => AnyEffect

const read = (pool: PostgresCluster, first: TemplateStringsArray | Ask, ...args: Array<unknown>): AnyEffect => {
  const ask: Ask = typeof first === "function" ? first : (sql) => sql(first, ...args)
  const options = typeof first === "function" ? args[0] as ReadOptions | undefined : undefined
  const parts = Runtime.runtimes.ofPristine(pool) === undefined ? undefined : clusters.of(pool)
  return parts === undefined
    ? Transaction.run(pool, ask, { readOnly: true, isolation: options?.isolation })
    : parts.reading.read(ask, options)
}

const token = (pool: PostgresCluster): Effect.Effect<string | undefined, ClusterError | PoolError> =>
  Effect.withFiber((fiber) => {
    const cluster = clusters.of(pool)?.cluster
    if (cluster === undefined) return Effect.succeed(undefined)
    const view = viewOf(cluster, fiber)
    const settled = Effect.timeoutOrElse(Reads.settle(cluster, view), {
      duration: pool.config.acquireTimeout,
      // A token without the last writes would be worse than none.
      orElse: () => Effect.fail(nobody(cluster))
    })
    return Effect.map(settled, () => {
      const needed = view.needed(cluster.now())
      return needed === undefined ? undefined : Position.encode(needed)
    })
  })

const nodes = (pool: PostgresCluster): Effect.Effect<ReadonlyArray<NodeInfo>> => {
  const cluster = clusters.of(pool)?.cluster
  return cluster === undefined
    ? Effect.succeed([])
    : Effect.forEach(cluster.nodes, (node) => infoOf(cluster, node))
}

export const operations: Operations<PostgresCluster> = {
  ...ofPools,
  methods: { ...ofPools.methods, read },
  effects: { ...ofPools.effects, token, nodes }
}
