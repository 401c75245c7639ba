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
import { clusterTable, type Defaults, optionTable, type Own, sentinelTable } from "./optionTable.ts"
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
): Omit<ConnectionSettings, "warnings"> => {
  const { cluster, host, path, port, sentinel, tls, url: _, ...kept } = OptionRules.complete(optionTable, own, url)
  return {
    ...kept,
    topology: topologyOf({ cluster, host, path, port, sentinel, tls }),
    tls: tlsOf(tls),
    clientName: kept.clientName ?? nameOf(name)
  }
}

type Naming = Pick<OptionRules.Complete<Own, Defaults>, "cluster" | "host" | "path" | "port" | "sentinel" | "tls">

const topologyOf = ({ cluster, host, path, port, sentinel, tls }: Naming): Topology => {
  if (cluster !== undefined) {
    const { addressMap, maxRedirections, nodes } = OptionRules.complete(clusterTable, cluster)
    return { _tag: "cluster", nodes, maxRedirections, addressMap: new Map(Object.entries(addressMap ?? {})) }
  }
  if (sentinel !== undefined) {
    const kept = OptionRules.complete(sentinelTable, sentinel)
    const addressMap = new Map(Object.entries(kept.addressMap ?? {}))
    return { ...kept, _tag: "sentinel", tls: tlsOf(kept.tls ?? tls), addressMap }
  }
  return { _tag: "standalone", address: path === undefined ? { host, port } : { host: "", port: 0, path } }
}

const tlsOf = (tls: Naming["tls"]): ConnectionSettings["tls"] => tls === false ? undefined : tls === true ? {} : tls

/** The server refuses names with spaces and special characters. */
const nameOf = (name: string): string => name.replace(/[^!-~]/g, "_")

const noContradiction = (own: Own, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> =>
  Result.gen(function*() {
    const naming = (["url", "host", "path", "cluster", "sentinel"] as const).filter((option) =>
      own[option] !== undefined
    )
    const [first, ...others] = naming
    yield* OptionRules.refuseAny(own, others, `can't be given beside ${first}, which names the server`)
    if (first !== undefined && first !== "host") {
      yield* OptionRules.refuseAny(own, ["port"], `can't be given beside ${first}, which names the server`)
    }
    const twice = (["username", "password", "db"] as const).filter((option) => url[option] !== undefined)
    yield* OptionRules.refuseAny(own, twice, "is said by url already: leave one of them out")
    if (own.tls === false && url.tls === true) {
      return yield* OptionRules.refuse("tls", "contradicts the url, which begins with rediss://")
    }
    if ((own.path ?? url.path) !== undefined) {
      const ofNetworks = [...(own.tls === false ? [] : ["tls"] as const), "family"] as const
      yield* OptionRules.refuseAny(own, ofNetworks, "has no effect on a socket of this machine")
    }
    if (own.cluster !== undefined && own.db !== 0) {
      yield* OptionRules.refuseAny(own, ["db"], "must be 0 in a cluster, which has no other")
    }
    if (own.password === undefined && url.password === undefined) {
      yield* OptionRules.refuseAny(own, ["username"], "has no effect without a password")
    }
    if (own.sentinel?.username !== undefined && own.sentinel.password === undefined) {
      return yield* OptionRules.refuse("sentinel", "has a username, which has no effect without a password")
    }
  })
