/**
 * Types of the parts that a backend hands over, and of the layers of its classes.
 */
import type * as Config from "effect/Config"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ConfigInput } from "../../ConfigInput.ts"
import type { InvalidOption, PoolError } from "../../PoolError.ts"
import type { ConnectionPool } from "./pool.ts"

/**
 * The operations of a kind's pools beyond lending, by the names of the members.
 *
 * Each takes the pool that it works on, and lends by its `withConnection`, `withShared` and `acquireWith`: it may be a
 * decorated one, or a mock that has nothing else.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operations<in Pool> {
  /** Members that take arguments and give an effect. What they throw is a defect of that effect. */
  readonly methods?: Readonly<Record<string, (pool: Pool, ...args: never) => Effect.Effect<unknown, unknown, unknown>>>
  /** Members that are effects. */
  readonly effects?: Readonly<Record<string, (pool: Pool) => Effect.Effect<unknown, unknown, unknown>>>
  /** Members that take arguments and give a stream. */
  readonly streaming?: Readonly<
    Record<string, (pool: Pool, ...args: never) => Stream.Stream<unknown, unknown, unknown>>
  >
  /** Members that are streams. */
  readonly streams?: Readonly<Record<string, (pool: Pool) => Stream.Stream<unknown, unknown, unknown>>>
}

/**
 * The parts of a kind of pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface Backend<
  in out Pool extends ConnectionPool<Lent>,
  in out Lent,
  in Options,
  in Script,
  in out Provided = never,
  in out Services = never
> {
  readonly operations: Operations<Pool>
  /**
   * Makes a pool until the scope closes. The id is its name unless the options give one. An option that it refuses
   * becomes a `PoolError` of the pool.
   */
  readonly make: (
    id: string,
    options: Options
  ) => Effect.Effect<ConnectionPool<Lent>, PoolError | InvalidOption, Scope.Scope | Services>
  /** Makes one whose server is a script, `quiet` unless the options say otherwise. */
  readonly makeTest: (
    id: string,
    script: Script,
    options: Partial<Options>
  ) => Effect.Effect<ConnectionPool<Lent>, PoolError | InvalidOption, Scope.Scope | Services>
  /** The services that come with a pool, for programs written against those. */
  readonly provide?: ((pool: Pool) => Context.Context<Provided>) | undefined
  /** The services that a pool is made with, and shares with whatever else is made with them. */
  readonly services?: Layer.Layer<Services> | undefined
}

/**
 * The layers of a service class.
 *
 * @category models
 * @since 0.1.0
 */
export interface Layers<in out Self, in out Lent, in out Options, in out Script, in out Provided = never> {
  /**
   * The pool, and over it the services that come with its kind. A program with two pools takes `layerPoolOnly` for the
   * second: of two layers that provide the same service one would silently hide the other.
   */
  readonly layer: (options: Options) => Layer.Layer<Self | Provided, PoolError>
  /** `layer` with options read from the configuration: each option is a value, or a `Config` of one. */
  readonly layerConfig: (
    options: ConfigInput<Options>
  ) => Layer.Layer<Self | Provided, PoolError | Config.ConfigError>
  /** The pool alone. */
  readonly layerPoolOnly: (options: Options) => Layer.Layer<Self, PoolError>
  /** `layerPoolOnly` with options read from the configuration. */
  readonly layerPoolOnlyConfig: (
    options: ConfigInput<Options>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /**
   * The pool that an effect makes, such as a `BalancedPool` over several of this kind. It gets the members of the kind
   * that it has not.
   */
  readonly layerFrom: <E, R>(
    pool: Effect.Effect<ConnectionPool<Lent>, E, R>
  ) => Layer.Layer<Self, E, Exclude<R, Scope.Scope>>
  /**
   * Provides the same as `layer`, without a server: a script answers. The pool is a real one: leases, limits and misuse
   * are as they are with a server. It opens nothing in advance, runs no health check and publishes no metrics unless
   * the options say so; any option of `layer` may be given.
   */
  readonly layerTest: (script: Script, options?: Partial<Options>) => Layer.Layer<Self | Provided>
}

/**
 * A record that a backend keeps with its pools, such as a cache of statements. It goes where the members go: a copy of
 * the pool has it too, and a mock has none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attachment<in out A extends object> {
  readonly attach: <Pool extends Lender>(pool: Pool, value: A) => Pool
  readonly of: (pool: Lender) => A | undefined
  /**
   * The same, unless the pool lends in another way than when it was attached: then there is no short cut around that.
   */
  readonly ofPristine: (pool: Lender) => A | undefined
}

/**
 * The members of a pool that tell how it lends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lender {
  readonly withConnection: unknown
  readonly withShared: unknown
}

/**
 * A lease in the hands of the effect that it was lent to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kept {
  /**
   * The lease goes on when the effect has succeeded, until `end`. Until then the connection is nobody else's: whoever
   * keeps a lease sees to it that it ends, whatever happens.
   */
  readonly keep: () => void
  /** Ends the lease at once, with the exit that its connection is judged by; later that does nothing. */
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
}

/**
 * Lends connections that are kept longer than an effect takes, as for a response whose body is read later: without a
 * fiber that does nothing else but hold the lease.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keeper<out Lent> {
  /** A shared lease. The effect is run once. */
  readonly withShared: <A, E, R>(
    f: (connection: Lent, lease: Kept) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PoolError, R>
}
