/**
 * The options of a pool: their meaning, defaults and rules.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { OptionInfo, PoolConfig, PoolOptions } from "./internal/model/config.ts"
import type { SizingConfig } from "./internal/model/sizing.ts"
import { check, type Refusal } from "./internal/options/check.ts"
import { common, complete } from "./internal/options/complete.ts"
import { describe } from "./internal/options/describe.ts"
import { type Complete, poolTable } from "./internal/options/poolTable.ts"
import { InvalidOption, PoolError } from "./PoolError.ts"
import type { PoolKind } from "./PoolKind.ts"

export type { OptionInfo, PoolConfig, PoolOptions } from "./internal/model/config.ts"

export type { SizingConfig, SizingOptions } from "./internal/model/sizing.ts"

export { presets, presetsWith, presetTexts } from "./internal/options/presets.ts"
export type { PresetName, PresetText } from "./internal/options/presets.ts"

/**
 * The defaults of all options of a kind of pool. Durations are in milliseconds.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultsOf = (kind: PoolKind): Omit<PoolConfig, "kind" | "isDatabase" | "name"> => {
  const base = baseOf(kind)
  const { name: _, ...defaults } = base
  return Object.freeze({ ...defaults, sizing: rangeOf(base) })
}

const baseOf = (kind: PoolKind): Complete => {
  const known = bases.get(kind)
  if (known !== undefined) return known
  const base = complete(common, kind.defaults ?? {})
  bases.set(kind, base)
  return base
}

// A kind is a value that does not change, so its defaults are the same for all pools.
const bases = new WeakMap<PoolKind, Complete>()

/**
 * Every option of a pool as data: its rule, its default for a kind and its documentation, for pages and tools. An
 * option within another comes after it, by a path such as `breaker.failureRate`.
 *
 * @category getters
 * @since 0.1.0
 */
export const optionsOf = (kind: PoolKind): ReadonlyArray<OptionInfo> => describe(poolTable, baseOf(kind), kind.defaults)

/**
 * Checks the options of a pool and completes them with the defaults of its kind.
 *
 * Fails with the reason `InvalidOption`, which names the option and the rule it breaks. The options are copied:
 * changing the object afterwards has no effect. `name` is used where the options have none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (kind: PoolKind, name: string, options: PoolOptions): Effect.Effect<PoolConfig, PoolError> =>
  Effect.suspend(() => {
    const checked = Result.flatMap(checkKind(kind), () =>
      // The second check is for the name alone, which comes from elsewhere if the options have none.
      Result.flatMap(check(options), (given) => check({ ...given, name: given.name ?? name })))
    return Result.isSuccess(checked)
      ? Effect.succeed(configOf(kind, complete(baseOf(kind), checked.success)))
      : Effect.fail(new PoolError({ pool: name, reason: new InvalidOption(checked.failure) }))
  })

/** The defaults of a kind keep the rules of options. */
const checkKind = (kind: PoolKind): Result.Result<unknown, Refusal> => {
  // Programs without types have passed the name alone.
  if (typeof kind !== "object" || kind === null) {
    return Result.fail({ option: "kind", rule: "must be a PoolKind, such as { name: \"smtp\" } or that of a backend" })
  }
  const { defaults = {}, name } = kind
  return typeof name === "string" && /^[a-z][a-z0-9_]*$/.test(name)
    ? Result.mapError(check(defaults), ({ option, rule }) => ({ option: `kind.defaults.${option}`, rule }))
    : Result.fail({
      option: "kind.name",
      rule: "must be small letters, digits and underscores, since the names of metrics begin with it"
    })
}

const configOf = ({ isDatabase, name }: PoolKind, options: Complete): PoolConfig =>
  Object.freeze({ kind: name, isDatabase: isDatabase === true, ...options, sizing: rangeOf(options) })

/** The range of the size where it is not given is that of the pool. */
const rangeOf = (
  { maxConnections, minConnections, sizing: { max: most, min: least, mode, start } }: Complete
): SizingConfig => {
  const max = Math.min(most, maxConnections)
  const min = Math.min(max, Math.max(1, Number.isFinite(least) ? least : minConnections))
  return Object.freeze({ mode, min, max, start: Math.max(min, Math.min(max, start)) })
}

/** A key that is `undefined` would undo what the result is spread over. */
const present = (read: object): object =>
  Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined))

const variable = (name: string, schema: Schema.Codec<number>): Config.Config<number | undefined> =>
  Config.schema(schema, name).pipe(Config.withDefault(undefined))

const AtLeast0 = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const AtLeast1 = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * Reads options from the environment: `POOL_MIN_CONNECTIONS`, `POOL_MAX_CONNECTIONS`, `POOL_IDLE_TIMEOUT_MS`,
 * `POOL_CONNECTION_TIMEOUT_MS` (which is `connectTimeout`), `POOL_ACQUIRE_TIMEOUT_MS`,
 * `POOL_HEALTH_CHECK_INTERVAL_MS`, `POOL_ENABLE_METRICS` and `POOL_SIZING` (`off`, `advise` or `apply`).
 *
 * Variables that are absent are left out, so that the result can be spread over a preset; an invalid one fails by its
 * name.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<PoolOptions> = Config.all({
  minConnections: variable("POOL_MIN_CONNECTIONS", AtLeast0),
  maxConnections: variable("POOL_MAX_CONNECTIONS", AtLeast1),
  idleTimeout: variable("POOL_IDLE_TIMEOUT_MS", Positive),
  connectTimeout: variable("POOL_CONNECTION_TIMEOUT_MS", Positive),
  acquireTimeout: variable("POOL_ACQUIRE_TIMEOUT_MS", Positive),
  healthCheck: variable("POOL_HEALTH_CHECK_INTERVAL_MS", Positive),
  metrics: Config.Boolean("POOL_ENABLE_METRICS").pipe(Config.withDefault(undefined)),
  sizing: Config.schema(Schema.Literals(["off", "advise", "apply"]), "POOL_SIZING").pipe(
    Config.map((mode) => ({ mode })),
    Config.withDefault(undefined)
  )
}).pipe(Config.map(present))

/**
 * For authors of backend packages: options read from the environment as far as they are there, and those of `fromEnv`.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnvWith = <Options extends PoolOptions>(
  own: { readonly [K in keyof Options]?: Config.Config<NonNullable<Options[K]>> }
): Config.Config<Options> => {
  const optional = Object.entries<Config.Config<unknown> | undefined>(own).flatMap(([option, config]) =>
    config === undefined ? [] : [[option, config.pipe(Config.withDefault(undefined))] as const]
  )
  return Config.all({ own: Config.all(Object.fromEntries(optional)), pool: fromEnv }).pipe(
    // Each option has a config of its type.
    Config.map(({ own, pool }) => Object.assign(present(own), pool) as Options)
  )
}
