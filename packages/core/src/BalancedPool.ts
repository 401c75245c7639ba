/**
 * Several pools behind one: read replicas, the hosts of a service, the upstreams of an API.
 *
 * Each upstream is a pool of its own, with its own connections, limits, breaker and metrics. For each lease the balanced
 * pool chooses one of them; a lease that can't begin there goes on to the next. An upstream whose leases keep failing is
 * ejected for a while, one whose pool can't connect is left alone until it can, and whoever comes back gets its share
 * of the load little by little.
 *
 * **Example**
 *
 * ```ts
 * import { BalancedPool, ConnectionPool, type Connector } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * interface Session {
 *   readonly ask: (question: string) => Effect.Effect<string>
 * }
 *
 * declare const connectTo: (host: string) => Connector.Connector<Session>
 *
 * const upstream = (host: string, weight: number) =>
 *   Effect.map(
 *     ConnectionPool.make(connectTo(host), { name: host, startup: "lazy" }),
 *     (pool) => ({ pool, weight })
 *   )
 *
 * class Oracle extends BalancedPool.Service<Oracle, Session>()("app/Oracle") {
 *   static readonly live = this.layer(Effect.all([upstream("big.example", 3), upstream("small.example", 1)]))
 * }
 *
 * const program = Oracle.withConnection((session) => session.ask("why?"))
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ConfigInput from "./ConfigInput.ts"
import * as ConnectionPool from "./ConnectionPool.ts"
import { Balancer } from "./internal/balance/balancer.ts"
import * as facade from "./internal/balance/facade.ts"
import * as merge from "./internal/balance/merge.ts"
import * as BalancedOptions from "./internal/balance/options.ts"
import { watch } from "./internal/balance/hedge.ts"
import { EventHub } from "./internal/watch/events.ts"
import { PoolTime } from "./internal/base/time.ts"
import type { PoolConfig, PoolOptions } from "./PoolConfig.ts"
import * as PoolContext from "./PoolContext.ts"
import { PoolError } from "./PoolError.ts"
import * as PoolService from "./PoolService.ts"
import type { BalancedMembers, BalancedPool, Options, Upstream } from "./internal/model/balanced.ts"

export { ejectionTable } from "./internal/balance/ejectionTable.ts"
export type {
  BalancedMembers,
  BalancedPool,
  Classify,
  LeaseReport,
  Options,
  Outcome,
  OutlierEjection,
  Strategy,
  Upstream,
  UpstreamInfo
} from "./internal/model/balanced.ts"

/** How often the pools of the upstreams are looked at, in milliseconds. */
const lookEvery = 1_000

/**
 * Makes one pool over several until the scope closes. The pools stay those of their makers: closing this scope closes
 * none of them, but `drain` drains them all.
 *
 * Fails with `InvalidOption` without any upstream, when two have the same name, and for a bad option.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(
  function*<Lent>(
    upstreams: ReadonlyArray<Upstream<Lent>>,
    options: Options = {}
  ): Effect.fn.Return<BalancedPool<Lent>, PoolError, Scope.Scope> {
    const name = options.name ?? "balanced pool"
    const settings = yield* Result.match(BalancedOptions.check(name, upstreams, options), {
      onFailure: (reason) => Effect.fail(new PoolError({ pool: name, reason })),
      onSuccess: Effect.succeed
    })
    const merged = (configs: ReadonlyArray<PoolConfig>): PoolConfig => merge.configs(name, configs)
    const config = merged(upstreams.map(({ pool }) => pool.config))
    const made = over<Lent>(upstreams, { config, merge: merged, settings })
    // Upstreams that keep the process alive need no help for it.
    return yield* config.unref ? Effect.updateContext(made, PoolContext.unrefed<Scope.Scope>) : made
  },
  PoolContext.provideOwn
)

/** From parts that have been checked. */
const over = Effect.fnUntraced(function*<Lent>(
  upstreams: ReadonlyArray<Upstream<Lent>>,
  parts: Pick<ConstructorParameters<typeof Balancer>[0], "config" | "merge" | "settings">
): Effect.fn.Return<BalancedPool<Lent>, never, Scope.Scope> {
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<unknown, never>())<never>()
  const balancer = new Balancer({
    ...parts,
    time: new PoolTime(yield* Clock.Clock),
    random: yield* Random.Random,
    events: new EventHub(parts.config.eventBuffer),
    // Work begins on the scheduler's next turn and never inside the lease that asked for it.
    fork: (effect) => void fork(Effect.andThen(Effect.yieldNow, effect))
  })
  balancer.watch = watch(balancer)
  yield* Effect.addFinalizer(() => Effect.sync(() => balancer.end()))
  for (const { pool, weight = 1 } of upstreams) {
    yield* facade.publish(balancer, balancer.add(pool, weight))
  }
  yield* balancer.look
  yield* Effect.forkScoped(balancer.watchPools(lookEvery))
  return facade.make<Lent>(balancer)
})

