/**
 * Options of which some are read from the configuration: each is a value, or a `Config` of one.
 *
 * ```ts
 * import { ConfigInput, type PoolConfig } from "@effect-pools/core"
 * import { Config } from "effect"
 *
 * const options = ConfigInput.unwrap<PoolConfig.PoolOptions>({
 *   minConnections: 2,
 *   maxConnections: Config.Int("POOL_MAX").pipe(Config.withDefault(20))
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"

/**
 * A value, a `Config` of it, or an object some of whose fields are such.
 *
 * @category models
 * @since 0.1.0
 */
export type ConfigInput<A> = Config.Config<A> | Fields<A>

type Fields<A> = { readonly [K in keyof A]: Field<A[K]> }

type Field<A> = A | Config.Config<A> | Nested<A>

/** Only the plain objects of a union have fields. */
type Nested<A> = A extends object ? [IsPlain<A>] extends [true] ? Fields<A> : never : never

type IsPlain<A> = [A] extends [object] ? [keyof A] extends [never] ? false : [keyof A] extends [string] ? true : false
  : false

/**
 * One `Config` of all.
 *
 * @category conversions
 * @since 0.1.0
 */
export const unwrap = <A>(input: ConfigInput<A>): Config.Config<A> => configOf(input) as Config.Config<A>

const configOf = (input: unknown): Config.Config<unknown> => {
  if (Config.isConfig(input)) return input
  // Whatever has no `Config` in it is a value, and stays the very object it is.
  if (!isPlain(input) || !hasConfig(input)) return Config.succeed(input)
  return Config.all(Object.fromEntries(Object.entries(input).map(([key, value]) => [key, configOf(value)])))
}

const hasConfig = (input: unknown): boolean =>
  Config.isConfig(input) || (isPlain(input) && Object.values(input).some(hasConfig))

const isPlain = (input: unknown): input is Readonly<Record<string, unknown>> =>
  typeof input === "object" && input !== null && Object.getPrototypeOf(input) === Object.prototype
