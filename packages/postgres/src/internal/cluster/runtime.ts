/**
 * A cluster from its plan: a pool for each server, the probes, the pool of whoever is the primary, and the reads.
 */
import { steadyMillis } from "@effect-pools/core/TimeLimit"
import * as BalancedPool from "@effect-pools/core/BalancedPool"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import { ConnectFailed, InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import type { Attachment } from "@effect-pools/core/PoolService"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import { kind } from "../../PostgresConfig.ts"
import * as Kit from "../kit.ts"
import type { LentConnection } from "../lent.ts"
import * as Runtime from "../runtime.ts"
import * as TenantPool from "../tenant/pool.ts"
import { Cluster, type Place } from "./cluster.ts"
import * as Degraded from "./degraded.ts"
import { Flights } from "./flights.ts"
import * as Metrics from "./metrics.ts"
import { Node } from "./node.ts"
import type { NodePlan, Plan } from "./options.ts"
import { Prober, type Source } from "./probe.ts"
import * as Reading from "./reading.ts"
import * as Route from "./route.ts"
import * as View from "./view.ts"

interface Parts {
  readonly cluster: Cluster
  readonly reading: Reading.Reading
}

/** The rest of a cluster that is made here, or of a copy of it. */
export const clusters: Attachment<Parts> = PoolService.makeAttachment<Parts>("@effect-pools/postgres/Cluster")

/** How a server is reached: for leases, and for probes. */
interface Reach {
  readonly connector: (node: NodePlan, kit: Kit.Kit) => Connector<any, LentConnection>
  readonly source: (node: NodePlan) => Source
}

export interface Terms {
  readonly name: string
  readonly metrics: boolean
  /** Whether the layer waits for a primary, how long, and for how many of its connections. */
  readonly startup: { readonly within: number; readonly connections: number | undefined } | undefined
}

export const make = Effect.fnUntraced(function*(
  plan: Plan,
  terms: Terms,
  reach: Reach
): Effect.fn.Return<Runtime.Pool, PoolError, Scope.Scope | Reactivity.Reactivity> {
  const clock = yield* Clock.Clock
  const now = (): number => steadyMillis(clock)
  const cluster = new Cluster(terms.name, plan.settings, { now, date: () => clock.currentTimeMillisUnsafe() })
  const kit = yield* Kit.make(terms.name, plan.nodes[0].settings, plan.nodes[0].pool)
  cluster.places = yield* Effect.forEach(plan.nodes, (node) => placeOf(cluster, kit, node, reach, now))
  const balanced = yield* BalancedPool.make<LentConnection>(
    cluster.nodes.map(({ bare }, index) => ({ pool: bare, weight: index === 0 ? 1 : 0 })),
    { name: terms.name, outlierEjection: false, slowStart: 0 }
  )
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<unknown, unknown>())<never>()
  const { pool: route, tell } = yield* PoolService.telling(Route.make(cluster, balanced))
  cluster.onPrimaryChanged = (from, to) => {
    tell({ _tag: "PrimaryChanged", from: from?.name, to: to?.name, timeline: cluster.timeline })
    fork(follow(cluster, balanced, from, to))
  }
  cluster.onForeign = ({ name }) =>
    void fork(warn(cluster, `${name} belongs to another cluster: its system identifier differs`))
  cluster.withPrimary = Route.forReads(cluster, balanced)
  yield* start(cluster, terms)
  for (const { node, prober } of cluster.places) {
    yield* Effect.forkScoped(prober.run)
    yield* Degraded.watch(node)
  }
  if (terms.metrics) yield* Metrics.publish(cluster)
  const pool = yield* Runtime.over(kit, route)
  return clusters.attach(View.of(cluster, pool), {
    cluster,
    reading: Reading.make(cluster, kit, new Flights(cluster, fork))
  })
})

/** A dial into silence must not keep a server out for long that answers again, in milliseconds. */
const longestDial = 5_000

