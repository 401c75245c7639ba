/**
 * The options of a pool: their meaning, defaults and rules.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { PoolConfig, PoolOptions } from "./internal/model/config.ts"
import { common, connectRateFor, type Defaults } from "./internal/options/poolDefaults.ts"
import { check, type Refusal } from "./internal/options/poolOptionsSchema.ts"
import { millisOf } from "./OptionRules.ts"
import { InvalidOption, PoolError } from "./PoolError.ts"
import type { PerPriority, Priority, TrafficConfig, TrafficRules } from "./internal/model/traffic.ts"
import * as PoolThresholds from "./PoolThresholds.ts"
import type { PoolKind } from "./PoolKind.ts"

export type { PoolConfig, PoolOptions } from "./internal/model/config.ts"

export { presets, presetsWith, presetTexts } from "./internal/options/presets.ts"
export type { PresetName, PresetText } from "./internal/options/presets.ts"

/**
 * What every option of a kind of pool is by default. Durations are in milliseconds.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultsOf = (kind: PoolKind): Omit<PoolConfig, "kind" | "isDatabase" | "name"> => {
  const known = defaultsByKind.get(kind)
  if (known !== undefined) return known
  const { isDatabase: _, kind: __, name: ___, ...defaults } = complete(kind, common, "", kind.defaults ?? {})
  defaultsByKind.set(kind, Object.freeze(defaults))
  return defaults
}

// A kind is a value that does not change, so its defaults are the same for all pools.
const defaultsByKind = new WeakMap<PoolKind, Defaults>()

/**
 * Checks the options of a pool and completes them with the defaults of its kind.
 *
 * Fails with the reason `InvalidOption`, which names the option and the rule it breaks. The options are copied: changing
 * the object afterwards has no effect. `name` is used where the options have none.
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
      ? Effect.succeed(complete(kind, defaultsOf(kind), name, checked.success))
      : Effect.fail(new PoolError({ pool: name, reason: new InvalidOption(checked.failure) }))
  })

/** The defaults of a kind keep the rules of options. */
const checkKind = ({ defaults = {}, name }: PoolKind): Result.Result<unknown, Refusal> =>
  /^[a-z][a-z0-9_]*$/.test(name)
    ? Result.mapError(check(defaults), ({ option, rule }) => ({ option: `kind.defaults.${option}`, rule }))
    : Result.fail({
      option: "kind.name",
      rule: "must be small letters, digits and underscores, since the names of metrics begin with it"
    })

const complete = (kind: PoolKind, base: Defaults, name: string, given: PoolOptions): PoolConfig => {
  const breaker = given.breaker ?? {}
  return Object.freeze({
    kind: kind.name,
    isDatabase: kind.isDatabase === true,
    name: given.name ?? name,
    ...connections(base, given),
    ...ages(base, given),
    ...waits(base, given),
    connectTimeout: millisOf(given.connectTimeout) ?? base.connectTimeout,
    resetTimeout: millisOf(given.resetTimeout) ?? base.resetTimeout,
    closeTimeout: millisOf(given.closeTimeout) ?? base.closeTimeout,
    drainTimeout: millisOf(given.drainTimeout) ?? base.drainTimeout,
    maxLifetimeJitter: given.maxLifetimeJitter ?? base.maxLifetimeJitter,
    maxUses: given.maxUses ?? base.maxUses,
    freshnessWindow: millisOf(given.freshnessWindow) ?? base.freshnessWindow,
    pendingLimit: given.pendingLimit ?? base.pendingLimit,
    connectRate: given.connectRate ?? connectRateFor(connections(base, given).maxConnections),
    retry: given.retry ?? base.retry,
    breaker: Object.freeze({
      failureRate: breaker.failureRate ?? base.breaker.failureRate,
      minimumDials: breaker.minimumDials ?? base.breaker.minimumDials,
      openDuration: millisOf(breaker.openDuration) ?? base.breaker.openDuration
    }),
    healthCheck: given.healthCheck === undefined ? base.healthCheck : scheduleOf(given.healthCheck),
    startup: given.startup ?? base.startup,
    startupTimeout: millisOf(given.startupTimeout) ?? base.startupTimeout,
    eventBuffer: given.eventBuffer ?? base.eventBuffer,
    metrics: given.metrics ?? base.metrics,
    traffic: completeTraffic(base.traffic, given.traffic),
    thresholds: given.thresholds === undefined ? base.thresholds : PoolThresholds.make(given.thresholds)
  })
}

