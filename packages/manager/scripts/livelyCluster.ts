/** A cluster over servers that are a script, under a load of reads and writes that goes up and down. */
import { ClusterScript, Consistency, PostgresCluster } from "@effect-pools/postgres"
import { Effect, Layer, Random } from "effect"
import type { Made } from "./livelyPools.ts"

export interface LivelyCluster {
  readonly name: string
  readonly replicas: number
  readonly options: Partial<PostgresCluster.ClusterOptions>
  /** The jobs of the callers: a label and a statement. Those that begin with SELECT are read from replicas. */
  readonly jobs: ReadonlyArray<readonly [label: string, statement: string]>
  readonly callers: number
  /** The mean time of a statement, ms. */
  readonly hold: number
  /** How late the replicas are, ms. */
  readonly lags: ReadonlyArray<number>
  /** A borrower that holds so many connections of the primary from some time on: a label, a statement, their number, and ms. */
  readonly holder?: readonly [label: string, statement: string, connections: number, after: number]
}

/** The cluster as a service class made on the spot, with its load. */
export const clusterOf = (lively: LivelyCluster): Made => {
  class Cluster extends PostgresCluster.Service<Cluster>()(`lively/${lively.name}`) {}
  const { callers, hold, holder, jobs, lags, name, options, replicas } = lively
  const taken = holder?.[1]
  const script = ClusterScript.make(
    (statement) =>
      statement === taken
        ? Effect.never
        : Effect.flatMap(Random.next, (chance) => Effect.as(Effect.sleep(-Math.log(1 - 0.99 * chance) * hold), [])),
    { replicas }
  )
  for (const [index, lag] of lags.entries()) script.lag(index + 1, lag)
  const caller = (index: number) =>
    Effect.gen(function*() {
      const wave = 0.6 + 0.4 * Math.sin(performance.now() / 9_000)
      const [label, statement] = jobs[yield* Random.nextIntBetween(0, jobs.length - 1)] ?? ["", ""]
      const run = statement.startsWith("SELECT") ? Cluster.read : Cluster.query
      if (index < wave * callers) yield* run((sql) => sql.unsafe(statement), { label })
      yield* Effect.sleep(yield* Random.nextBetween(2, hold))
    }).pipe(Consistency.session, Effect.catch(() => Effect.sleep("200 millis")), Effect.forever)
  const load = Effect.gen(function*() {
    if (holder !== undefined) {
      const [label, statement, connections, after] = holder
      const one = Cluster.withConnection((sql) => sql.unsafe(statement), { label })
      const all = Effect.all(Array.from({ length: connections }, () => Effect.retry(one, { times: 100 })), {
        concurrency: "unbounded"
      })
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep(after), all))
    }
    for (let index = 0; index < callers; index++) yield* Effect.forkScoped(caller(index))
  })
  const layer = Cluster.layerTest(script, { name, metrics: true, ...options })
  return { Pool: Cluster, layer: Layer.provideMerge(Layer.effectDiscard(load), layer) }
}
