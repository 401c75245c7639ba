/**
 * One number of connections for several pools, and for several processes.
 *
 * A server has a limit for all who connect to it (`max_connections` of PostgreSQL, `maxclients` of Redis), and each pool of
 * each process has its own: the sum is right on the day it is set, and wrong when a replica is added or a deploy runs both
 * versions at once. Pools under a budget share its `total` instead, and its sockets never exceed it, those being opened and
 * closed included.
 *
 * **When to use**
 *
 * - `layer` when several pools of one process share a server: a primary pool and one for reports, a pool per tenant
 * - `layerRedis` when several processes do
 *
 * **Details**
 *
 * A pool takes part if the budget is provided to its layer, and no other: the scope of the layer says which pools share.
 * Each server has a budget of its own, so provide it to the pools of that server alone. The pools of one budget are of one
 * kind as a rule; if they are not, a warning says so, since a budget for PostgreSQL must not count connections to Redis. So does
 * one when a process makes two of one name, most often because a function makes a layer for each call: each would count its own
 * pools.
 *
 * ```ts
 * import { ConnectionBudget, ConnectionPool, type Connector } from "@effect-pools/core"
 * import { Layer } from "effect"
 *
 * declare const connector: Connector.Connector<object>
 *
 * class Primary extends ConnectionPool.Service<Primary, object>()("app/Primary") {}
 * class Reports extends ConnectionPool.Service<Reports, object>()("app/Reports") {}
 *
 * const Pools = Layer.mergeAll(
 *   Primary.layer(connector, { maxConnections: 25 }),
 *   Reports.layer(connector, { maxConnections: 25 })
 * ).pipe(Layer.provide(ConnectionBudget.layer({ name: "primary", total: 30 })))
 * ```
 *
 * - what a pool wants is shared max-min fair: the one that wants least gets all of it, the rest is shared evenly
 * - a pool has its `floor` in any case, or its `minConnections` if these are more
 * - a pool that wants more than it is granted waits and asks; one that is idle gives back within seconds, but only what
 *   another wants, and a connection that is lent only when it comes back
 * - each upstream of a balanced pool and each server of a cluster is a pool of its own here
 *
 * `stats` of a pool tells its part (`budget`), and `ConnectionBudget` has the whole.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as ConfigInput from "./ConfigInput.ts"
import { describeCause, oneLine } from "./Describe.ts"
import { asynchronous } from "./internal/base/scheduler.ts"
import { steadyMillis } from "./internal/base/time.ts"
import { keep } from "./internal/budget/book.ts"
import { Fleet } from "./internal/budget/fleet.ts"
import { Ledger } from "./internal/budget/ledger.ts"
import * as RedisStore from "./internal/budget/redisStore.ts"
import type { Store } from "./internal/budget/store.ts"
import type { BudgetProcess, BudgetStats } from "./internal/model/budget.ts"
import { gaugeOf, isPublished } from "./internal/watch/series.ts"
import * as OptionRules from "./OptionRules.ts"
import { PoolError } from "./PoolError.ts"
import * as PoolMetrics from "./PoolMetrics.ts"

export type {
  BudgetMember,
  BudgetPool,
  BudgetProcess,
  BudgetStats,
  BudgetStoreState,
  PoolBudget
} from "./internal/model/budget.ts"

/**
 * The options of a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetOptions {
  /** Its name in stats, metrics, logs and errors, 200 characters at most. Default `budget`. */
  readonly name?: string | undefined
  /**
   * The most connections of all its pools together, at least 1. Leave room below the server's own limit for those that are
   * in no budget: superusers, migrations, `psql`. Too small: callers wait although the server could serve them. Too large:
   * the server refuses connections.
   */
  readonly total: number
  /**
   * How many connections each pool may have in any case, at least 0; a pool with larger `minConnections` has these. Default
   * 1. Too small: a pool that was idle waits until another gives up a connection. Too large: connections that a busy pool
   * could use are kept for idle ones.
   */
  readonly floor?: number | undefined
}

/**
 * The options of a budget that processes share.
 *
 * @category models
 * @since 0.1.0
 */
export interface FleetOptions extends BudgetOptions {
  /** Processes that give the same name in the same Redis share the budget. */
  readonly name: string
  /** The name of this process on pages, 100 characters at most. By default a random one. */
  readonly process?: string | undefined
}

/**
 * A budget as its readers see it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Budget {
  readonly name: string
  readonly stats: Effect.Effect<BudgetStats>
  /**
   * The processes that share the budget, the 100 that hold most at most: asked of the store, so it fails with
   * `BudgetStoreFailed` when that can't answer. A budget of one process has one.
   */
  readonly processes: Effect.Effect<ReadonlyArray<BudgetProcess>, BudgetStoreFailed>
}

