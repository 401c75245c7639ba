/**
 * A managed pool of any scoped resource: an SMTP or SSH session, a gRPC channel, a worker, whatever an effect can
 * acquire and a finalizer can release.
 *
 * **Example**
 *
 * ```ts
 * import { ResourcePool } from "@effect-pools/core"
 * import { Effect } from "effect"
 *
 * interface Session {
 *   readonly send: (text: string) => Effect.Effect<void>
 * }
 *
 * declare const openSession: Effect.Effect<Session>
 * declare const closeSession: (session: Session) => Effect.Effect<void>
 *
 * class Mailer extends ResourcePool.Service<Mailer, Session>()("app/Mailer") {}
 *
 * const MailerLive = Mailer.layer({
 *   acquire: Effect.acquireRelease(openSession, closeSession),
 *   maxConnections: 4
 * })
 *
 * const program = Mailer.withConnection((session) => session.send("hello")).pipe(Effect.provide(MailerLive))
 * ```
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ConfigInput from "./ConfigInput.ts"
import * as ConnectionPool from "./ConnectionPool.ts"
import type { Connector, Inspection, Signals } from "./Connector.ts"
import type { PoolOptions } from "./PoolConfig.ts"
import * as PoolContext from "./PoolContext.ts"
import type { PoolError } from "./PoolError.ts"
import type { PoolKind } from "./PoolKind.ts"
import * as PoolService from "./PoolService.ts"

/**
 * The options of a pool of resources: those of every pool, and how to acquire one and keep it well.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResourceOptions<A, R = never> extends PoolOptions, Resource<A, R> {}

/**
 * How to acquire a resource and keep it well.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resource<A, R = never> {
  /**
   * Acquires one resource; the finalizers it adds to its scope release it. Bounded by `connectTimeout`.
   *
   * As a function it is given a way to report the resource's own end, from any callback: a resource that dies while it
   * is idle is then never lent again.
   */
  readonly acquire:
    | Effect.Effect<A, unknown, R | Scope.Scope>
    | ((signals: Signals) => Effect.Effect<A, unknown, R | Scope.Scope>)
  /** Proves that the resource works. Without it a resource that is suspected to be dead is replaced. */
  readonly validate?: ((resource: A) => Effect.Effect<unknown, unknown, R>) | undefined
  /**
   * Makes it clean after a lease. Without it a resource whose lease was interrupted is replaced. A limit that the
   * borrower sets inside its lease, such as `Effect.timeout`, ends the lease as a failure, which is no interruption:
   * what is still under way then must be seen by `isBroken` or `reset`.
   */
  readonly reset?:
    | ((resource: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown, R> | undefined)
    | undefined
  /** Says from its state and the lease's exit whether it can no longer be used. */
  readonly isBroken?: ((resource: A, exit: Exit.Exit<unknown, unknown>) => boolean) | undefined
  /**
   * How many callers may use one resource at once through `withShared`, at least 1. Default 1. Too small: callers wait
   * for resources that have room. Too large: one that is slow or breaks does so for as many.
   */
  readonly sharers?: number | undefined
  /** Which resource a caller of `withShared` is given, one that nobody uses or the busiest. Default `"idle"`. */
  readonly joins?: Connector<A>["joins"]
  /**
   * Whether the death of one resource says nothing of the others, as of worker processes. Default false: where one
   * breaks, those that can't prove themselves are replaced as well.
   */
  readonly areIndependent?: boolean | undefined
  /** The description that `connections` shows. */
  readonly inspect?: ((resource: A) => Inspection) | undefined
  /** Its name in metrics and on pages, and its defaults. Default: those of any service. */
  readonly kind?: PoolKind | undefined
}

/**
 * Makes a pool of resources that lives until the scope closes.
 *
 * The services that `acquire`, `validate` and `reset` need are asked for here, once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, R = never>(
  options: ResourceOptions<A, R>
): Effect.Effect<ConnectionPool.ConnectionPool<A>, PoolError, R | Scope.Scope> =>
  Effect.contextWith((given) => {
    const context = PoolContext.own(given)
    const { acquire, areIndependent, inspect, isBroken, joins, reset, sharers, validate, ...rest } = options
    const provided = Effect.provideContext(context)
    const connector: Connector<A> = {
      // Each resource has a scope of its own, which the pool provides; everything else comes from here.
      connect: (signals) =>
        Effect.updateContext(
          Effect.isEffect(acquire) ? acquire : acquire(signals),
          (own) => Context.merge(context, own)
        ),
      validate: validate === undefined ? undefined : (resource) => provided(validate(resource)),
      reset: reset === undefined ? undefined : (resource, exit) => {
        const effect = reset(resource, exit)
        return effect === undefined ? undefined : provided(effect)
      },
      isBroken,
      sharers,
      joins,
      areIndependent,
      inspect
    }
    return ConnectionPool.make(connector, rest)
  })

/**
 * A service class for a pool of resources.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResourcePoolClass<in out Self, in out Id extends string, in out A>
  extends ConnectionPool.PoolServiceClass<Self, Id, A>
{
  /** The layer of the pool. Its name is the class's id unless the options give one. */
  readonly layer: <R = never>(options: ResourceOptions<A, R>) => Layer.Layer<Self, PoolError, Exclude<R, Scope.Scope>>
  /** `layer` with options read from the configuration: each option of the pool is a value, or a `Config` of one. */
  readonly layerConfig: <R = never>(
    options: ConfigInput.ConfigInput<PoolOptions> & Resource<A, R>
  ) => Layer.Layer<Self, PoolError | Config.ConfigError, Exclude<R, Scope.Scope>>
  /** The pool that an effect makes, such as a `BalancedPool`. */
  readonly layerFrom: <E, R>(
    pool: Effect.Effect<ConnectionPool.ConnectionPool<A>, E, R>
  ) => Layer.Layer<Self, E, Exclude<R, Scope.Scope>>
  /**
   * `layer` for a test: it acquires nothing in advance, runs no health check and publishes no metrics unless the
   * options say so.
   */
  readonly layerTest: <R = never>(options: ResourceOptions<A, R>) => Layer.Layer<Self, never, Exclude<R, Scope.Scope>>
}

/**
 * Makes a service class for a pool of resources: `class Mailer extends ResourcePool.Service<Mailer,
 * Session>()("app/Mailer") {}`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self, A>() => <const Id extends string>(id: Id): ResourcePoolClass<Self, Id, A> => {
  const service = PoolService.serviceClass<Self, Id, A, ConnectionPool.ConnectionPool<A>>(id)
  const named = <R>(options: ResourceOptions<A, R>) => make<A, R>({ ...options, name: options.name ?? id })
  const layers: Omit<ResourcePoolClass<Self, Id, A>, keyof typeof service> = {
    layer: (options) => Layer.effect(service, named(options)),
    layerConfig: <R>(options: ConfigInput.ConfigInput<PoolOptions> & Resource<A, R>) =>
      Layer.effect(
        service,
        Effect.flatMap(ConfigInput.unwrap<ResourceOptions<A, R>>(options), (options) => named(options))
      ),
    layerFrom: (pool) => Layer.effect(service, pool),
    layerTest: (options) =>
      Layer.effect(service, PoolService.endsAtOnce(Effect.orDie(named({ ...PoolService.quiet, ...options }))))
  }
  return Object.assign(service, layers)
}
