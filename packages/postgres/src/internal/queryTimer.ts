/**
 * How long statements take, as the metric `db_pool_query_duration_seconds` with the kind of statement as `query_type`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export interface QueryTimer {
  readonly time: <A, E, R>(text: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

const kinds = ["select", "insert", "update", "delete", "other"] as const
type Kind = typeof kinds[number]

/** `context` is where the metrics are kept. */
export const make = (pool: string, context: Context.Context<never>): QueryTimer => {
  const clock = Context.get(context, Clock.Clock)
  const series = Object.fromEntries(kinds.map((kind) => [kind, seriesOf(pool, kind)])) as Record<Kind, Series>
  return {
    time: (text, effect) =>
      Effect.suspend(() => {
        const startedAt = clock.monotonicTimeNanosUnsafe()
        return Effect.onExitPrimitive(effect, () => {
          const seconds = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e9
          series[kindOf(text)].updateUnsafe(seconds, context)
          return undefined
        })
      })
  }
}

type Series = ReturnType<typeof seriesOf>

const seriesOf = (pool: string, kind: Kind) =>
  Metric.histogram("db_pool_query_duration_seconds", {
    description: "How long statements took, without the wait for a connection",
    boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    attributes: { pool, query_type: kind }
  })

/** The first word, as far as it is worth a series of its own. */
const kindOf = (text: string): Kind => {
  const word = /^\s*(select|insert|update|delete)\b/i.exec(text)?.[1]
  return word === undefined ? "other" : word.toLowerCase() as Kind
}
