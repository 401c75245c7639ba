/**
 * The numbers of a pool as metrics of Effect's registry, for Prometheus and OpenTelemetry.
 *
 * They are *pulled*: a pool counts in plain fields anyway, and a scrape reads those. A lease pays nothing for its
 * metrics. The series of a pool disappear with its scope.
 *
 * How many connections there are is told twice: `<kind>_pool_connections`, and `<kind>_pool_connections_total`, a name
 * that many dashboards have, though Prometheus keeps `_total` for counters.
 *
 * Every series `<kind>_pool_...` has the label `pool`. Those of a pool that a `BalancedPool` is over have the balanced
 * pool's name there, and their own in the label `upstream`: they join by `pool`, and a sum counts nothing twice. Pools
 * of databases and of Redis publish OpenTelemetry's `db.client.connection.*` as well.
 *
 * Series by `fairKey` are those of the twenty busiest keys at the last scrape but one, and one of all others together
 * (`other`); callers without a key have an empty one.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LimitedBy } from "./internal/model/limit.ts"
import type { Durations, Series } from "./internal/model/metrics.ts"
import { priorities, type TrafficStats } from "./internal/model/traffic.ts"
import { Histogram } from "./internal/watch/histogram.ts"
import { KeySeries } from "./internal/watch/keySeries.ts"
import { counterOf, gaugeOf, histogramOf, isPublished, publishIn, type Readable } from "./internal/watch/series.ts"
import type { PoolConfig } from "./PoolConfig.ts"
import { noCounts, type PoolNumbers } from "./PoolStats.ts"

export { boundaries, type Durations, type Series } from "./internal/model/metrics.ts"

/**
 * Where the metrics of a pool come from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly config: PoolConfig
  /** Read once for each series. */
  readonly numbers: () => PoolNumbers
  readonly histograms: {
    /** Waits longer than nothing; leases acquired at once are added from the counts. */
    readonly wait: Durations
    readonly use: Durations
    readonly open: Durations
    readonly lifetime: Durations
  }
  /** Callers that wait and are served, by priority and key. */
  readonly traffic?: (() => TrafficStats) | undefined
  /** Whether a budget grants the pool its connections. Default false. */
  readonly isBudgeted?: boolean | undefined
  /** How long operations took, by their kind: those there are, and each new one. `undefined` ends it. */
  readonly watchOperations?: ((onKind: ((kind: string, time: Durations) => void) | undefined) => void) | undefined
}

/** The bounds of lifetimes: seconds to a day. Edges of the recorded buckets, like `boundaries`. */
const lifetimes = [1.024, 10.24, 61.44, 327.68, 655.36, 1835.008, 3670.016, 7340.032, 14_680.064, 83_886.08]

/**
 * Publishes the metrics of a pool until the scope closes.
 *
 * A registry that has two pools of the same kind and name shows the later one only, until it is gone.
 *
 * @category constructors
 * @since 0.1.0
 */
export const register = (source: Source): Effect.Effect<void, never, Scope.Scope> => {
  const { config } = source
  const acquire = Effect.map(Effect.context<never>(), (context) => {
    const publishAs = (labels: Labels): () => void => {
      const stops = seriesOf(source, labels).map((series) => publishIn(context, series))
      source.watchOperations?.((kind, time) => {
        stops.push(publishIn(context, operationsOf(source, labels, kind, time)))
      })
      const ofTraffic = publishTraffic(context, source, labels)
      return () => {
        source.watchOperations?.(undefined)
        ofTraffic()
        stops.forEach((stop) => stop())
      }
    }
    let stop = publishAs({ pool: config.name })
    relabel.set(config, (labels) => {
      stop()
      stop = publishAs(labels)
    })
    return () => {
      relabel.delete(config)
      stop()
    }
  })
  return Effect.asVoid(Effect.acquireRelease(acquire, (stop) => Effect.sync(stop)))
}

/**
 * Whether a pool of the same kind and name publishes its metrics already: two layers of one class, most often.
 *
 * @category operations
 * @since 0.1.0
 */
