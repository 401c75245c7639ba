/**
 * Pools of HTTP connections by origin, for programs that talk to many: crawlers, proxies, senders of webhooks.
 *
 * ```ts
 * import { HttpPools } from "@effect-pools/http"
 * import { Effect } from "effect"
 * import { HttpClient } from "effect/http"
 *
 * const program = Effect.flatMap(HttpClient.get("https://example.com/"), (response) => response.text).pipe(
 *   Effect.provide(HttpPools.layer({ maxConnections: 4, maxOrigins: 500 }))
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as ConfigInput from "@effect-pools/core/ConfigInput"
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import { InvalidOption, PoolClosed, PoolError } from "@effect-pools/core/PoolError"
import { extend } from "@effect-pools/core/PoolService"
import type * as Cause from "effect/Cause"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { type HeaderInput, type HttpOptions, kind, type RequestOptions } from "./HttpConfig.ts"
import type { HttpConnection } from "./HttpConnector.ts"
import * as Client from "./internal/client.ts"
import * as Environment from "./internal/environment.ts"
import { operations } from "./internal/members.ts"
import type { HttpPool } from "./internal/model.ts"
import * as Options from "./internal/options.ts"
import { type CommonOf, Prepare } from "./internal/prepare.ts"
import * as Runtime from "./internal/runtime.ts"
import type { ConnectionSettings } from "./internal/settings.ts"

/**
 * The options of all pools, and how many there may be. Those of TLS and HTTP/2 concern origins with TLS only.
 *
 * Unlike those of a single pool `minConnections` is 0 by default, so that an origin asked once keeps nothing open, and
 * `metrics` is false, since each origin would have series of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpPoolsOptions
  extends Omit<PoolConfig.PoolOptions, "startup" | "startupTimeout">, Omit<RequestOptions, "headers" | "credentials">
{
  /**
   * The headers of the requests to an origin, such as `https://api.example.com`; `undefined` for none. What a request says
   * itself goes before them. It is asked for each request, and can't be the same for all without being told the origin:
   * a redirect, or a URL that a user gives, would carry an API key anywhere.
   */
  readonly headers?: ((origin: string) => HeaderInput | undefined) | undefined
  /** Yields headers for each request to an origin anew, such as a token that expires. They go before those of `headers`. */
  readonly credentials?: ((origin: string) => Effect.Effect<HeaderInput, unknown> | undefined) | undefined
  /**
   * How many origins may have a pool at once, at least 1. Default 100. A request to one more fails until another has been
   * released. Too small: requests fail. Too large: sockets and memory for origins nobody asks any more.
   */
  readonly maxOrigins?: number | undefined
  /**
   * How long the pool of an origin stays when it has no request. Default 1 min. Too short: connections are opened anew.
   * Too long: it keeps its place.
   */
  readonly originIdleTimeout?: Duration.Input | undefined
}

/**
 * The pools of a program by origin.
 *
 * @category services
 * @since 0.1.0
 */
export class HttpPools extends Context.Service<HttpPools, {
  /** Sends each request, whose URL must be absolute, over the pool of its origin. */
  readonly client: HttpClient.HttpClient
  /** The origins that have a pool now. */
  readonly origins: Effect.Effect<ReadonlyArray<string>>
  /** The pool of an origin, with all its members, kept until the scope closes. */
  readonly pool: (origin: string) => Effect.Effect<HttpPool, PoolError, Scope.Scope>
}>()("@effect-pools/http/HttpPools") {}

