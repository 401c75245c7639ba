/**
 * The options of an HTTP pool.
 *
 * @since 0.1.0
 */
import type * as BalancedPool from "@effect-pools/core/BalancedPool"
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { PoolKind } from "@effect-pools/core/PoolKind"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"

/**
 * The kind of HTTP pools: their name in metrics, and their defaults. Of these `minConnections` holds where `startup` or
 * `startupTimeout` is given, which ask for connections ahead; otherwise it is 0.
 *
 * @category kinds
 * @since 0.1.0
 */
export const kind: PoolKind = Object.freeze({
  name: "http",
  defaults: Object.freeze({
    minConnections: 1,
    maxConnections: 10,
    idleTimeout: "2 minutes",
    maxLifetime: "30 minutes",
    healthCheck: "1 minute"
  })
})

/**
 * Values of headers by name. A `Redacted` value is sent like any other and never shown.
 *
 * @category models
 * @since 0.1.0
 */
export type HeaderInput = Readonly<Record<string, string | Redacted.Redacted>>

/**
 * The request that proves a connection: see `HttpOptions.healthRequest`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HealthRequest {
  /** The method. `"HEAD"` has no body. Default `"HEAD"`. */
  readonly method?: "HEAD" | "GET" | undefined
  /** The path at the origin, `basePath` not included, such as `/healthz`. */
  readonly path: string
}

/**
 * One of the origins of a pool with several.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamInput {
  /** Scheme, host and port, such as `https://eu.api.example.com`. */
  readonly origin: string
  /** Its share of the load beside the others, above 0. Default 1. Too small: it idles. Too large: the others do. */
  readonly weight?: number | undefined
}

/**
 * The URL of a proxy, such as `http://proxy.example.com:3128`. One with a password belongs into a `Redacted`.
 *
 * @category models
 * @since 0.1.0
 */
export type ProxyUrl = string | Redacted.Redacted

/**
 * The proxies that lead to origins: see `RequestOptions.proxy`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProxyInput {
  /** The one for origins without TLS. */
  readonly http?: ProxyUrl | undefined
  /** The one for origins with TLS. */
  readonly https?: ProxyUrl | undefined
  /**
   * Hosts that are reached without it, as in `NO_PROXY`: `example.com` is the host and all below it, `example.com:8080`
   * the same at one port, `10.0.0.0/8` a net, `*` all.
   */
  readonly except?: ReadonlyArray<string> | undefined
  /** Options of `node:tls` for a proxy whose URL is `https:`. Those of the origins are never used for it. */
  readonly tls?: ConnectionOptions | undefined
}

const inEitherCase = (name: string): Config.Config<Redacted.Redacted | undefined> => {
  const read = (name: string) => Config.Redacted(name).pipe(Config.withDefault(undefined))
  return Config.all([read(name), read(name.toUpperCase())]).pipe(Config.map(([small, large]) => small ?? large))
}

/**
 * Reads the proxies from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in capitals or small letters; those in small letters
 * go before the others.
 *
 * @category configuration
 * @since 0.1.0
 */
export const proxyFromEnv: Config.Config<ProxyInput | undefined> = Config.all({
  http: inEitherCase("http_proxy"),
  https: inEitherCase("https_proxy"),
  except: inEitherCase("no_proxy")
}).pipe(Config.map(({ except, http, https }) =>
  http === undefined && https === undefined
    ? undefined
    : { http, https, except: except === undefined ? [] : Redacted.value(except).split(/[,\s]+/).filter(Boolean) }
))