/**
 * A service class for a balanced pool. Its service is a `ConnectionPool`, so that it goes wherever a pool goes.
 *
 * @category models
 * @since 0.1.0
 */
export interface BalancedPoolClass<in out Self, in out Id extends string, in out Lent>
  extends ConnectionPool.PoolServiceClass<Self, Id, Lent, BalancedPool<Lent>>, BalancedMembers<Lent, Self>
{
  /**
   * The layer of the pool, over upstreams that live as long as the layer if the effect makes them. Its name is the
   * class's id unless the options give one.
   */
  readonly layer: <E, R>(
    upstreams: Effect.Effect<ReadonlyArray<Upstream<Lent>>, E, R>,
    options?: Options
  ) => Layer.Layer<Self, PoolError | E, Exclude<R, Scope.Scope>>
  /** `layer` with options read from the configuration: each option is a value, or a `Config` of one. */
  readonly layerConfig: <E, R>(
    upstreams: Effect.Effect<ReadonlyArray<Upstream<Lent>>, E, R>,
    options: ConfigInput.ConfigInput<Options>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError | E, Exclude<R, Scope.Scope>>
  /** The pool that an effect makes. */
  readonly layerFrom: <E, R>(
    pool: Effect.Effect<ConnectionPool.ConnectionPool<Lent>, E, R>
  ) => Layer.Layer<Self, E, Exclude<R, Scope.Scope>>
  /**
   * A balanced pool of connections that a function makes, given their number and their upstream's, each from 1. The
   * upstreams are pools as `layerTest` of `ConnectionPool` makes them.
   */
  readonly layerTest: (
    connections: (connection: number, upstream: number) => Effect.Effect<Lent, unknown, Scope.Scope>,
    options?: TestOptions
  ) => Layer.Layer<Self>
}

/**
 * The options of a balanced pool in a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestOptions extends Options {
  /** The options of each upstream, apart from its name. Default: those of one. */
  readonly upstreams?: ReadonlyArray<PoolOptions> | undefined
}

/**
 * Makes a service class for a balanced pool:
 * `class Replicas extends BalancedPool.Service<Replicas, Session>()("app/Replicas") {}`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self, Lent>() => <const Id extends string>(id: Id): BalancedPoolClass<Self, Id, Lent> => {
  const service = PoolService.serviceClass<Self, Id, Lent, BalancedPool<Lent>>(id, operations)
  const named = (upstreams: ReadonlyArray<Upstream<Lent>>, options?: Options) =>
    make(upstreams, { ...options, name: options?.name ?? id })
  const layers: Omit<BalancedPoolClass<Self, Id, Lent>, keyof typeof service | keyof BalancedMembers<Lent>> = {
    layer: (upstreams, options) =>
      Layer.effect(service, Effect.flatMap(upstreams, (upstreams) => named(upstreams, options))),
    layerConfig: (upstreams, options) =>
      Layer.effect(
        service,
        Effect.flatMap(
          ConfigInput.unwrap(options),
          (options) => Effect.flatMap(upstreams, (upstreams) => named(upstreams, options))
        )
      ),
    layerFrom: (pool) =>
      Layer.effect(service, Effect.map(pool, (pool) => PoolService.extend<Lent, BalancedPool<Lent>>(pool, operations))),
    layerTest: (connections, { upstreams = [{}], ...options } = {}) =>
      Layer.effect(
        service,
        Effect.orDie(Effect.flatMap(
          Effect.forEach(upstreams, (options, index) =>
            Effect.map(
              ConnectionPool.makeTest(
                (connection) => connections(connection, index + 1),
                { ...options, name: `${id}/${index + 1}` }
              ),
              (pool) => ({ pool })
            )),
          (upstreams) => named(upstreams, options)
        ))
      )
  }
  // The statics of the class are made from the operations.
  return Object.assign(service, layers) as BalancedPoolClass<Self, Id, Lent>
}

/** On a pool that is no balanced one. */
const operations = {
  effects: { upstreams: () => Effect.succeed([]) },
  methods: { join: () => Effect.void, setWeight: () => Effect.void }
}
