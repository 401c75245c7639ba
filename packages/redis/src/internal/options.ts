/**
 * Checks the options of a Redis pool, and sorts them: what the connector needs, and what the pool itself does.
 */
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { RedisOptions } from "../RedisConfig.ts"
import * as ConnectionUrl from "./connectionUrl.ts"
import { clusterTable, optionTable, type Own, sentinelTable } from "./optionTable.ts"
import type { ConnectionSettings, Topology } from "./settings.ts"

type Checked = OptionRules.Checked<ConnectionSettings>

/** `name` is the pool's unless the options have one. */
export const check = (options: RedisOptions, name: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool } = yield* OptionRules.split(optionTable, options, name)
    const url: ConnectionUrl.UrlParts = own.url === undefined
      ? {}
      : yield* OptionRules.read("url", ConnectionUrl.parse(Redacted.value(own.url)))
    yield* noContradiction(own, url)
    const tls = yield* TlsOptions.seal("tls", own.tls)
    const sentinelTls = yield* TlsOptions.seal("sentinel", own.sentinel?.tls)
    const sealed: Own = {
      ...own,
      tls,
      sentinel: own.sentinel === undefined ? undefined : { ...own.sentinel, tls: sentinelTls }
    }
    const warnings = [
      ...TlsOptions.warnings("tls", own.tls),
      ...TlsOptions.warnings("sentinel.tls", own.sentinel?.tls)
    ]
    return { settings: { ...settingsOf(sealed, url, pool.name), warnings }, pool }
  })

const settingsOf = (
  own: Own,
  url: ConnectionUrl.UrlParts,
  name: string
): Omit<ConnectionSettings, "warnings"> => ({
  topology: topologyOf(own, url),
  username: own.username ?? url.username,
  password: own.password ?? url.password,
  db: own.db ?? url.db ?? optionTable.db.default,
  tls: tlsOf(own.tls ?? url.tls ?? optionTable.tls.default),
  family: own.family ?? optionTable.family.default,
  clientName: own.clientName ?? nameOf(name),
  keepAlive: OptionRules.millisOf(own.keepAlive) ?? optionTable.keepAlive.default,
  commandTimeout: OptionRules.millisOf(own.commandTimeout) ?? optionTable.commandTimeout.default,
  maxReplySize: own.maxReplySize ?? optionTable.maxReplySize.default,
  sharing: own.sharing ?? optionTable.sharing.default
})

const topologyOf = (
  { cluster, host, path, port, sentinel, tls: serverTls }: Own,
  url: ConnectionUrl.UrlParts
): Topology => {
  if (cluster !== undefined) {
    const { addressMap, maxRedirections = clusterTable.maxRedirections.default, nodes } = cluster
    return { _tag: "cluster", nodes, maxRedirections, addressMap: new Map(Object.entries(addressMap ?? {})) }
  }
  if (sentinel !== undefined) {
    const { addressMap, checkInterval, name, nodes, password, role = sentinelTable.role.default, tls, username } =
      sentinel
    return {
      _tag: "sentinel",
      nodes,
      name,
      role,
      username,
      password,
      tls: tlsOf(tls ?? serverTls ?? url.tls ?? optionTable.tls.default),
      checkInterval: OptionRules.millisOf(checkInterval) ?? sentinelTable.checkInterval.default,
      addressMap: new Map(Object.entries(addressMap ?? {}))
    }
  }
  const socket = path ?? url.path
  if (socket !== undefined) return { _tag: "standalone", address: { host: "", port: 0, path: socket } }
  return {
    _tag: "standalone",
    address: { host: host ?? url.host ?? optionTable.host.default, port: port ?? url.port ?? optionTable.port.default }
  }
}

const tlsOf = (tls: NonNullable<Own["tls"]>): ConnectionSettings["tls"] =>
  tls === false ? undefined : tls === true ? {} : tls

/** The server refuses names with spaces and special characters. */
const nameOf = (name: string): string => name.replace(/[^!-~]/g, "_")

const noContradiction = (own: Own, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> => {
  const naming = (["url", "host", "path", "cluster", "sentinel"] as const).filter((option) => own[option] !== undefined)
  if (naming.length > 1) {
    return OptionRules.refuse(naming[1]!, `can't be given beside ${naming[0]}, which names the server`)
  }
  if (own.port !== undefined && naming.length > 0 && naming[0] !== "host") {
    return OptionRules.refuse("port", `can't be given beside ${naming[0]}, which names the server`)
  }
  for (const option of ["username", "password", "db"] as const) {
    if (own[option] !== undefined && url[option] !== undefined) {
      return OptionRules.refuse(option, "is said by url already: leave one of them out")
    }
  }
  if (own.tls === false && url.tls === true) {
    return OptionRules.refuse("tls", "contradicts the url, which begins with rediss://")
  }
  if ((own.path ?? url.path) !== undefined) {
    if (own.tls !== undefined && own.tls !== false) {
      return OptionRules.refuse("tls", "has no effect on a socket of this machine")
    }
    if (own.family !== undefined) return OptionRules.refuse("family", "has no effect on a socket of this machine")
  }
  if (own.cluster !== undefined && (own.db ?? 0) !== 0) {
    return OptionRules.refuse("db", "must be 0 in a cluster, which has no other")
  }
  if (own.username !== undefined && own.password === undefined && url.password === undefined) {
    return OptionRules.refuse("username", "has no effect without a password")
  }
  const { sentinel } = own
  return sentinel?.username !== undefined && sentinel.password === undefined
    ? OptionRules.refuse("sentinel", "has a username, which has no effect without a password")
    : Result.succeed(undefined)
}