export const isTaken = ({ kind, name }: PoolConfig): Effect.Effect<boolean> =>
  Effect.map(Effect.context<never>(), (context) => {
    const series = { name: `${kind}_pool_connections_total`, description: "", attributes: { pool: name } }
    return isPublished(context, gaugeOf(series, () => 0))
  })

/** The label `pool`, and of one that a balanced pool is over the label `upstream`. */
interface Labels {
  readonly pool: string
  readonly upstream?: string
}

/** By the configuration, which a decorated pool shares with the one that published. */
const relabel = new WeakMap<PoolConfig, (labels: Labels) => void>()

/**
 * For pools that are made of others: puts the series of one of those below the name of the whole until the scope
 * closes. It does nothing where the pool publishes none.
 *
 * @category operations
 * @since 0.1.0
 */
export const adopt = (upstream: PoolConfig, pool: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => relabel.get(upstream)?.({ pool, upstream: upstream.name })),
    () => Effect.sync(() => relabel.get(upstream)?.({ pool: upstream.name }))
  ))

/**
 * Publishes a histogram of one's own until the scope closes, and gives the function that records a duration in
 * milliseconds. A record costs a few nanoseconds and no memory.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTimer = (series: Series): Effect.Effect<(ms: number) => void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const histogram = new Histogram()
    const publish = Effect.map(
      Effect.context<never>(),
      (context) => publishIn(context, histogramOf(series, histogram, () => 0))
    )
    return Effect.as(Effect.acquireRelease(publish, (stop) => Effect.sync(stop)), (ms: number) => histogram.record(ms))
  })

/**
 * Publishes a counter of one's own until the scope closes. It is read at each scrape.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeCounter = (series: Series, read: () => number): Effect.Effect<void, never, Scope.Scope> => {
  const publish = Effect.map(Effect.context<never>(), (context) => publishIn(context, counterOf(series, read)))
  return Effect.asVoid(Effect.acquireRelease(publish, (stop) => Effect.sync(stop)))
}

/**
 * Publishes a gauge of one's own until the scope closes. It is read at each scrape.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeGauge = (series: Series, read: () => number): Effect.Effect<void, never, Scope.Scope> => {
  const publish = Effect.map(Effect.context<never>(), (context) => publishIn(context, gaugeOf(series, read)))
  return Effect.asVoid(Effect.acquireRelease(publish, (stop) => Effect.sync(stop)))
}

type Read = (numbers: PoolNumbers) => number

const seriesOf = (source: Source, labels: Labels): ReadonlyArray<Readable> => [
  ...poolMetrics(source, labels),
  ...(source.isBudgeted === true ? budgetMetrics(source, labels) : []),
  ...(source.config.isDatabase ? openTelemetry(source, labels) : [])
]

/** The series of a pool that shares a budget. */
const budgetMetrics = ({ config: { kind }, numbers }: Source, labels: Labels): ReadonlyArray<Readable> => {
  const gauge = (suffix: string, description: string, read: Read): Readable =>
    gaugeOf({ name: `${kind}_pool_budget_${suffix}`, description, attributes: { ...labels } }, () => read(numbers()))
  return [
    gauge("granted", "Connections that its budget grants the pool", ({ budget }) => budget?.grant ?? 0),
    gauge("wanted", "Connections that the pool could use", ({ budget }) => budget?.wants ?? 0)
  ]
}