/**
 * The store of a budget could not be asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class BudgetStoreFailed extends Data.TaggedError("BudgetStoreFailed")<{
  readonly budget: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `the store of the budget “${this.budget}” could not be asked: ${describeCause(this.cause)}`
  }
}

/**
 * The budget that pools find in their context.
 *
 * @category services
 * @since 0.1.0
 */
export class ConnectionBudget
  extends Context.Service<ConnectionBudget, Budget>()("@effect-pools/core/ConnectionBudget")
{}

/**
 * Makes a budget for the pools of this process, that lives until the scope closes.
 *
 * Fails with `PoolError` of the reason `InvalidOption` for a bad option. So does a pool for whose floor there is no room in
 * the budget.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(
  function*(options: BudgetOptions): Effect.fn.Return<Budget, PoolError, Scope.Scope> {
    const settings = yield* checked(rules, options)
    const { ledger } = yield* begin(settings)
    if (yield* isNamed(settings.name)) {
      yield* Effect.annotateLogs(Effect.logWarning(secondOfItsName), { budget: settings.name })
    }
    const processes = Effect.sync((): ReadonlyArray<BudgetProcess> => [
      { id: settings.name, name: settings.name, grant: ledger.holds, wants: ledger.wants, age: 0, isSelf: true }
    ])
    return yield* budgetOf(ledger, settings, processes)
  }
)

/**
 * Makes a budget that processes share, in the `Redis` of `effect/persistence`, such as a Redis pool's.
 *
 * When it returns, the store has answered or not for a second. The pool of that Redis must not be under the budget.
 *
 * - Each process reports what it holds and wants every 5 seconds, and when that changes. One that has not reported for 15
 *   seconds is dead, and its part is free.
 * - A process that is told to have less closes connections first and reports it then, so the server never sees more than
 *   `total`: in a rolling deploy the old version's connections count until they are closed.
 * - While the store can't be asked, a process keeps what it has, and no lease fails for it. It opens no more than it was
 *   granted last; after 14 seconds without an answer no more than an even part, but its floors in any case. One that begins
 *   then opens its floors at once.
 * - When a store comes back that has forgotten everything, nobody grows for 7 seconds beyond its floors, until all have
 *   reported.
 * - Processes that say different totals share the smallest, and say so in the log.
 *
 * No clock of a process matters: leases are reckoned by the store's clock, and by the process's steady one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeRedis = Effect.fnUntraced(
  function*(options: FleetOptions): Effect.fn.Return<Budget, PoolError, Redis.Redis | Scope.Scope> {
    const settings = yield* checked(fleetRules, options)
    return yield* makeFleet(settings, options.process, RedisStore.make(yield* Redis.Redis, settings.name))
  }
)

/**
 * `make` as a layer, for the pools that it is provided to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: BudgetOptions): Layer.Layer<ConnectionBudget, PoolError> =>
  Layer.effect(ConnectionBudget, make(options))

/**
 * `layer` with options read from the configuration: each is a value, or a `Config` of one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: ConfigInput.ConfigInput<BudgetOptions>
): Layer.Layer<ConnectionBudget, PoolError | Config.ConfigError> =>
  Layer.effect(ConnectionBudget, Effect.flatMap(ConfigInput.unwrap(options), make))

/**
 * `makeRedis` as a layer, for the pools that it is provided to.
 *
 * ```ts
 * import { ConnectionBudget, ConnectionPool, type Connector } from "@effect-pools/core"
 * import { Layer } from "effect"
 * import type { Redis } from "effect/persistence"
 *
 * declare const connector: Connector.Connector<object>
 * declare const redis: Layer.Layer<Redis.Redis>
 *
 * class Primary extends ConnectionPool.Service<Primary, object>()("app/Primary") {}
 *
 * const Pools = Primary.layer(connector, { maxConnections: 25 }).pipe(
 *   Layer.provide(ConnectionBudget.layerRedis({ name: "primary", total: 90, floor: 2 })),
 *   Layer.provide(redis)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedis = (options: FleetOptions): Layer.Layer<ConnectionBudget, PoolError, Redis.Redis> =>
  Layer.effect(ConnectionBudget, makeRedis(options))

/**
 * `layerRedis` with options read from the configuration: each is a value, or a `Config` of one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedisConfig = (
  options: ConfigInput.ConfigInput<FleetOptions>
): Layer.Layer<ConnectionBudget, PoolError | Config.ConfigError, Redis.Redis> =>
  Layer.effect(ConnectionBudget, Effect.flatMap(ConfigInput.unwrap(options), makeRedis))

interface Settings {
  readonly name: string
  readonly total: number
  readonly floor: number
}

const nameRule = (most: number): OptionRules.Rule => ({
  expects: `a text of 1 to ${most} characters without control characters`,
  // oxlint-disable-next-line no-control-regex -- these are what the rule is about
  is: (value) => typeof value === "string" && value.length >= 1 && value.length <= most && !/[\0-\x1f\x7f]/.test(value)
})

const rules: OptionRules.Rules<BudgetOptions> = {
  name: nameRule(200),
  total: OptionRules.count(1),
  floor: OptionRules.count(0)
}

const fleetRules: OptionRules.Rules<FleetOptions> = { ...rules, process: nameRule(100) }

const checked = <Options extends BudgetOptions>(
  rules: OptionRules.Rules<Options>,
  options: Options
): Effect.Effect<Settings, PoolError> => {
  const { floor = 1, name = "budget", total } = options
  const complete = { ...options, total: total ?? NaN }
  const result = Result.flatMap(
    OptionRules.check(rules, complete),
    () => floor > total ? OptionRules.refuse("floor", `must be at most total (${total}), got ${floor}`) : done
  )
  return Result.match(result, {
    onFailure: (reason) =>
      Effect.fail(new PoolError({ pool: typeof name === "string" ? oneLine(name) : "budget", reason })),
    onSuccess: () => Effect.succeed({ name, total, floor })
  })
}

const done = Result.succeed(undefined)

/** The shares that every budget has, reckoned on a steady clock and never within the change of a pool. */
const begin = Effect.fnUntraced(function*({ name, total }: Settings) {
  const clock = yield* Clock.Clock
  const dispatcher = asynchronous(yield* Scheduler.Scheduler).makeDispatcher()
  const now = () => steadyMillis(clock)
  const ledger = new Ledger({ name, total, now, later: (run) => dispatcher.scheduleTask(run, 0) })
  yield* Effect.forkScoped(ledger.run)
  return { ledger, now }
})