/**
 * The things that all requests of a pool have in common, whatever their origin.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestOptions {
  /** The headers of every request. What a request says itself goes before them. */
  readonly headers?: HeaderInput | undefined
  /**
   * Yields headers for each request anew, such as a token that expires. They go before those of the request. Keep what
   * is costly in a cache: the effect runs before each request is sent.
   */
  readonly credentials?: Effect.Effect<HeaderInput, unknown> | undefined
  /** The header `user-agent`. Default `"effect-pools"`. */
  readonly userAgent?: string | undefined
  /**
   * How long the head of a response may take once its request has gone out, and how long the server may take nothing
   * more of a request that has not. What the operating system has taken counts as gone out; a caller's own body that
   * pauses is waited for. A limit ends up to a quarter later than it says. Default 30 s. Too short: slow answers are
   * lost. Too long: a server that hangs holds connections.
   */
  readonly headersTimeout?: Duration.Input | undefined
  /**
   * How long the body of a response may stand still, be it that nothing comes or that nobody reads what came: then the
   * request is given up and its connection closed. Default 30 s. Too short: slow readers are cut off. Too long: a body
   * that nobody reads holds its connection.
   */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * How much earlier than the server would close it an idle connection is given up, where the server has said by
   * `Keep-Alive: timeout` when it will. At most half of what it said. Where it says nothing `idleTimeout` is the limit:
   * set it below that of the server. Default 1 s. Too short: requests meet sockets that the server is closing.
   */
  readonly keepAliveMargin?: Duration.Input | undefined
  /**
   * The largest head of a response, in bytes; over HTTP/2 each header counts 32 bytes more (RFC 9113, 6.5.2). Default
   * 16 KiB. Too small: answers with many cookies are lost. Too large: so much memory for each request.
   */
  readonly maxHeaderSize?: number | undefined
  /**
   * The largest body of a response, in bytes. By default it is not limited: a streamed body needs no room. Too small:
   * honest answers fail. Too large: who reads a body whole needs as much memory.
   */
  readonly maxResponseSize?: number | undefined
  /** Whether HTTP/2 is spoken with servers that offer it by TLS. Default true. */
  readonly allowH2?: boolean | undefined
  /**
   * How many requests one HTTP/2 connection carries at once, as far as the server allows it. Default 100. Too small:
   * more connections are opened. Too large: one lost connection fails many requests.
   */
  readonly maxConcurrentStreams?: number | undefined
  /** Options of `node:tls` for origins with `https`: whom to trust, a client's certificate, the server's name. */
  readonly tls?: ConnectionOptions | undefined
  /**
   * Whether compressed bodies are asked for (`accept-encoding: gzip, br`, unless a request says its own) and handed on
   * as they were before, without `content-encoding` and `content-length`. `maxResponseSize` and Effect's `MaxBodySize`
   * limit them before and after: a small answer may become a very large one. Default `false`: a body arrives as the
   * server encoded it.
   */
  readonly decompress?: boolean | undefined
  /**
   * Whether the query of a request may be in its span (`url.full`, `url.query`) and its errors. Keep it so where logs
   * and traces leave the house. Default `false`: queries hold tokens and names of people.
   */
  readonly showQuery?: boolean | undefined
  /**
   * The proxy that connections go through: a URL, one for each scheme, or `"environment"` to read `HTTPS_PROXY`,
   * `HTTP_PROXY` and `NO_PROXY`. To an origin with TLS it opens a tunnel by `CONNECT`, and sees nothing of what goes
   * through; requests to one without TLS are sent to it with their whole URL. A user and password in its URL go to the
   * proxy alone. Default none: the environment of a process is not the program's own.
   */
  readonly proxy?: ProxyUrl | ProxyInput | "environment" | undefined
  /**
   * How long at most the pool is paused because a server asks for it by `Retry-After` with status 429 or 503. Default
   * 0: it is not heeded, since such an answer may be meant for one kind of request only. Too short: a server that asks
   * for peace gets none. Too long: one answer stops all requests for as long.
   */
  readonly maxRetryAfter?: Duration.Input | undefined
}

/**
 * The options of an HTTP pool. Durations are `Duration.Input`.
 *
 * It has one `origin`, or several `upstreams`. An option that is unknown, that contradicts another or that would have no
 * effect is refused with `InvalidOption`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions extends PoolConfig.PoolOptions, RequestOptions {
  /** Scheme, host and port, such as `https://api.example.com`. A path goes into `basePath`. */
  readonly origin?: string | undefined
  /**
   * Several origins that serve the same: each has a pool of its own with the options given here, and each request goes
   * to one of them.
   */
  readonly upstreams?: ReadonlyArray<UpstreamInput> | undefined
  /** How one of `upstreams` is chosen. Default `"powerOfTwoChoices"`. */
  readonly strategy?: BalancedPool.Strategy | undefined
  /**
   * When one of `upstreams` is left out because its requests fail: connections lost, time limits, and the statuses 500,
   * 502, 503, 504 and 429. `false`: never.
   */
  readonly outlierEjection?: BalancedPool.OutlierEjection | false | undefined
  /** The beginning of the path of relative URLs, such as `/v1`. No URL, absolute ones neither, leads out of it. */
  readonly basePath?: string | undefined
  /**
   * A request that must be answered with a status below 500 before a connection counts as proven: when it has been
   * dialled, as a part of `connectTimeout`; before a lease that finds it unproven for longer than `freshnessWindow`;
   * and at each `healthCheck`. By default nothing is sent: only the state of the socket is looked at, which costs no
   * round trip and does not find a server that hangs.
   */
  readonly healthRequest?: HealthRequest | undefined
}

/**
 * Options for common situations, to be spread before one's own. They have fewer connections than `PoolConfig.presets`, as an
 * API wants of one client, and limits on responses. `PoolConfig.presetTexts` says what each is for.
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<Record<PoolConfig.PresetName, HttpOptions>> = PoolConfig.presetsWith<HttpOptions>({
  development: { minConnections: 0, maxConnections: 5, headersTimeout: "30 seconds" },
  production: { minConnections: 2, maxConnections: 15, headersTimeout: "30 seconds" },
  highThroughput: { minConnections: 2, maxConnections: 50, headersTimeout: "15 seconds" },
  lowLatency: { minConnections: 5, maxConnections: 15, headersTimeout: "5 seconds", bodyTimeout: "5 seconds" },
  serverless: { maxConnections: 5, headersTimeout: "20 seconds" }
})

/**
 * Reads options from the environment: `HTTP_ORIGIN` and `HTTP_BASE_PATH`, and what `PoolConfig.fromEnv` reads.
 *
 * Absent variables are left out; a pool without an origin is refused when it is made.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<HttpOptions> = PoolConfig.fromEnvWith<HttpOptions>({
  origin: Config.String("HTTP_ORIGIN"),
  basePath: Config.String("HTTP_BASE_PATH")
})
