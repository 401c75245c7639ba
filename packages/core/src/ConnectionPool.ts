/**
 * A managed pool of connections.
 *
 * A lease, from the caller to the connection and back (the files are in `internal/lease` unless a room is named):
 *
 * 1. **admit**: may this caller queue? If not it fails in microseconds (`admit.ts`)
 * 2. **check out**: an idle connection, a new one, or a wait in turn (`checkOut.ts`, `wait.ts`, `dispatch.ts`)
 * 3. **validate**: unless it proved itself a moment ago (`proof/validate.ts`)
 * 4. **lend**: run the caller's effect with it (`checkOut.ts`)
 * 5. **check in**: to the next in line or to idle, made clean if need be, or retired (`checkIn.ts`, `pool/retire.ts`)
 * 6. **record**: counts on the way, events for readers (`watch/counts.ts`, `watch/events.ts`)
 *
 * Beside that path run the dials (`open/open.ts`), the health check (`proof/healthCheck.ts`), `end/housekeeping.ts` and at
 * the end `end/drain.ts`. The state has owners, each the only writer of its fields: `places/`, `line/`, `trust/`, `dial/`
 * and `watch/`, brought together by one record (`pool/state.ts`). Effect's `Pool` owns every connection
 * (`places/hold.ts`).
 *
 * **Example**
 *
 * ```ts
 * import { ConnectionPool, type Connector } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * declare const connector: Connector.Connector<{ readonly ping: Effect.Effect<void> }>
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ConnectionPool.make(connector, { name: "backend", maxConnections: 8 })
 *   yield* pool.withConnection((connection) => connection.ping)
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as ConfigInput from "./ConfigInput.ts"
import { ConnectionBudget } from "./ConnectionBudget.ts"
import type { Connector } from "./Connector.ts"
import type { DrainReport, LeaseOptions } from "./internal/model/connection.ts"
import type { ConnectionPool, PoolServiceClass } from "./internal/model/pool.ts"
import { bookOf } from "./internal/budget/book.ts"
import { sharedMethod } from "./internal/service/shared.ts"
import { Lease } from "./internal/line/lease.ts"
import * as control from "./internal/control.ts"
import { degrade, watchLevel } from "./internal/lease/degrade.ts"
import { checkHealth } from "./internal/proof/healthCheck.ts"
import { keepHouse } from "./internal/end/housekeeping.ts"
import { diagnose } from "./internal/diagnosis/diagnose.ts"
import { isServing } from "./internal/diagnosis/observation.ts"
import { observe } from "./internal/diagnosis/observe.ts"
import { connections, numbers, stats } from "./internal/pool/inspect.ts"
import { DrainWithin as drainWithin } from "./internal/end/drainWithin.ts"
import { makeDrain, makeState } from "./internal/make.ts"
import type { PoolState } from "./internal/pool/state.ts"
import { joinBudget } from "./internal/open/budgeted.ts"
import { watchSize } from "./internal/open/sizing.ts"
import { startUp, warmUp } from "./internal/open/warmUp.ts"
import { makeKeeper } from "./internal/lease/keptLease.ts"
import { ScopedRequest, WithLease } from "./internal/lease/withLease.ts"
import { warn } from "./internal/watch/events.ts"
import * as OptionRules from "./OptionRules.ts"
import * as PoolConfig from "./PoolConfig.ts"
import { PoolError } from "./PoolError.ts"
import * as PoolContext from "./PoolContext.ts"
import * as PoolHealth from "./PoolHealth.ts"
import * as PoolKind from "./PoolKind.ts"
import * as PoolMetrics from "./PoolMetrics.ts"
import * as PoolService from "./PoolService.ts"

export type {
  ConnectionInfo,
  ConnectionState,
  DrainReport,
  EventOptions,
  LeaseOptions,
  Onward
} from "./internal/model/connection.ts"

export type { ConnectionPool, PoolClass, PoolMembers, PoolServiceClass } from "./internal/model/pool.ts"

/**
 * How long drains that are asked for under it may take from now on, whatever the pools' own limits say: for who has
 * a deadline for more than one pool. When that time is up a drain waits for no borrower any more and for closes a quarter
 * of a second at most. It holds for a drain that runs already, too; a drain that is done sooner does not wait.
 *
 * ```ts
 * import { ConnectionPool } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * declare const pool: ConnectionPool.ConnectionPool<object>
 *
 * const drained = pool.drain.pipe(Effect.provideService(ConnectionPool.DrainWithin, "2 seconds"))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const DrainWithin: Context.Reference<Duration.Input | undefined> = drainWithin

/**
 * The options of `make`: those of every pool, and the kind, `PoolKind.service` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export type MakeOptions = PoolConfig.PoolOptions & { readonly kind?: PoolKind.PoolKind | undefined }

/**
 * The class that `Service` makes: a service class with layers over any connector.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectorPoolClass<in out Self, in out Id extends string, in out Lent>
  extends PoolServiceClass<Self, Id, Lent>
{
  /** The layer of the pool. Its name is the class's id unless the options give one. */
  readonly layer: <Connection>(
    connector: Connector<Connection, Lent>,
    options?: MakeOptions
  ) => Layer.Layer<Self, PoolError>
  /** `layer` with options read from the configuration: each option is a value, or a `Config` of one. */
  readonly layerConfig: <Connection>(
    connector: Connector<Connection, Lent>,
    options: ConfigInput.ConfigInput<MakeOptions>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /** The pool that an effect makes, such as a `BalancedPool`. */
  readonly layerFrom: <E, R>(
    pool: Effect.Effect<ConnectionPool<Lent>, E, R>
  ) => Layer.Layer<Self, E, Exclude<R, Scope.Scope>>
  /**
   * A pool of connections that a function makes, given how many came before plus one, or of a connector. The pool is a
   * real one. It opens nothing in advance, runs no health check and publishes no metrics unless the options say so.
   */
  readonly layerTest: <Connection = Lent>(
    connections: TestConnections<Lent, Connection>,
    options?: MakeOptions
  ) => Layer.Layer<Self>
}

