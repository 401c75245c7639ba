/**
 * Checks the options of an HTTP pool, and sorts them: what the connector needs, and what the pool itself does.
 */
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { HeaderInput, HttpOptions } from "../HttpConfig.ts"
import { isHeaderValue } from "./headerValue.ts"
import * as Inflated from "./inflated.ts"
import { healthRequestTable, optionTable, type Own } from "./optionTable.ts"
import * as Proxy from "./proxy.ts"
import type { ConnectionSettings } from "./settings.ts"

/** One origin and its pool. */
export interface Member {
  readonly settings: ConnectionSettings
  /** Not checked yet: the engine does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions & { readonly name: string }
  readonly weight: number
}

interface Checked {
  /** At least one. */
  readonly members: ReadonlyArray<Member>
  /** How they are balanced; `undefined` for a pool of one origin. */
  readonly balance: Pick<HttpOptions, "strategy" | "outlierEjection"> | undefined
}

/** `id` is the pool's name unless the options have one. */
export const check = (options: HttpOptions, id: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool: given } = yield* OptionRules.split(optionTable, options, id)
    const pool = { ...ahead(given), ...given }
    if (own.upstreams === undefined) {
      if (own.origin === undefined) return yield* OptionRules.refuse("origin", "must be given, or upstreams")
      yield* OptionRules.refuseAny(own, ["strategy", "outlierEjection"], "has no effect without upstreams")
      const origin = yield* OptionRules.read("origin", originOf(own.origin))
      return {
        members: [{ settings: yield* settingsOf(own, origin), pool, weight: 1 }],
        balance: undefined
      }
    }
    if (own.origin !== undefined) return yield* OptionRules.refuse("origin", "can't be given beside upstreams")
    const members: Array<Member> = []
    for (const { origin: given, weight = 1 } of own.upstreams) {
      const origin = yield* OptionRules.read("upstreams", originOf(given))
      if (members.some(({ settings }) => settings.origin === origin)) {
        return yield* OptionRules.refuse("upstreams", "must have each origin once")
      }
      const settings = yield* settingsOf(own, origin)
      // One upstream that is down must not keep the others from serving.
      const named = { startup: "lazy" as const, ...pool, name: nameOf(pool.name, origin) }
      members.push({ settings, pool: named, weight })
    }
    return { members, balance: balanceOf(own) }
  })

/**
 * No connection is opened ahead unless somebody asks for it: a server waits for one that was never used when it closes,
 * Node's for 20 s and more.
 */
const ahead = ({ startup, startupTimeout }: PoolOptions): PoolOptions =>
  startup === undefined && startupTimeout === undefined ? { minConnections: 0 } : {}

/** The pool of one origin among several: the same host with TLS and without it is two. */
export const nameOf = (pool: string, origin: string): string => {
  const { host, port, protocol } = new URL(origin)
  return `${pool}/${protocol === "http:" && port === "" ? `${host}:80` : host}`
}

/** An option that is not given must not be there: the balanced pool would take it for given. */
const balanceOf = ({ outlierEjection, strategy }: Own): Checked["balance"] => ({
  ...(outlierEjection === undefined ? {} : { outlierEjection }),
  ...(strategy === undefined ? {} : { strategy })
})

const settingsOf = (own: Own, origin: string): Result.Result<ConnectionSettings, InvalidOption> =>
  Result.gen(function*() {
    if (origin.startsWith("http:")) {
      const ofTls = ["tls", "allowH2", "maxConcurrentStreams"] as const
      yield* OptionRules.refuseAny(own, ofTls, "has no effect on an origin without TLS (http:)")
    }
    const tls = yield* TlsOptions.seal("tls", own.tls)
    const rule = headersRule(own.headers ?? {})
    if (rule !== undefined) return yield* OptionRules.refuse("headers", rule)
    const kept = OptionRules.complete(optionTable, own)
    if (!kept.allowH2) {
      yield* OptionRules.refuseAny(own, ["maxConcurrentStreams"], "has no effect when allowH2 is false")
    }
    return {
      ...kept,
      origin,
      basePath: (own.basePath ?? "").replace(/\/$/, ""),
      headers: headersOf(own),
      tls: tls ?? {},
      warnings: TlsOptions.warnings("tls", own.tls),
      proxy: yield* Proxy.of(own.proxy === "environment" ? undefined : own.proxy, origin),
      healthRequest: own.healthRequest && OptionRules.complete(healthRequestTable, own.healthRequest)
    }
  })

const headersOf = (own: Own): ConnectionSettings["headers"] =>
  Redacted.make({
    "user-agent": own.userAgent ?? optionTable.userAgent.default,
    ...(own.decompress === true ? { "accept-encoding": Inflated.accepted } : {}),
    ...valuesOf(own.headers)
  })

/** The values of headers by lower-case name. */
export const valuesOf = (given: HeaderInput | undefined): Readonly<Record<string, string>> => {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(given ?? {})) {
    headers[name.toLowerCase()] = typeof value === "string" ? value : Redacted.value(value)
  }
  return headers
}

/** The values of headers that a function of the program gives for an origin, or what is wrong with them. */
export const headersFor = (
  given: (origin: string) => HeaderInput | undefined,
  origin: string
): Result.Result<Readonly<Record<string, string>>, unknown> =>
  Result.flatMap(Result.try(() => given(origin)), (headers) => {
    const rule = headers === undefined ? undefined : headersRule(headers)
    return rule === undefined ? Result.succeed(valuesOf(headers)) : OptionRules.refuse("headers", rule)
  })

/** undici writes these itself, or has no place for them in a pool. */
const reserved = new Set([
  "host",
  "connection",
  "keep-alive",
  "upgrade",
  "transfer-encoding",
  "content-length",
  "expect"
])

/** The fault of headers. Their names are shown, their values never. */
const headersRule = (headers: HeaderInput): string | undefined => {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) return `${JSON.stringify(name)} is no name of a header`
    if (reserved.has(name.toLowerCase())) return `must not have ${name}: it is the connection's own`
    if (!isHeaderValue(Redacted.isRedacted(value) ? Redacted.value(value) : value)) {
      return `${name} must be a text of one line, or one in a Redacted`
    }
  }
  return undefined
}

/** Scheme, host and port of a text that has nothing else, or the rule that it breaks. */
export const originOf = (text: string): Result.Result<string, string> =>
  Result.gen(function*() {
    const url = yield* ServerUrl.parse(text, ["http:", "https:"])
    if (url.username !== "" || url.password !== "") {
      return yield* Result.fail("must have no user and no password: give headers or credentials")
    }
    if (url.pathname !== "/" || text.includes("?")) {
      return yield* Result.fail("must have nothing after host and port: a path is given as basePath")
    }
    return url.origin
  })
