/**
 * How long statements take, as the metric `db_pool_query_duration_seconds` with the kind of statement as `query_type`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { type Kind, kinds } from "./verdict.ts"

export class QueryTimer {
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly series: Readonly<Record<Kind, Series>>

  /** `context` is where the metrics are kept. */
  constructor(pool: string, context: Context.Context<never>) {
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.series = Object.fromEntries(kinds.map((kind) => [kind, seriesOf(pool, kind)])) as Record<Kind, Series>
  }

  /** The moment to be given to `record` when the statement ends, in nanoseconds. */
  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe())
  }

  record(kind: Kind, startedAt: number): void {
    this.series[kind].updateUnsafe((this.now() - startedAt) / 1e9, this.context)
  }
}

type Series = ReturnType<typeof seriesOf>

const seriesOf = (pool: string, kind: Kind) =>
  Metric.histogram("db_pool_query_duration_seconds", {
    description: "How long statements took, without the wait for a connection",
    boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    attributes: { pool, query_type: kind }
  })