/**
 * The connections of a pool in a test.
 *
 * @category models
 * @since 0.1.0
 */
export type TestConnections<Lent, Connection = Lent> =
  | ((connection: number) => Effect.Effect<Lent, unknown, Scope.Scope>)
  | Connector<Connection, Lent>

/**
 * Makes a pool that lives until the scope closes, when it is drained without serving its queue.
 *
 * Fails with `PoolError`: `InvalidOption` for a bad option, or a bad `sharers` or `joins` of the connector, and with
 * `startup: "failFast"` (the default) `ConnectFailed`, `BreakerOpen` or `AcquireTimeout` if `minConnections` can't be
 * opened within `startupTimeout`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(
  function*<Connection, Lent = Connection>(
    connector: Connector<Connection, Lent>,
    { kind = PoolKind.service, ...options }: MakeOptions = {}
  ): Effect.fn.Return<ConnectionPool<Lent>, PoolError, Scope.Scope> {
    const config = yield* PoolConfig.make(kind, options.name ?? "pool", options)
    yield* Result.match(OptionRules.check(sharing, { joins: connector.joins, sharers: connector.sharers }), {
      onFailure: (reason) => Effect.fail(new PoolError({ pool: config.name, reason })),
      onSuccess: Effect.succeed
    })
    const background = Scope.makeUnsafe()
    const state = yield* makeState(config, connector, background)
    const budget = yield* Effect.serviceOption(ConnectionBudget)
    const book = Option.isSome(budget) ? bookOf(budget.value) : undefined
    if (book !== undefined) yield* joinBudget(state, book)
    const drain = makeDrain(state, background)
    yield* Effect.addFinalizer(() => drain("refuse"))
    if (config.metrics && (yield* PoolMetrics.isTaken(config))) warn(state, secondOfItsName)
    if (config.metrics) {
      yield* PoolMetrics.register({
        config,
        numbers: () => numbers(state),
        traffic: () => state.line.order.traffic,
        histograms: state.counts,
        isBudgeted: state.hasBudget,
        watchOperations: (onKind) => state.counts.operations.watch(onKind)
      })
    }
    for (const { message, remedy } of connector.warnings ?? []) {
      yield* Effect.annotateLogs(Effect.logWarning(`${message}. ${remedy}`), { pool: config.name })
    }
    state.fork(keepHouse(state))
    state.fork(checkHealth(state))
    state.fork(watchLevel(state))
    state.fork(watchSize(state))
    yield* startUp(state)
    return makePool<Lent>(state, drain("serve"))
  },
  PoolContext.provideOwn
)

const secondOfItsName =
  "there is a pool of this name already, with connections of its own: provide one layer value where " +
  "a function makes a new one for each call, or give each pool a name"

const sharing: OptionRules.Rules<Pick<Connector<unknown>, "joins" | "sharers">> = {
  joins: OptionRules.oneOf("idle", "busiest", "adaptive"),
  sharers: OptionRules.count(1)
}

const makePool = <Lent>(state: PoolState, drain: Effect.Effect<DrainReport>): ConnectionPool<Lent> => {
  const canShare = (state.connector.sharers ?? 1) > 1
  const isShared = (options: LeaseOptions | undefined): boolean => canShare && options?.isShared === true
  const pool: ConnectionPool<Lent> = {
    name: state.config.name,
    config: state.config,
    withConnection: (f, options) => new WithLease(state, f, options, isShared(options)),
    withShared: sharedMethod(() => pool),
    acquire: acquireScoped(state, undefined, false),
    acquireWith: (options) => acquireScoped(state, options, isShared(options)),
    invalidate: (connection) => control.invalidate(state, connection),
    retire: (id) => Effect.sync(() => state.act(() => control.retireById(state, id))),
    retireAll: Effect.sync(() => state.act(() => control.retireAll(state))),
    stats: Effect.sync(() => {
      state.lookAtBudget()
      return stats(state)
    }),
    connections: Effect.sync(() => connections(state)),
    health: Effect.sync(() => healthOf(state)),
    events: state.events.stream(),
    eventsWith: (options) => state.events.stream(options),
    warmUp: (count) => warmUp(state, count ?? state.config.minConnections),
    pause: Effect.sync(() => state.act(() => control.pause(state))),
    resume: Effect.sync(() => state.act(() => control.resume(state))),
    paused: control.paused(state),
    setLimit: (limit) => control.setLimit(state, limit),
    clear: (priority) => Effect.sync(() => state.act(() => control.clear(state, priority))),
    degradation: SubscriptionRef.get(state.degradation),
    degradationChanges: SubscriptionRef.changes(state.degradation),
    degrade: (level) => degrade(state, level),
    drain
  }
  return PoolService.keepers.attach(pool, makeKeeper(state))
}

const healthOf = (state: PoolState): PoolHealth.PoolHealth => {
  const seen = observe(state)
  return PoolHealth.assess(seen.stats, state.config, {
    ofConnector: state.connector.warnings,
    isServing: isServing(seen),
    verdict: diagnose(seen)
  })
}

const acquireScoped = <Lent>(
  state: PoolState,
  options: LeaseOptions | undefined,
  isShared: boolean
): Effect.Effect<Lent, PoolError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const lease = new Lease(new ScopedRequest(state, options, isShared), fiber)
      const scope = Context.getUnsafe(fiber.context, Scope.Scope)
      return Effect.onExitPrimitive(
        restore(lease),
        (exit) =>
          Exit.isSuccess(exit)
            ? Scope.addFinalizerExit(scope, (exit) => lease.onExit(exit) ?? Effect.void)
            : lease.onExit(exit)
      )
    })
  )

/**
 * Makes a service class for a pool over any connector:
 *
 * ```ts
 * import { ConnectionPool, type Connector } from "@effect-pools/core"
 *
 * interface MyConnection {
 *   readonly id: number
 * }
 *
 * declare const connector: Connector.Connector<MyConnection>
 *
 * class Backend extends ConnectionPool.Service<Backend, MyConnection>()("app/Backend") {
 *   static readonly live = this.layer(connector, { maxConnections: 8 })
 * }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self, Lent>() => <const Id extends string>(id: Id): ConnectorPoolClass<Self, Id, Lent> => {
  const service = PoolService.serviceClass<Self, Id, Lent, ConnectionPool<Lent>>(id)
  const named = <Connection>(connector: Connector<Connection, Lent>, options?: MakeOptions) =>
    make(connector, { ...options, name: options?.name ?? id })
  const layers: Pick<ConnectorPoolClass<Self, Id, Lent>, "layer" | "layerConfig" | "layerFrom" | "layerTest"> = {
    layer: (connector, options) => Layer.effect(service, named(connector, options)),
    layerConfig: (connector, options) =>
      Layer.effect(service, Effect.flatMap(ConfigInput.unwrap(options), (options) => named(connector, options))),
    layerFrom: (pool) => Layer.effect(service, pool),
    layerTest: (connections, options) =>
      Layer.effect(service, Effect.orDie(makeTest(connections, { ...options, name: options?.name ?? id })))
  }
  return Object.assign(service, layers)
}

/**
 * Makes a pool for a test: of a connector, or of connections that a function makes, given how many came before plus one.
 * It opens nothing in advance, runs no health check and publishes no metrics unless the options say so. It ends at once
 * with its scope, also with borrowers that have not ended.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTest = <Lent, Connection = Lent>(
  connections: TestConnections<Lent, Connection>,
  options?: MakeOptions
): Effect.Effect<ConnectionPool<Lent>, PoolError, Scope.Scope> =>
  Effect.suspend(() => {
    const all = { ...PoolService.quiet, ...options }
    if (typeof connections !== "function") return PoolService.endsAtOnce(make(connections, all))
    let opened = 0
    const connect = () => Effect.suspend(() => connections(++opened))
    return PoolService.endsAtOnce(make<Lent>({ connect, validate: () => Effect.void, reset: () => undefined }, all))
  })