const makeFleet = Effect.fnUntraced(function*(settings: Settings, process: string | undefined, store: Store) {
  const { ledger, now } = yield* begin(settings)
  const random = yield* Random.Random
  const id = `${random.nextIntUnsafe()}-${random.nextIntUnsafe()}`
  const fleet = new Fleet({
    ledger,
    store,
    now,
    random,
    options: { total: settings.total, id, label: process ?? id }
  })
  yield* fleet.report
  yield* Effect.addFinalizer(() => fleet.leave)
  yield* Effect.forkScoped(fleet.run)
  const processes = Effect.mapError(
    fleet.processes,
    (cause) => new BudgetStoreFailed({ budget: settings.name, cause })
  )
  return yield* budgetOf(ledger, settings, processes)
})

const budgetOf = Effect.fnUntraced(
  function*(ledger: Ledger, { floor, name, total }: Settings, processes: Budget["processes"]) {
    const stats = (): BudgetStats => {
      const { othersHold, processes, store, total } = ledger.around
      const { allowance, has, pools, wants } = ledger
      return { name, total, granted: allowance, has, wants, othersHold, processes, store, pools }
    }
    for (const [suffix, description, read] of gauges) {
      yield* PoolMetrics.makeGauge(seriesOf(name, suffix, description), () => read(stats()))
    }
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    const joined = (): void => {
      const { kinds } = ledger
      if (kinds.length < 2) return
      const message =
        `its pools are of several kinds (${kinds.join(", ")}): one server has one, and each needs a budget ` +
        "of its own, provided to the layers of its pools alone"
      runFork(Effect.annotateLogs(Effect.logWarning(message), { budget: name }))
    }
    const budget: Budget = { name, stats: Effect.sync(stats), processes }
    return keep(budget, { ledger, floor, total, joined })
  }
)

const seriesOf = (budget: string, suffix: string, description: string): PoolMetrics.Series => ({
  name: `connection_budget_${suffix}`,
  description,
  attributes: { budget }
})

/** Whether there is a budget of that name already. */
const isNamed = (name: string): Effect.Effect<boolean> =>
  Effect.map(
    Effect.context<never>(),
    (context) => isPublished(context, gaugeOf(seriesOf(name, "connections_max", ""), () => 0))
  )

const secondOfItsName =
  "there is a budget of this name already, and each counts its own pools, so the server may see the sum of both totals: " +
  "provide one layer value to all pools of a server, and give the budget of each server a name"

const gauges: ReadonlyArray<readonly [series: string, description: string, read: (stats: BudgetStats) => number]> = [
  ["connections_max", "Connections that all who share the budget may have together", (stats) => stats.total],
  ["connections_granted", "Connections that this process may have", (stats) => stats.granted],
  ["connections", "Sockets of this process, those being opened and closed included", (stats) => stats.has],
  ["connections_wanted", "Connections that the pools of this process could use", (stats) => stats.wants],
  ["connections_others", "Connections that other processes have or may have", (stats) => stats.othersHold],
  ["processes", "Processes that share the budget", (stats) => stats.processes],
  [
    "store_away",
    "1 while the store that processes share the budget by does not answer",
    ({ store }) => store === "away" ? 1 : 0
  ]
]