const poolMetrics = (source: Source, own: Labels): ReadonlyArray<Readable> => {
  const { config: { kind }, histograms, numbers } = source
  const series = (suffix: string, description: string, labels: Readonly<Record<string, string>> = {}): Series => ({
    name: `${kind}_pool_${suffix}`,
    description,
    attributes: { ...own, ...labels }
  })
  const labelled = (suffix: string, description: string, label: string, reads: Readonly<Record<string, Read>>) =>
    Object.entries(reads).map(([value, read]) =>
      counterOf(series(suffix, description, { [label]: value }), () => read(numbers()))
    )
  return [
    ...gauges.map(([suffix, description, read]) => gaugeOf(series(suffix, description), () => read(numbers()))),
    ...counters.map(([suffix, description, read]) => counterOf(series(suffix, description), () => read(numbers()))),
    ...Object.entries(limited).map(([by, read]) =>
      gaugeOf(series("limited", "1 for the bound that decides the live limit, else 0", { by }), () => read(numbers()))
    ),
    ...labelled("errors_total", "What went wrong, by type", "type", errors),
    ...labelled("connections_retired_total", "Connections given up, by reason", "reason", retired),
    ...labelled("lease_ends_total", "Leases ended, by how the borrower's effect ended", "end", ended),
    histogramOf(
      series("acquire_duration_seconds", "How long callers waited for a connection", inSeconds),
      histograms.wait,
      () => numbers().counts.acquiredAtOnce
    ),
    histogramOf(
      series("use_duration_seconds", "How long borrowers held a connection", inSeconds),
      histograms.use,
      noZeros
    ),
    histogramOf(
      series("open_duration_seconds", "How long dials took that succeeded", inSeconds),
      histograms.open,
      noZeros
    ),
    histogramOf(
      series("connection_lifetime_seconds", "How long connections had lived that are closed", inSeconds),
      histograms.lifetime,
      noZeros,
      lifetimes
    )
  ]
}

const operationsOf = ({ config }: Source, own: Labels, kind: string, time: Durations): Readable =>
  histogramOf(
    {
      name: `${config.kind}_pool_query_duration_seconds`,
      description: "How long statements, commands, requests and messages took, without the wait for a connection",
      attributes: { ...own, query_type: kind, ...inSeconds }
    },
    time,
    noZeros
  )

/** Series of the level and the priorities, and those of the busiest keys, which are looked for at each scrape. */
const publishTraffic = (context: Context.Context<never>, source: Source, own: Labels): () => void => {
  const { config: { kind }, traffic } = source
  if (traffic === undefined) return () => {}
  const series = (suffix: string, description: string, labels: Readonly<Record<string, string>> = {}): Series => ({
    name: `${kind}_pool_${suffix}`,
    description,
    attributes: { ...own, ...labels }
  })
  const gauge = (of: Series, read: () => number): () => void => publishIn(context, gaugeOf(of, read))
  const keys = new KeySeries((key, shown) => {
    const stops = [
      gauge(series("key_waiting_requests", "Callers that wait, by fairKey", { key }), () => shown.pending),
      gauge(series("key_leases", "Leases that hold a connection, by fairKey", { key }), () => shown.used)
    ]
    return () => stops.forEach((stop) => stop())
  })
  const stops = [
    gauge(series("degradation_level", "The level of degradation, 0 to 4"), () => {
      const { keys: busiest, level } = traffic()
      keys.refresh(busiest)
      return level
    }),
    ...priorities.flatMap((priority) => [
      gauge(
        series("priority_waiting_requests", "Callers that wait, by priority", { priority }),
        () => traffic().pending[priority]
      ),
      gauge(
        series("priority_refused_ratio", "The part of newcomers that is refused, by priority", { priority }),
        () => traffic().refused[priority]
      )
    ])
  ]
  return () => {
    stops.forEach((stop) => stop())
    keys.end()
  }
}

// OTLP reads the unit from here; Prometheus leaves it out.
const inSeconds = { unit: "s" }
const noZeros = (): number => 0

const gauges: ReadonlyArray<readonly [suffix: string, description: string, read: Read]> = [
  ["connections", "Connections that count against the limit", (numbers) => numbers.total],
  ["connections_total", "Connections that count against the limit", (numbers) => numbers.total],
  ["connections_idle", "Connections ready to be lent", (numbers) => numbers.idle],
  ["connections_active", "Connections lent to a borrower", (numbers) => numbers.used],
  ["connections_opening", "Connections being opened", (numbers) => numbers.opening],
  ["connections_checking", "Connections being validated or reset", (numbers) => numbers.checking],
  ["connections_closing", "Connections being closed", (numbers) => numbers.closing],
  ["connections_min", "The smallest number of connections kept open", (numbers) => numbers.minConnections],
  ["connections_max", "The live limit of connections", (numbers) => numbers.limit],
  ["waiting_requests", "Callers that wait for a connection", (numbers) => numbers.pending],
  [
    "oldest_waiter_seconds",
    "How long the first caller in the queue has waited",
    (numbers) => numbers.oldestWaiter / 1000
  ],
  ["utilization_percent", "Connections lent as a share of the limit", (numbers) => numbers.utilization],
  ["breaker_open", "1 while the breaker around dials is open, else 0", (numbers) => numbers.breaker === "open" ? 1 : 0]
]