const perPriority = <A>(
  base: Readonly<Record<Priority, number>>,
  given: PerPriority<A> | undefined,
  read: (value: A | undefined) => number | undefined
): Readonly<Record<Priority, number>> =>
  Object.freeze({
    high: read(given?.high) ?? base.high,
    normal: read(given?.normal) ?? base.normal,
    low: read(given?.low) ?? base.low
  })

const completeTraffic = (base: TrafficConfig, given: TrafficRules | undefined): TrafficConfig =>
  given === undefined ? base : Object.freeze({
    slack: perPriority(base.slack, given.slack, millisOf),
    share: perPriority(base.share, given.share, (share) => share),
    places: perPriority(base.places, given.places, (places) => places),
    weights: Object.freeze({ ...given.weights }),
    maxShare: given.maxShare ?? base.maxShare,
    shedAfter: millisOf(given.shedAfter) ?? base.shedAfter,
    degradation: given.degradation ?? base.degradation,
    degradedWait: millisOf(given.degradedWait) ?? base.degradedWait,
    retryBudget: given.retryBudget ?? base.retryBudget
  })

// In these three a default gives way to an option that was given, so that `maxConnections: 1` needs no second option.

const connections = (base: Defaults, given: PoolOptions): Pick<PoolConfig, "minConnections" | "maxConnections"> => {
  const maxConnections = given.maxConnections ?? Math.max(base.maxConnections, given.minConnections ?? 0)
  return { minConnections: given.minConnections ?? Math.min(base.minConnections, maxConnections), maxConnections }
}

const ages = (base: Defaults, given: PoolOptions): Pick<PoolConfig, "idleTimeout" | "maxLifetime"> => {
  const maxLifetime = millisOf(given.maxLifetime) ?? Math.max(base.maxLifetime, millisOf(given.idleTimeout) ?? 0)
  return { idleTimeout: millisOf(given.idleTimeout) ?? Math.min(base.idleTimeout, maxLifetime), maxLifetime }
}

const waits = (
  base: Defaults,
  given: PoolOptions
): Pick<
  PoolConfig,
  "acquireTimeout" | "validateTimeout" | "slowAcquireTimeout" | "leakTimeout" | "reclaimTimeout"
> => {
  const acquireTimeout = millisOf(given.acquireTimeout) ?? base.acquireTimeout
  const reclaimTimeout = millisOf(given.reclaimTimeout) ?? base.reclaimTimeout
  return {
    acquireTimeout,
    validateTimeout: millisOf(given.validateTimeout) ?? Math.min(base.validateTimeout, acquireTimeout),
    slowAcquireTimeout: millisOf(given.slowAcquireTimeout) ?? below(base.slowAcquireTimeout, acquireTimeout),
    leakTimeout: millisOf(given.leakTimeout) ?? below(base.leakTimeout, reclaimTimeout),
    reclaimTimeout
  }
}

const below = (fallback: number, limit: number): number => fallback < limit ? fallback : limit / 2

const scheduleOf = (healthCheck: Duration.Input | Schedule.Schedule<unknown>): Schedule.Schedule<unknown> =>
  Schedule.isSchedule(healthCheck) ? healthCheck : Schedule.spaced(healthCheck)

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
 * `POOL_HEALTH_CHECK_INTERVAL_MS` and `POOL_ENABLE_METRICS`.
 *
 * What is absent is left out, so that the result can be spread over a preset; what is invalid fails, naming the variable.
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
  metrics: Config.Boolean("POOL_ENABLE_METRICS").pipe(Config.withDefault(undefined))
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
