/**
 * Everything in Effect's registry of metrics as Prometheus reads it, under names that keep its conventions, and written
 * a piece at a time: a thousand pools must not hold up everybody else for a scrape.
 *
 * Some names of ours and of OpenTelemetry are not what Prometheus expects. They stay for whoever looks for them, as
 * *untyped*, which its rules allow: a gauge that ends as only counters (`db_pool_connections_total`) or histograms do. A
 * counter without `_total` is there under both names, and as a counter only under the right one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

type Registry = typeof Metric.MetricRegistry.Service
type Series = ReadonlyArray<Registry extends Map<infer Key, infer Value> ? readonly [Key, Value] : never>

/** After about so many lines the others in the program get their turn. */
const linesAtOnce = 500

export const prometheusText: Effect.Effect<string> = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const families = yield* familiesOf(Context.get(context, Metric.MetricRegistry))
  const texts: Array<string> = []
  for (const [name, series] of families) {
    for (const written of namesOf(name, series, families)) {
      for (const [index, piece] of piecesOf(series).entries()) {
        const text = format(context, piece, written)
        texts.push(index === 0 ? text : text.replace(/^(#.*\n)+/, ""))
        yield* Effect.yieldNow
      }
    }
  }
  return texts.join("")
})

const familiesOf = Effect.fnUntraced(function*(registry: Registry) {
  const names = new Map<string, string>()
  const families = new Map<string, Array<Series[number]>>()
  let seen = 0
  for (const entry of Array.from(registry)) {
    if (++seen % 2000 === 0) yield* Effect.yieldNow
    const { id } = entry[1]
    const name = names.get(id) ?? nameOf(id)
    names.set(id, name)
    const family = families.get(name)
    if (family === undefined) families.set(name, [entry])
    else family.push(entry)
  }
  return families
})

/** As Effect writes it. */
const nameOf = (id: string): string =>
  id.replaceAll(/[^a-zA-Z0-9_:]/g, "_").replace(/^([0-9:])/, "_$1").replaceAll(/_+/g, "_").replace(/_$/, "")

interface Written {
  readonly name: string
  readonly isUntyped: boolean
}

const namesOf = (name: string, series: Series, families: ReadonlyMap<string, unknown>): ReadonlyArray<Written> => {
  switch (series[0]?.[1].type) {
    case "Counter":
    case "Frequency": {
      const total = `${name}_total`
      if (name.endsWith("_total")) return [{ name, isUntyped: false }]
      const right = families.has(total) ? [] : [{ name: total, isUntyped: false }]
      return [...right, { name, isUntyped: true }]
    }
    case "Gauge":
      return [{ name, isUntyped: /_(total|count|sum|bucket)$/.test(name) }]
    case "Histogram":
    case "Summary":
    case undefined:
      return [{ name, isUntyped: false }]
  }
}

const piecesOf = (series: Series): ReadonlyArray<Series> => {
  const first = series[0]?.[1]
  const size = first?.type === "Histogram" || first?.type === "Summary" ? linesAtOnce / 20 : linesAtOnce
  return Array.from(
    { length: Math.ceil(series.length / size) },
    (_, index) => series.slice(index * size, (index + 1) * size)
  )
}

const format = (context: Context.Context<never>, series: Series, { isUntyped, name }: Written): string => {
  const registry: Registry = new Map(series)
  const text = PrometheusMetrics.formatUnsafe(Context.add(context, Metric.MetricRegistry, registry), {
    metricNameMapper: () => name
  })
  return isUntyped ? text.replace(/^# TYPE (\S+) .*$/m, "# TYPE $1 untyped") : text
}
