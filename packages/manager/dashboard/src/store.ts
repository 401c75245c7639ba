/** The store of the page: filled by the stream and by reading, shown by the views. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals"
import type * as Api from "../../src/MonitoringApi.ts"
import type { Happening } from "./happenings.ts"
import { isOvertaken, Series } from "./series.ts"

/** The numbers of a pool that change all the time, from whichever source came last. */
type Now = Pick<
  Api.Sample,
  "at" | "state" | "status" | "breaker" | "used" | "idle" | "pending" | "opening" | "total" | "limit"
>

export interface PoolModel {
  readonly name: string
  readonly kind: Api.Kind
  /** As last read from `/pools`. */
  readonly read: Signal<Api.Pool>
  readonly now: Signal<Now>
  readonly sample: Signal<Api.Sample | undefined>
  readonly series: Series
}

export const pools = signal<ReadonlyArray<PoolModel>>([])
export const fleet = signal<Api.Fleet | undefined>(undefined)
export const fleetSeries = new Series()
/** Leases and failures per second, and the share of failures, between the last two samples. */
export const fleetRates = signal<{ readonly acquired: number; readonly failureRate: number } | undefined>(undefined)
export const actions = signal(false)
export const currentAlerts = signal<ReadonlyArray<Api.Alert>>([])
export const clearedAlerts = signal<ReadonlyArray<Api.Alert>>([])
/** Grows when there is something new to draw. */
export const drawn = signal(0)
export const sampleInterval = signal(2000)

export const instance = signal<string | undefined>(undefined)

/** Server's clock minus ours, ms: durations since something happened are told by the server's. */
const skew = signal(0)
/** Ticks each second for texts such as `12 s ago`. */
export const tick = signal(performance.now())
setInterval(() => {
  tick.value = performance.now()
}, 1000)

export const serverNow: ReadonlySignal<number> = computed(() => {
  void tick.value
  return Date.now() + skew.value
})

export const told = (at: number): void => {
  skew.value = at - Date.now()
}

export const poolNamed = (name: string): PoolModel | undefined => pools.value.find((pool) => pool.name === name)

/** Everything but the log: what a new server tells has nothing to do with what the one before told. */
export const reset = (): void => {
  pools.value = []
  fleet.value = undefined
  sampled = undefined
  fleetRates.value = undefined
  fleetSeries.replace([])
  currentAlerts.value = []
  clearedAlerts.value = []
}

export const keepPools = (answer: Api.Pools): void =>
  batch(() => {
    told(answer.at)
    actions.value = answer.actions
    fleet.value = answer.fleet
    const known = new Map(pools.value.map((pool) => [pool.name, pool]))
    const isSame = answer.pools.length === known.size && answer.pools.every(({ name }) => known.has(name))
    const models = answer.pools.map((pool) => update(known.get(pool.name) ?? made(pool, answer.at), pool, answer.at))
    if (!isSame) pools.value = models
  })

const made = (pool: Api.Pool, at: number): PoolModel => ({
  name: pool.name,
  kind: pool.kind,
  read: signal(pool),
  now: signal(nowOf(pool, at)),
  sample: signal(undefined),
  series: new Series()
})

const update = (model: PoolModel, pool: Api.Pool, at: number): PoolModel => {
  model.read.value = pool
  if (!isOvertaken(at, model.now.peek().at)) model.now.value = nowOf(pool, at)
  return model
}

const nowOf = ({ health, stats }: Api.Pool, at: number): Now => ({
  at,
  state: stats.state,
  status: health.status,
  breaker: stats.breaker,
  used: stats.used,
  idle: stats.idle,
  pending: stats.pending,
  opening: stats.opening,
  total: stats.total,
  limit: stats.limit
})

export const keepHistory = (answer: Api.History): void => {
  for (const { name, samples } of answer.pools) {
    const model = poolNamed(name)
    model?.series.replace(samples)
    if (model !== undefined) model.sample.value = samples.at(-1)
  }
  fleetSeries.replace(addUp(answer.pools.map(({ samples }) => samples)))
  drawn.value++
}

export const keepSampled = ({ at, fleet: next, pools }: Extract<Api.Message, { readonly _tag: "Sampled" }>): void => {
  told(at)
  for (const { name, sample } of pools) {
    const model = poolNamed(name)
    if (model === undefined) continue
    model.series.push(sample)
    model.sample.value = sample
    if (!isOvertaken(at, model.now.peek().at)) model.now.value = sample
  }
  fleetSeries.push(sum(pools.map(({ sample }) => sample), at))
  fleetRates.value = ratesOf(pools.map(({ sample }) => sample), sampled, next)
  sampled = next
  fleet.value = next
  drawn.value++
}

/** The fleet as of the last sample: what is read in between would make the time of the rates shorter. */
let sampled: Api.Fleet | undefined

const ratesOf = (samples: ReadonlyArray<Api.Sample>, before: Api.Fleet | undefined, next: Api.Fleet) => {
  const acquired = samples.reduce((sum, { acquireRate }) => sum + acquireRate, 0)
  const failures = next.failures - (before?.failures ?? next.failures)
  const attempts = failures + next.acquired - (before?.acquired ?? next.acquired)
  return { acquired, failureRate: attempts > 0 ? failures / attempts : 0 }
}

/** The happenings of all pools, with their names, the oldest first. */
export const fleetHappenings = (): ReadonlyArray<Happening> =>
  pools.peek()
    .flatMap(({ name, series }) => series.happenings.all.map((each) => ({ ...each, text: `${name}: ${each.text}` })))
    .toSorted((a, b) => a.from - b.from)

const addUp = (histories: ReadonlyArray<ReadonlyArray<Api.Sample>>): ReadonlyArray<Api.Sample> => {
  const rounds = new Map<number, Array<Api.Sample>>()
  for (const sample of histories.flat()) {
    const round = rounds.get(sample.at)
    if (round === undefined) rounds.set(sample.at, [sample])
    else round.push(sample)
  }
  return Array.from(rounds, ([at, samples]) => sum(samples, at)).toSorted((a, b) => a.at - b.at)
}

const sum = (samples: ReadonlyArray<Api.Sample>, at: number): Api.Sample => {
  const of = (key: "used" | "idle" | "pending" | "opening" | "total" | "limit" | "acquireRate"): number =>
    samples.reduce((sum, sample) => sum + sample[key], 0)
  return {
    at,
    state: "open",
    status: "healthy",
    breaker: "closed",
    cause: null,
    used: of("used"),
    idle: of("idle"),
    pending: of("pending"),
    opening: of("opening"),
    total: of("total"),
    limit: of("limit"),
    acquireRate: of("acquireRate"),
    failureRate: 0,
    wait: null
  }
}

/** How many cleared alerts are kept. */
const clearedKept = 100

export const keepAlerts = (answer: Api.Alerts): void => {
  currentAlerts.value = answer.current
  clearedAlerts.value = answer.cleared
}

export const keepAlert = (alert: Api.Alert): void => {
  const others = currentAlerts.peek().filter(({ id }) => id !== alert.id)
  if (alert.clearedAt === null) currentAlerts.value = [...others, alert].toSorted(worstFirst)
  else {
    currentAlerts.value = others
    const cleared = clearedAlerts.peek().filter(({ id }) => id !== alert.id)
    clearedAlerts.value = [alert, ...cleared].slice(0, clearedKept)
  }
}

const worstFirst = (a: Api.Alert, b: Api.Alert): number =>
  Number(b.level === "critical") - Number(a.level === "critical") || a.raisedAt - b.raisedAt
