/**
 * A cluster as it is seen from outside: its numbers and its health.
 */
import * as PoolHealth from "@effect-pools/core/PoolHealth"
import * as PoolStats from "@effect-pools/core/PoolStats"
import * as Effect from "effect/Effect"
import type * as Runtime from "../runtime.ts"
import type { Cluster } from "./cluster.ts"
import { maxLagOf } from "./degraded.ts"
import type { NodeInfo } from "./model.ts"
import type { Node } from "./node.ts"

/** The pool with the numbers and the health of the cluster as its own. */
export const of = (cluster: Cluster, pool: Runtime.Pool): Runtime.Pool => ({
  ...pool,
  stats: Effect.gen(function*() {
    const whole = yield* pool.stats
    const members = yield* Effect.forEach(
      cluster.nodes,
      (node) =>
        Effect.map(infoOf(cluster, node), ({ isIn, isReachable, lag, role, stats }) => {
          const state = isIn || role === "primary" ? "in" : isReachable ? "out" : "unreachable"
          return PoolStats.memberOf(stats, { role, state, lag })
        })
    )
    return { ...whole, members, primary: primaryOf(cluster) }
  }),
  health: Effect.gen(function*() {
    const whole = yield* pool.stats
    const own = cluster.nodes.flatMap((node) => warningsOf(cluster, node))
    const pools = yield* Effect.forEach(cluster.nodes, ({ bare }) => bare.health)
    // A fault that is critical for one server is not for all while the primary takes the writes.
    const theirs = pools.flatMap(({ name, warnings }) =>
      warnings.map((warning) => ({
        ...warning,
        level: name === cluster.primary?.name ? warning.level : "warning" as const,
        message: `${name}: ${warning.message}`
      }))
    )
    const primary = pools.find(({ name }) => name === cluster.primary?.name)
    const warnings = [...noPrimary(cluster), ...own, ...theirs]
    return {
      ...PoolHealth.assess(whole, pool.config),
      status: primary === undefined || primary.status === "unhealthy"
        ? "unhealthy"
        : warnings.length > 0
        ? "degraded"
        : "healthy",
      warnings
    }
  })
})

const primaryOf = ({ before, changedAt, changes, primary, timeline }: Cluster): PoolStats.PrimaryStats => ({
  name: primary?.name,
  since: changedAt,
  before: before?.name,
  timeline,
  changes
})

const noPrimary = ({ primary, why }: Cluster): ReadonlyArray<PoolHealth.HealthWarning> =>
  primary === undefined
    ? [{
      about: "upstream",
      level: "critical",
      value: 0,
      message: `no server takes writes: ${why}`,
      remedy:
        "Promote a replica, or stop the server that should not be a primary. Writes go on as soon as there is one."
    }]
    : []

const warningsOf = (cluster: Cluster, node: Node): ReadonlyArray<PoolHealth.HealthWarning> => {
  if (node.isIn || node === cluster.primary) return []
  const lag = cluster.lagOf(node)
  const why = roleOf(cluster, node) === "foreign"
    ? "it belongs to another cluster (its system identifier differs)"
    : node.failures > 0
    ? `${node.failures} probes in a row failed`
    : roleOf(cluster, node) === "stray"
    ? "it says that it is a primary, and another server is"
    : lag !== undefined && lag > maxLagOf(cluster.places, cluster.settings) / 2
    ? `it is ${Math.round(lag)} ms behind (maxLag ${maxLagOf(cluster.places, cluster.settings)} ms)`
    : "it is not known to follow the primary"
  return [{
    about: "upstream",
    level: "warning",
    value: lag ?? node.failures,
    message: `${node.name} serves no reads: ${why}`,
    remedy: "See what it replays and from whom. It serves reads again by itself."
  }]
}

const roleOf = (cluster: Cluster, node: Node): NodeInfo["role"] => {
  if (node === cluster.primary) return "primary"
  if (node.isForeign) return "foreign"
  if (node.sample === undefined) return "unknown"
  return node.isStandby ? "replica" : "stray"
}

export const infoOf = (cluster: Cluster, node: Node): Effect.Effect<NodeInfo> =>
  Effect.map(node.bare.stats, (stats) => ({
    name: node.name,
    role: roleOf(cluster, node),
    isIn: node.isIn,
    lag: node === cluster.primary ? undefined : cluster.lagOf(node),
    isReachable: node.failures === 0 && node.sample !== undefined,
    reads: node.reads,
    served: node.served,
    stats
  }))