const placeOf = Effect.fnUntraced(function*(
  cluster: Cluster,
  kit: Kit.Kit,
  plan: NodePlan,
  reach: Reach,
  now: () => number
): Effect.fn.Return<Place, PoolError, Scope.Scope> {
  // One transaction service for all servers, so that whatever is run in a transaction finds it.
  const own: Kit.Kit = { ...kit, settings: plan.settings }
  const lending = yield* ConnectionPool.make(reach.connector(plan, own), { ...plan.pool, kind })
  const bare = TenantPool.make(lending, plan.settings)
  const node = new Node(plan.name, bare)
  const timeout = Math.max(1_000, bare.config.validateTimeout)
  const prober = new Prober(reach.source(plan), {
    now,
    interval: () => cluster.intervalOf(node),
    timeout,
    dialTimeout: Math.max(timeout, Math.min(bare.config.connectTimeout, longestDial)),
    isUnref: bare.config.unref,
    onAnswer: (exit) => cluster.take(node, exit)
  })
  // Also when the cluster is refused before it runs.
  yield* Effect.addFinalizer(() => prober.end)
  return { node, prober }
})

/** Sends callers to the server that takes the writes now; those that wait at the one before go on by themselves. */
const follow = Effect.fnUntraced(function*(
  cluster: Cluster,
  balanced: BalancedPool.BalancedPool<LentConnection>,
  from: Node | undefined,
  to: Node | undefined
): Effect.fn.Return<void> {
  for (const node of cluster.nodes) {
    yield* Effect.orDie(balanced.setWeight(node.name, node === cluster.primary ? 1 : 0))
  }
  const before = cluster.before === undefined ? "" : `; before it was ${cluster.before.name}`
  if (to === undefined) yield* warn(cluster, `no primary: ${cluster.why}${before}`)
  else if (from !== undefined || cluster.places[0]?.node !== to) {
    yield* warn(cluster, `${to.name} is the primary now, in timeline ${cluster.timeline}${before}`)
  }
})

const warn = ({ name }: Cluster, message: string): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logWarning(message), { pool: name })

/** Asks all servers once. A cluster that is none is refused; one without a primary only by `failFast`. */
const start = Effect.fnUntraced(function*(
  cluster: Cluster,
  { startup }: Terms
): Effect.fn.Return<void, PoolError> {
  const first = Effect.forEach(cluster.places, ({ prober }) => prober.once, { concurrency: "unbounded", discard: true })
  yield* Effect.timeoutOption(first, startup?.within ?? 1_000)
  yield* refuseStrangers(cluster)
  if (startup === undefined) return
  yield* Effect.timeoutOption(
    Effect.repeat(Effect.andThen(Effect.sleep(50), first), { while: () => cluster.primary === undefined }),
    startup.within
  ).pipe(
    Effect.when(Effect.sync(() => cluster.primary === undefined && cluster.nodes.some((node) => node.failures > 0)))
  )
  yield* refuseStrangers(cluster)
  const { primary } = cluster
  if (primary === undefined) return yield* nobody(cluster, startup.within)
  yield* primary.bare.warmUp(startup.connections)
})

const refuseStrangers = (cluster: Cluster): Effect.Effect<void, PoolError> => {
  const refuse = (rule: string) =>
    Effect.fail(new PoolError({ pool: cluster.name, reason: new InvalidOption({ option: "replicas", rule }) }))
  const foreign = cluster.nodes.find(({ isForeign }) => isForeign)
  if (foreign !== undefined) {
    return refuse(
      `${foreign.name} belongs to another cluster than ${cluster.nodes[0]!.name}: system identifiers differ`
    )
  }
  const known = cluster.nodes.filter(({ sample }) => sample !== undefined)
  for (const [index, node] of known.entries()) {
    const same = known.slice(0, index).find(({ sample }) => sample!.startedAt === node.sample!.startedAt)
    if (same !== undefined) return refuse(`${node.name} is the same server as ${same.name}`)
  }
  return Effect.void
}

const nobody = (cluster: Cluster, waited: number): Effect.Effect<never, PoolError> => {
  const { lastError } = cluster.nodes[0]!
  const cause = lastError === undefined ? new Error(`the cluster has no primary: ${cluster.why}`) : errorOf(lastError)
  return Effect.fail(
    new PoolError({
      pool: cluster.name,
      reason: new ConnectFailed({ cause, attempts: cluster.nodes[0]!.failures, waited, isRetryable: true })
    })
  )
}

const errorOf = (reason: unknown): unknown => Cause.squash(Cause.fromReasons([reason as Cause.Reason<unknown>]))
