/**
 * All pools of a program in one place: drained in order at the end, watched all the time.
 *
 * The manager names the pools it composes by their classes, so that one that is not provided does not compile. It is
 * made after its pools and released before them: then it drains them within one deadline. It adds nothing to a lease:
 * pools count anyway, and the manager reads.
 *
 * ```ts
 * import { ConnectionPool, type Connector } from "@effect-pools/core"
 * import { ConnectionManager } from "@effect-pools/manager"
 * import { Effect, Layer } from "effect"
 *
 * declare const connector: Connector.Connector<{ readonly ping: Effect.Effect<void> }>
 *
 * class Backend extends ConnectionPool.Service<Backend, { readonly ping: Effect.Effect<void> }>()("app/Backend") {}
 * class Cache extends ConnectionPool.Service<Cache, { readonly ping: Effect.Effect<void> }>()("app/Cache") {}
 *
 * const Pools = Layer.merge(Backend.layer(connector), Cache.layer(connector))
 * const Connections = ConnectionManager.layer({ pools: [Backend, Cache] }).pipe(Layer.provideMerge(Pools))
 *
 * const program = Effect.gen(function*() {
 *   const { score, status } = yield* ConnectionManager.health
 *   yield* Effect.log(status, score)
 * }).pipe(Effect.provide(Connections))
 * ```
 *
 * @since 0.1.0
 */
import type { EventOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { PoolEvent } from "@effect-pools/core/PoolEvent"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { make } from "./internal/manager.ts"
import type {
  AlertChange,
  HealthChange,
  ManagedPool,
  Manager,
  ManagerDrainReport,
  ManagerHealth,
  ManagerOptions,
  ManagerStats,
  PoolKey,
  PoolRef,
  Round,
  UnknownPool
} from "./Manager.ts"

/**
 * The manager of a program's pools. See `Manager` for its members, which are statics as well.
 *
 * @category services
 * @since 0.1.0
 */
export class ConnectionManager extends Context.Service<ConnectionManager, Manager>()(
  "@effect-pools/manager/ConnectionManager"
) {
  /**
   * Composes pools, and drains them when it is released. Fails with `InvalidOption`.
   */
  static readonly layer = <const Pools extends ReadonlyArray<PoolKey>>(
    options: ManagerOptions<Pools>
  ): Layer.Layer<ConnectionManager, PoolError, Context.Service.Identifier<Pools[number]>> =>
    // `make` reads the services by their keys and can only know what they are called as `unknown`.
    // @effect-diagnostics-next-line unsafeEffectTypeAssertion:off
    Layer.effect(ConnectionManager, make(options)) as Layer.Layer<
      ConnectionManager,
      PoolError,
      Context.Service.Identifier<Pools[number]>
    >

  static readonly pools: Accessor<ReadonlyArray<ManagedPool>> = this.useSync(({ pools }) => pools)
  static readonly get: Get = ((pool: string) => this.use(({ get }) => get(pool))) as Get
  static readonly register: Register =
    ((pool: PoolKey | ManagedPool) => this.use(({ register }) => register(pool as PoolKey))) as Register
  static readonly afterDrain = (
    effect: Effect.Effect<unknown>
  ): Effect.Effect<Effect.Effect<void>, never, ConnectionManager> => this.use(({ afterDrain }) => afterDrain(effect))
  static readonly joins: Flow<ManagedPool> = streamOf(this, ({ joins }) => joins)
  static readonly stats: Accessor<ManagerStats> = this.use(({ stats }) => stats)
  static readonly health: Accessor<ManagerHealth> = this.use(({ health }) => health)
  static readonly alerts: Accessor<Effect.Success<Manager["alerts"]>> = this.use(({ alerts }) => alerts)
  static readonly history: Accessor<Effect.Success<Manager["history"]>> = this.use(({ history }) => history)
  static readonly warmUp = (
    pools?: ReadonlyArray<PoolRef>
  ): Effect.Effect<Effect.Success<ReturnType<Manager["warmUp"]>>, PoolError | UnknownPool, ConnectionManager> =>
    this.use(({ warmUp }) => warmUp(pools))
  static readonly pause = (
    pools?: ReadonlyArray<PoolRef>
  ): Effect.Effect<void, UnknownPool, ConnectionManager> => this.use(({ pause }) => pause(pools))
  static readonly resume = (
    pools?: ReadonlyArray<PoolRef>
  ): Effect.Effect<void, UnknownPool, ConnectionManager> => this.use(({ resume }) => resume(pools))
  static readonly drain = (
    pools?: ReadonlyArray<PoolRef>
  ): Effect.Effect<ManagerDrainReport, UnknownPool, ConnectionManager> => this.use(({ drain }) => drain(pools))
  static readonly alertChanges: Flow<AlertChange> = streamOf(this, ({ alertChanges }) => alertChanges)
  static readonly events: Flow<PoolEvent> = streamOf(this, ({ events }) => events)
  static readonly eventsWith = (options?: EventOptions): Flow<PoolEvent> =>
    streamOf(this, ({ eventsWith }) => eventsWith(options))
  static readonly metrics: Flow<ManagerStats> = streamOf(this, ({ metrics }) => metrics)
  static readonly healthStream: Flow<ManagerHealth> = streamOf(this, ({ healthStream }) => healthStream)
  static readonly healthChanges: Flow<HealthChange> = streamOf(this, ({ healthChanges }) => healthChanges)
  static readonly samples: Flow<Round> = streamOf(this, ({ samples }) => samples)
}

type Accessor<A> = Effect.Effect<A, never, ConnectionManager>
type Flow<A> = Stream.Stream<A, never, ConnectionManager>

/** `Manager["get"]` with the service as a requirement. */
interface Get {
  <I, Pool extends ManagedPool>(
    pool: Context.Key<I, Pool>
  ): Effect.Effect<Pool, UnknownPool, ConnectionManager>
  (name: string): Effect.Effect<ManagedPool, UnknownPool, ConnectionManager>
}

/** `Manager["register"]` with the service as a requirement. */
interface Register {
  <I>(pool: Context.Key<I, ManagedPool>): Effect.Effect<void, PoolError, I | Scope.Scope | ConnectionManager>
  (pool: ManagedPool): Effect.Effect<void, PoolError, Scope.Scope | ConnectionManager>
}

function streamOf<A>(
  tag: Context.Key<ConnectionManager, Manager>,
  f: (manager: Manager) => Stream.Stream<A>
): Flow<A> {
  return Stream.unwrap(Effect.map(tag, f))
}
