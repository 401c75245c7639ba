/**
 * The options of the monitoring routes and server, checked and complete.
 */
import { describeCause } from "@effect-pools/core/Describe"
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { createSecureContext } from "node:tls"
import type { RoutesOptions, ServerOptions } from "./monitoringModel.ts"
import { check, refuse } from "./optionRules.ts"

const owner = "Monitoring"

const routeRules: OptionRules.Rules<RoutesOptions> = {
  prefix: {
    expects: "a path such as /monitoring, without : and *",
    is: (value) => typeof value === "string" && /^(\/|(\/[\w.~-]+)+)$/.test(value)
  },
  token: {
    expects: "a Redacted text of at least 16 printable characters without spaces",
    is: (value) => Redacted.isRedacted(value) && /^[\x21-\x7e]{16,}$/.test(String(Redacted.value(value)))
  },
  reading: OptionRules.oneOf("open", "token"),
  hosts: {
    expects: "a list of host names without ports",
    is: (value) => Array.isArray(value) && value.every((host) => typeof host === "string" && /^[\w.-]+$/.test(host))
  },
  dashboard: OptionRules.flag,
  heartbeat: OptionRules.duration(100, "10 minutes"),
  streams: OptionRules.count(1, 10_000),
  streamBuffer: OptionRules.count(1024, 1024 * 1024 * 1024)
}

const serverRules: OptionRules.Rules<ServerOptions> = {
  ...routeRules,
  host: { expects: "an IP address or localhost", is: (value) => value === "localhost" || isIP(String(value)) !== 0 },
  port: OptionRules.count(0, 65_535),
  isExposed: OptionRules.flag,
  isUnencrypted: OptionRules.flag,
  tls: {
    expects: "an object with a certificate as cert (PEM) and its private key as key (a Redacted PEM)",
    is: (value) =>
      typeof value === "object" && value !== null && "cert" in value && OptionRules.text.is(value.cert) &&
      "key" in value && OptionRules.secret.is(value.key)
  },
  headersTimeout: OptionRules.duration(100, "10 minutes"),
  requestTimeout: OptionRules.duration(100, "10 minutes"),
  maxSockets: OptionRules.count(1, 1_000_000)
}

export interface CheckedRoutes {
  /** Without a slash at its end. */
  readonly prefix: string
  readonly token: Redacted.Redacted | undefined
  readonly reading: "open" | "token"
  readonly hosts: ReadonlyArray<string>
  readonly dashboard: boolean
  readonly heartbeat: number
  readonly streams: number
  readonly streamBuffer: number
}

export interface CheckedServer {
  readonly host: string
  readonly port: number
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly maxSockets: number
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  readonly routes: CheckedRoutes
}

export const checkRoutes = (options: RoutesOptions): Effect.Effect<CheckedRoutes, PoolError> =>
  Effect.gen(function*() {
    yield* check(owner, routeRules, options)
    if (options.reading === "token" && options.token === undefined) {
      return yield* refuse(owner, "reading", "must be \"open\" where no token is given")
    }
    return {
      prefix: (options.prefix ?? "/").replace(/\/$/, ""),
      token: options.token,
      reading: options.reading ?? "open",
      hosts: options.hosts ?? [],
      dashboard: options.dashboard ?? true,
      heartbeat: OptionRules.millisOf(options.heartbeat) ?? 15_000,
      streams: options.streams ?? 50,
      streamBuffer: options.streamBuffer ?? 1024 * 1024
    }
  })

export const checkServer = (options: ServerOptions): Effect.Effect<CheckedServer, PoolError> =>
  Effect.gen(function*() {
    yield* check(owner, serverRules, options)
    const {
      headersTimeout,
      host = "127.0.0.1",
      isExposed,
      isUnencrypted,
      maxSockets,
      port,
      requestTimeout,
      tls,
      ...routes
    } = options
    const isLocal = isLoopback(host)
    if (!isLocal && options.token === undefined && isExposed !== true) {
      return yield* refuse(owner, "host", `${host} can be reached from elsewhere: give a token, or say isExposed`)
    }
    if (isLocal && isExposed !== undefined) {
      return yield* refuse(owner, "isExposed", `has no effect where host is ${host}`)
    }
    const isInClear = !isLocal && tls === undefined && options.token !== undefined
    if (isInClear && isUnencrypted !== true) {
      return yield* refuse(
        owner,
        "host",
        `${host} can be reached from elsewhere, and the token would travel unencrypted: give tls, or say isUnencrypted`
      )
    }
    if (!isInClear && isUnencrypted !== undefined) {
      return yield* refuse(owner, "isUnencrypted", "has no effect where no token travels unencrypted")
    }
    const reading = options.reading ?? (isLocal || isExposed === true ? "open" : "token")
    return {
      host,
      port: port ?? 9191,
      headersTimeout: OptionRules.millisOf(headersTimeout) ?? 10_000,
      requestTimeout: OptionRules.millisOf(requestTimeout) ?? 15_000,
      maxSockets: maxSockets ?? 1000,
      tls: tls === undefined ? undefined : yield* checkTls({ cert: tls.cert, key: Redacted.value(tls.key) }),
      routes: yield* checkRoutes({ ...routes, reading })
    }
  })

/** An option that Node can't use would otherwise end the process, or every connection. */
const checkTls = (pair: { readonly cert: string; readonly key: string }) =>
  Result.match(Result.try(() => createSecureContext(pair)), {
    onSuccess: () => Effect.succeed(pair),
    onFailure: (error) => refuse(owner, "tls", `can't be used: ${describeCause(error)}`)
  })

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")