/**
 * Makes the pools. None is opened before its origin is asked.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: HttpPoolsOptions = {}
): Effect.fn.Return<HttpPools["Service"], PoolError, Scope.Scope> {
  const { credentials, headers, maxOrigins = 100, name = "http", originIdleTimeout = "1 minute", ...common } = options
  const refuse = (reason: InvalidOption): PoolError => new PoolError({ pool: name, reason })
  const own = { credentials, headers, maxOrigins, originIdleTimeout }
  yield* Effect.mapError(Effect.fromResult(OptionRules.check(rules, own)), refuse)
  const each: HttpOptions = {
    metrics: false,
    ...(yield* Effect.mapError(Environment.withProxy(common), refuse)),
    minConnections: common.minConnections ?? 0,
    startup: "lazy"
  }
  // Refused now, not when the first origin is asked.
  const { members } = yield* Effect.mapError(
    Effect.fromResult(Options.check({ ...each, origin: secure }, name)),
    refuse
  )
  yield* PoolConfig.make(kind, name, members[0]!.pool)
  const context = yield* Effect.context<never>()
  const map = yield* RcMap.make({
    lookup: (origin: string) =>
      inContext(
        context,
        Effect.suspend(() =>
          Runtime.make(Options.nameOf(name, origin), {
            ...optionsOf(each, origin),
            headers: headers?.(origin),
            credentials: credentials?.(origin)
          })
        )
      ),
    capacity: maxOrigins,
    idleTimeToLive: originIdleTimeout
  })
  let isClosed = false
  yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
  const poolOf = (origin: string): Effect.Effect<HttpPool, PoolError, Scope.Scope> =>
    Effect.suspend(() =>
      isClosed
        ? Effect.fail(new PoolError({ pool: name, reason: new PoolClosed({ state: "closed" }) }))
        : Effect.catchIf(RcMap.get(map, origin), isFull, () => Effect.fail(refuse(full(maxOrigins))))
    ).pipe(Effect.map((pool) => extend<HttpConnection, HttpPool>(pool, operations)))
  const { settings } = members[0]!
  const prepare = new Prepare(settings, undefined, commonOf(settings, headers, credentials))
  return {
    client: Client.plainOverPool(
      prepare,
      (job) =>
        Client.holding((f) => Effect.scoped(Effect.flatMap(poolOf(job.origin), (pool) => pool.withShared(f))))(job)
    ),
    origins: Effect.map(RcMap.keys(map), (origins) => Array.from(origins)),
    pool: (given) =>
      Result.match(Options.originOf(given), {
        onFailure: (rule) => Effect.fail(refuse(new InvalidOption({ option: "origin", rule }))),
        onSuccess: poolOf
      })
  }
})

const secure = "https://origin"

const commonOf = (
  settings: ConnectionSettings,
  headers: HttpPoolsOptions["headers"] = () => undefined,
  credentials: HttpPoolsOptions["credentials"] = () => undefined
): CommonOf =>
(origin) =>
  Result.gen(function*() {
    const own = yield* Options.headersFor(headers, origin)
    return {
      headers: { ...Redacted.value(settings.headers), ...own },
      credentials: yield* Result.try(() => credentials(origin))
    }
  })

/**
 * Makes a pool with the services of all of them, and not in the trace and with the annotations of the request that happens
 * to be the first.
 */
const inContext = <A, E>(
  context: Context.Context<never>,
  make: Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.updateContext(
    make,
    (own: Context.Context<Scope.Scope>) => Context.add(context, Scope.Scope, Context.get(own, Scope.Scope))
  )

/** An origin without TLS has no use for options that concern TLS. */
const optionsOf = (each: HttpOptions, origin: string): HttpOptions => {
  if (origin.startsWith("https:")) return { ...each, origin }
  const { allowH2: _, maxConcurrentStreams: __, tls: ___, ...rest } = each
  return { ...rest, origin }
}

const byOrigin: OptionRules.Rule = {
  expects: "a function of the origin: a redirect would carry what goes to all of them anywhere",
  is: OptionRules.callable.is
}

type Own = Pick<HttpPoolsOptions, "headers" | "credentials" | "maxOrigins" | "originIdleTimeout">

const rules: OptionRules.Rules<Own> = {
  headers: byOrigin,
  credentials: byOrigin,
  maxOrigins: OptionRules.count(1),
  originIdleTimeout: OptionRules.duration(1)
}

const full = (maxOrigins: number): InvalidOption =>
  new InvalidOption({
    option: "maxOrigins",
    rule: `${maxOrigins} origins have a pool already, and none is idle for long enough`
  })

const isFull = (error: unknown): error is Cause.ExceededCapacityError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "ExceededCapacityError"

/**
 * The pools, and over them `HttpClient`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: HttpPoolsOptions = {}): Layer.Layer<HttpPools | HttpClient.HttpClient, PoolError> =>
  Layer.effectContext(Effect.map(make(options), contextOf))

/**
 * `layer` with options read from the configuration.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: ConfigInput.ConfigInput<HttpPoolsOptions>
): Layer.Layer<HttpPools | HttpClient.HttpClient, PoolError | Config.ConfigError> =>
  Layer.effectContext(Effect.map(Effect.flatMap(ConfigInput.unwrap<HttpPoolsOptions>(options), make), contextOf))

const contextOf = (pools: HttpPools["Service"]): Context.Context<HttpPools | HttpClient.HttpClient> =>
  Context.make(HttpPools, pools).pipe(Context.add(HttpClient.HttpClient, pools.client))
