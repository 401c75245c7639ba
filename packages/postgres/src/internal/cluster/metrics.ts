/**
 * Metrics of a cluster beside those of its pools.
 */
import * as PoolMetrics from "@effect-pools/core/PoolMetrics"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Cluster } from "./cluster.ts"

/** For each server: its lag in seconds, whether it is the primary, whether it serves reads, and how many it served. */
export const publish = (cluster: Cluster): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(publishWhole(cluster), publishNodes(cluster))

const publishWhole = (cluster: Cluster): Effect.Effect<void, never, Scope.Scope> => {
  const attributes = { pool: cluster.name }
  return Effect.andThen(
    PoolMetrics.makeGauge(
      {
        name: "db_pool_timeline",
        description: "The timeline of the primary: each promotion begins another",
        attributes
      },
      () => cluster.timeline
    ),
    PoolMetrics.makeCounter(
      {
        name: "db_pool_primary_changes_total",
        description: "How often another server took the writes, or none did",
        attributes
      },
      () => cluster.changes
    )
  )
}

const publishNodes = (cluster: Cluster): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(cluster.nodes, (node) => {
    const attributes = { pool: cluster.name, upstream: node.name }
    const gauge = (name: string, description: string, read: () => number) =>
      PoolMetrics.makeGauge({ name: `db_pool_${name}`, description, attributes }, read)
    return Effect.andThen(
      Effect.all([
        gauge("replica_lag_seconds", "How far a replica is behind", () => (cluster.lagOf(node) ?? 0) / 1_000),
        gauge("is_primary", "1 for the server that takes the writes", () => node === cluster.primary ? 1 : 0),
        gauge("replica_in", "1 for a replica that serves reads", () => node.isIn ? 1 : 0)
      ]),
      PoolMetrics.makeCounter(
        { name: "db_pool_reads_total", description: "Reads by the server that served them", attributes },
        () => node.served
      )
    )
  }, { discard: true })