const isBound = (bound: LimitedBy): Read => ({ limitedBy }) => limitedBy === bound ? 1 : 0

const limited: Readonly<Record<LimitedBy, Read>> = {
  maxConnections: isBound("maxConnections"),
  setLimit: isBound("setLimit"),
  sizing: isBound("sizing"),
  server: isBound("server"),
  budget: isBound("budget")
}

const acquired: Read = ({ counts }) => counts.acquiredAtOnce + counts.acquiredAfterWaiting

const released: Read = ({ counts: { ended } }) => ended.success + ended.failure + ended.defect + ended.interrupt

const counters: ReadonlyArray<readonly [suffix: string, description: string, read: Read]> = [
  ["acquire_total", "Leases begun", acquired],
  ["release_total", "Leases ended", released],
  ["timeouts_total", "Callers that gave up at their acquireTimeout", ({ counts }) => counts.timedOut],
  ["connections_opened_total", "Connections opened", ({ counts }) => counts.opened],
  ["connections_closed_total", "Connections closed", ({ counts }) => counts.closed],
  ["leaks_suspected_total", "Leases held longer than leakTimeout", ({ counts }) => counts.leaksSuspected]
]

/** How each count of a group is read. */
function readsOf(group: "retired" | "ended"): Readonly<Record<string, Read>> {
  const read = (name: string): Read => ({ counts }) => (counts[group] as Readonly<Record<string, number>>)[name]!
  return Object.fromEntries(Object.keys(noCounts[group]).map((name) => [name, read(name)]))
}

const errors: Readonly<Record<string, Read>> = {
  timeout: ({ counts }) => counts.timedOut,
  refused: ({ counts }) => counts.refused,
  failed: ({ counts }) => counts.failed,
  connect: ({ counts }) => counts.failedToOpen,
  validate: ({ counts }) => counts.failedToValidate,
  reset: ({ counts }) => counts.failedToReset,
  close: ({ counts }) => counts.closesTimedOut,
  query: ({ counts }) => counts.operations.failed,
  caller: ({ counts }) => counts.operations.rejected
}

const retired = readsOf("retired")

const ended = readsOf("ended")

/** The metrics of OpenTelemetry's semantic conventions for database clients. */
const openTelemetry = (
  { histograms, numbers }: Source,
  { pool, ...upstream }: Labels
): ReadonlyArray<Readable> => {
  const series = (suffix: string, description: string, unit: string, state?: string): Series => ({
    name: `db.client.connection.${suffix}`,
    description,
    attributes: {
      unit,
      "db.client.connection.pool.name": pool,
      ...upstream,
      ...(state === undefined ? {} : { "db.client.connection.state": state })
    }
  })
  const count = (state: string): Series => series("count", "Connections, by state", "{connection}", state)
  const limit = (suffix: string, description: string): Series => series(suffix, description, "{connection}")
  return [
    gaugeOf(count("idle"), () => numbers().idle),
    gaugeOf(count("used"), () => numbers().used),
    gaugeOf(limit("idle.max", "The most idle connections allowed"), () => numbers().limit),
    gaugeOf(limit("idle.min", "The fewest idle connections kept"), () => numbers().minConnections),
    gaugeOf(limit("max", "The most connections allowed"), () => numbers().limit),
    gaugeOf(series("pending_requests", "Callers that wait", "{request}"), () => numbers().pending),
    counterOf(series("timeouts", "Callers that gave up", "{timeout}"), () => numbers().counts.timedOut),
    histogramOf(series("create_time", "Time to open a connection", "s"), histograms.open, noZeros),
    histogramOf(
      series("wait_time", "Time to get a connection", "s"),
      histograms.wait,
      () => numbers().counts.acquiredAtOnce
    ),
    histogramOf(series("use_time", "Time a connection was held", "s"), histograms.use, noZeros)
  ]
}
