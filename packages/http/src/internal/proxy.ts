/**
 * Which proxy leads to an origin, if any.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { BlockList, isIP } from "node:net"
import type { ConnectionOptions } from "node:tls"
import type { ProxyInput, ProxyUrl } from "../HttpConfig.ts"

/** A proxy in the form the dial wants. */
export interface Proxy {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly tls: ConnectionOptions
  /** The value of `proxy-authorization`. */
  readonly authorization: Redacted.Redacted | undefined
}

/** The proxy that the option names for an origin, if it names one. */
export const of = (
  given: ProxyUrl | ProxyInput | undefined,
  origin: string
): Result.Result<Proxy | undefined, InvalidOption> =>
  Result.gen(function*() {
    if (given === undefined) return undefined
    const { except = [], http, https, tls = {} } = isUrl(given) ? { http: given, https: given } : given
    const url = origin.startsWith("https:") ? https : http
    if (url === undefined || isExcepted(new URL(origin), except)) return undefined
    return yield* read(url, tls)
  })

const isUrl = (value: unknown): value is ProxyUrl => typeof value === "string" || Redacted.isRedacted(value)

const url: OptionRules.Rule = { expects: "a URL", is: isUrl }

export const table: OptionRules.OwnTable<ProxyInput> = {
  http: OptionRules.option(url, { does: "The one for origins without TLS." }),
  https: OptionRules.option(url, { does: "The one for origins with TLS." }),
  except: OptionRules.option({
    expects: "a list of hosts",
    is: (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string")
  }, {
    does: "Hosts that are reached without it, as in `NO_PROXY`: `example.com` is the host and all below it, " +
      "`example.com:8080` the same at one port, `10.0.0.0/8` a net, `*` all."
  }),
  tls: OptionRules.option(OptionRules.object, {
    does: "Options of `node:tls` for a proxy whose URL is `https:`. Those of the origins are never used for it."
  })
}

const isInput = (value: unknown, needed: "http" | "https"): boolean => OptionRules.hasParts(table, needed)(value)

export const rule: OptionRules.Rule = {
  expects: "a URL, or { http?, https?, except?, tls? } with URLs, or \"environment\"",
  is: (value) => isUrl(value) || isInput(value, "http") || isInput(value, "https")
}

const read = (given: ProxyUrl, tls: ConnectionOptions): Result.Result<Proxy, InvalidOption> =>
  Result.gen(function*() {
    const text = Redacted.isRedacted(given) ? Redacted.value(given) : given
    // As `curl` has it: a proxy without a scheme is one without TLS.
    const url = yield* OptionRules.read("proxy", ServerUrl.parse(withScheme(text), ["http:", "https:"]))
    if (url.pathname !== "/" || url.search !== "") {
      return yield* OptionRules.refuse("proxy", "must have nothing after host and port")
    }
    const isTls = url.protocol === "https:"
    return {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
      isTls,
      tls,
      authorization: yield* authorizationOf(url)
    }
  })

const withScheme = (text: string): string => /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`

const authorizationOf = ({ password, username }: URL): Result.Result<Redacted.Redacted | undefined, InvalidOption> =>
  Result.gen(function*() {
    if (username === "" && password === "") return undefined
    const user = yield* OptionRules.read("proxy", ServerUrl.decode("user", username))
    const secret = yield* OptionRules.read("proxy", ServerUrl.decode("password", password))
    return Redacted.make(`Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`)
  })

/** Whether an origin is reached without the proxy: entries are those of `NO_PROXY`. */
const isExcepted = ({ hostname, port, protocol }: URL, except: ReadonlyArray<string>): boolean => {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase()
  const at = port === "" ? (protocol === "https:" ? "443" : "80") : port
  return except.some((entry) => matches(entry.trim().toLowerCase(), host, at))
}

const matches = (entry: string, host: string, port: string): boolean => {
  if (entry === "*") return true
  if (entry.includes("/")) return isInSubnet(entry, host)
  const [, name = "", wanted] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
  if (wanted !== undefined && wanted !== port) return false
  const suffix = name.replace(/^\*?\./, "")
  return suffix !== "" && (host === suffix || (isIP(host) === 0 && host.endsWith(`.${suffix}`)))
}

const isInSubnet = (entry: string, host: string): boolean => {
  const [net = "", prefix = ""] = entry.split("/")
  const family = isIP(net)
  const bits = Number(prefix)
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(prefix) || bits > (family === 4 ? 32 : 128)) return false
  const type = family === 4 ? "ipv4" : "ipv6"
  const list = new BlockList()
  list.addSubnet(net, bits, type)
  return list.check(host, type)
}
