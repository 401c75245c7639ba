/**
 * Pools and classes of a backend.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ConfigInput from "../../ConfigInput.ts"
import * as PoolContext from "../../PoolContext.ts"
import { type InvalidOption, PoolError } from "../../PoolError.ts"
import type { ConnectionPool } from "../model/pool.ts"
import type { Backend, Layers } from "../model/service.ts"
import { extend } from "./extend.ts"
import { endsAtOnce } from "./testEnd.ts"
import { serviceClass } from "./serviceClass.ts"

/**
 * Makes a pool of a backend, with the members of its kind, that lives until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePool = <Pool extends ConnectionPool<Lent>, Lent, Options, Script, Provided, Services>(
  backend: Backend<Pool, Lent, Options, Script, Provided, Services>,
  id: string,
  options: Options
): Effect.Effect<Pool, PoolError, Scope.Scope> =>
  Effect.flatMap(
    Layer.build(backend.services ?? Layer.empty),
    (services) =>
      refusing(id, options, backend.make(id, options)).pipe(
        Effect.provideContext(services as Context.Context<Services>),
        Effect.map((pool) => extend<Lent, Pool>(pool, backend.operations))
      )
  )

/** Makes the pool in its own context, with a bad option as its own error. */
const refusing = <A, R>(
  id: string,
  options: unknown,
  make: Effect.Effect<A, PoolError | InvalidOption, R>
): Effect.Effect<A, PoolError, R> =>
  Effect.catchTag(PoolContext.provideOwn(make), "InvalidOption", (reason) => {
    const { name = id } = options as { readonly name?: string | undefined }
    return Effect.fail(new PoolError({ pool: name, reason }))
  })

/**
 * Makes a service class of a backend, with its members and its layers. `Class` is its declared type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Class>(id: string, backend: AnyBackend): Class => {
  const tag = serviceClass<any, string, any, any>(id, backend.operations)
  const from = <E, R>(make: Effect.Effect<any, E, R>) =>
    Layer.effect(tag, Effect.map(make, (pool) => extend<any, any>(pool, backend.operations)))
  // `services` has everything that `make` needs, as the declaration of the backend tells.
  const alone = <E>(make: Effect.Effect<any, E, any>) =>
    Layer.provide(from(make as Effect.Effect<any, E>), backend.services ?? Layer.empty)
  const full = <E>(make: Effect.Effect<any, E, any>) =>
    Layer.effectContext(Effect.map(make as Effect.Effect<any, E>, (made) => {
      const pool = extend<any, any>(made, backend.operations)
      return Context.add(backend.provide?.(pool) ?? Context.empty(), tag, pool)
    })).pipe(Layer.provide(backend.services ?? Layer.empty))
  const make = (options: unknown) => refusing(id, options, backend.make(id, options))
  const fromConfig = (options: any) => Effect.flatMap(ConfigInput.unwrap(options), make)
  const layers: Layers<any, any, any, any, any> = {
    layer: (options) => full(make(options)),
    layerConfig: (options) => full(fromConfig(options)),
    layerPoolOnly: (options) => alone(make(options)),
    layerPoolOnlyConfig: (options) => alone(fromConfig(options)),
    layerFrom: from,
    // A test that gives a bad option has a bug.
    layerTest: (script, options = {}) =>
      full(endsAtOnce(Effect.orDie(refusing(id, options, backend.makeTest(id, script, options)))))
  }
  return Object.assign(tag, layers) as Class
}

// The types of a backend are those of the class's declaration, which are checked where the backend is declared.
type AnyBackend = Omit<Backend<any, any, any, any, any, any>, "provide" | "services"> & {
  readonly provide?: ((pool: any) => Context.Context<never>) | undefined
  readonly services?: Layer.Layer<never> | undefined
}
