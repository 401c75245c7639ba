/**
 * Series in Effect's registry of metrics: how each is read at a scrape, and who publishes it.
 *
 * A registry keeps the latest series of a name alone. Here all are kept, so that one that is still there is seen again when
 * the latest is gone.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { boundaries, type Durations, type Series } from "../model/metrics.ts"

/** A series that can be registered: its name, and the way to read it. */
export interface Readable {
  readonly key: string
  readonly registerIn: (context: Context.Context<never>) => Metric.Registration
}

export const gaugeOf = ({ name, ...options }: Series, read: () => number): Readable =>
  readable(Metric.gauge(name, options), options, () => ({ value: natural(read()) }))

export const counterOf = ({ name, ...options }: Series, read: () => number): Readable =>
  readable(Metric.counter(name, { ...options, incremental: true }), options, () => ({
    count: natural(read()),
    incremental: true
  }))

export const histogramOf = (
  { name, ...options }: Series,
  durations: Durations,
  zeros: () => number,
  edges: ReadonlyArray<number> = boundaries
): Readable => {
  const milliseconds = edges.map((edge) => edge * 1000)
  return readable(Metric.histogram(name, { ...options, boundaries: edges }), options, () => {
    const atOnce = natural(zeros())
    const counts = durations.cumulative(milliseconds, atOnce)
    return {
      buckets: edges.map((boundary, index): [number, number] => [boundary, counts[index] ?? 0]),
      count: durations.count + atOnce,
      sum: natural(durations.sum) / 1000,
      min: atOnce > 0 ? 0 : natural(durations.min) / 1000,
      max: natural(durations.max) / 1000
    }
  })
}

/** A scrape must not show a number that breaks the arithmetic of whoever reads it. */
const natural = (n: number): number => Number.isFinite(n) && n > 0 ? n : 0

/** The one place that touches the unstable part of Effect's metrics. */
const readable = <Input, State>(
  metric: Metric.Metric<Input, State>,
  { attributes }: Pick<Series, "attributes">,
  get: () => State
): Readable => ({
  key: JSON.stringify([metric.type, metric.id, Object.entries(attributes).toSorted()]),
  registerIn: (context) => Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} })
})

interface Holding {
  readonly register: () => Metric.Registration
  registration: Metric.Registration
}

/** The publishers of each series by registry, the latest last. */
const holdings = new WeakMap<object, Map<string, Array<Holding>>>()

const keyIn = (context: Context.Context<never>, { key }: Readable): string =>
  `${key} ${JSON.stringify(Context.get(context, Metric.CurrentMetricAttributes))}`

/** Registers a series, and gives the way to take it back: one of the same name that is still there is seen again. */
export const publishIn = (context: Context.Context<never>, series: Readable): () => void => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const all = holdings.get(registry) ?? new Map<string, Array<Holding>>()
  holdings.set(registry, all)
  const key = keyIn(context, series)
  const register = (): Metric.Registration => series.registerIn(context)
  const holding: Holding = { register, registration: register() }
  const before = all.get(key)
  if (before === undefined) all.set(key, [holding])
  else before.push(holding)
  return () => {
    holding.registration.remove()
    const left = (all.get(key) ?? []).filter((other) => other !== holding)
    const latest = left.at(-1)
    if (latest === undefined) all.delete(key)
    else {
      all.set(key, left)
      latest.registration = latest.register()
    }
  }
}

/** Whether somebody publishes a series of the same name and labels. */
export const isPublished = (context: Context.Context<never>, series: Readable): boolean =>
  holdings.get(Context.get(context, Metric.MetricRegistry))?.has(keyIn(context, series)) === true
