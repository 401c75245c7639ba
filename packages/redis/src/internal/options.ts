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
import type { ConnectionSettings, Topology } from "./settings.ts"

/** The options that are not the pool's. */
type Own = OptionRules.Own<RedisOptions>

type Checked = OptionRules.Checked<ConnectionSettings>

/** `name` is the pool's unless the options have one. */
export const check = (options: RedisOptions, name: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool } = yield* OptionRules.split(rules, options, name)
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
  db: own.db ?? url.db ?? 0,
  tls: tlsOf(own.tls ?? url.tls ?? false),
  family: own.family ?? 0,
  clientName: own.clientName ?? nameOf(name),
  keepAlive: OptionRules.millisOf(own.keepAlive) ?? 30_000,
  commandTimeout: OptionRules.millisOf(own.commandTimeout) ?? 10_000,
  maxReplySize: own.maxReplySize ?? 128 * 1024 * 1024,
  sharing: own.sharing ?? 128
})

const topologyOf = (
  { cluster, host, path, port, sentinel, tls: serverTls }: Own,
  url: ConnectionUrl.UrlParts
): Topology => {
  if (cluster !== undefined) {
    const { addressMap, maxRedirections = 16, nodes } = cluster
    return { _tag: "cluster", nodes, maxRedirections, addressMap: new Map(Object.entries(addressMap ?? {})) }
  }
  if (sentinel !== undefined) {
    const { addressMap, checkInterval, name, nodes, password, role = "primary", tls, username } = sentinel
    return {
      _tag: "sentinel",
      nodes,
      name,
      role,
      username,
      password,
      tls: tlsOf(tls ?? serverTls ?? url.tls ?? false),
      checkInterval: OptionRules.millisOf(checkInterval) ?? 10_000,
      addressMap: new Map(Object.entries(addressMap ?? {}))
    }
  }
  const socket = path ?? url.path
  if (socket !== undefined) return { _tag: "standalone", address: { host: "", port: 0, path: socket } }
  return {
    _tag: "standalone",
    address: { host: host ?? url.host ?? "localhost", port: port ?? url.port ?? 6379 }
  }
}

const tlsOf = (tls: NonNullable<Own["tls"]>): ConnectionSettings["tls"] =>
  tls === false ? undefined : tls === true ? {} : tls

/** The server refuses names with spaces and special characters. */
const nameOf = (name: string): string => name.replace(/[^!-~]/g, "_")

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const port = OptionRules.count(1, 65_535)

const maxRedirections = OptionRules.count(1, 1000)

const checkInterval = OptionRules.duration("100 millis")

/** The rule of each option. The table is also the list of the options that are not the pool's. */
const rules: OptionRules.Rules<Own> = {
  url: OptionRules.secret,
  host: OptionRules.text,
  path: {
    expects: "the absolute path of a socket",
    is: (value) => OptionRules.text.is(value) && String(value).startsWith("/")
  },
  port,
  username: OptionRules.text,
  password: OptionRules.secretOrEffect,
  db: OptionRules.count(0, 1_000_000),
  tls: { expects: "true, false or options of node:tls", is: (value) => isTls(value) },
  family: { expects: "0, 4 or 6", is: (value) => value === 0 || value === 4 || value === 6 },
  clientName: {
    expects: "a text of printable characters without spaces",
    is: (value) => OptionRules.text.is(value) && /^[!-~]+$/.test(String(value))
  },
  keepAlive: OptionRules.duration("1 second"),
  cluster: {
    expects: "{ nodes, maxRedirections?, addressMap? }, with one node { host, port } at least",
    is: (value) => isCluster(value)
  },
  sentinel: {
    expects:
      "{ nodes, name, role?, username?, password?, tls?, checkInterval?, addressMap? }, with one node { host, port } at least, "
      + `and a checkInterval that is ${checkInterval.expects}`,
    is: (value) => isSentinel(value)
  },
  commandTimeout: OptionRules.duration(1),
  maxReplySize: OptionRules.count(65_536),
  sharing: OptionRules.count(1, 1024)
}

const isNode = (node: unknown): boolean =>
  isObject(node) && OptionRules.text.is(node["host"]) && port.is(node["port"]) && knows(node, ["host", "port"])

const areNodes = (nodes: unknown): boolean => Array.isArray(nodes) && nodes.length > 0 && nodes.every(isNode)

const isAddressMap = (value: unknown): boolean =>
  value === undefined || isObject(value) && !Array.isArray(value) &&
    Object.entries(value).every(([name, node]) => /:\d{1,5}$/.test(name) && isNode(node))

const knows = (value: object, keys: ReadonlyArray<string>): boolean =>
  Object.keys(value).every((key) => keys.includes(key))

const isCluster = (value: unknown): boolean =>
  isObject(value) && knows(value, ["nodes", "maxRedirections", "addressMap"]) &&
  areNodes(value["nodes"]) && isAddressMap(value["addressMap"]) &&
  (value["maxRedirections"] === undefined || maxRedirections.is(value["maxRedirections"]))

const isSentinel = (value: unknown): boolean =>
  isObject(value) && knows(value, sentinelOptions) && areNodes(value["nodes"]) && isAddressMap(value["addressMap"]) &&
  OptionRules.text.is(value["name"]) &&
  [undefined, "primary", "replica"].includes(value["role"] as string | undefined) &&
  (value["username"] === undefined || OptionRules.text.is(value["username"])) &&
  (value["password"] === undefined || OptionRules.secret.is(value["password"])) &&
  (value["tls"] === undefined || isTls(value["tls"])) &&
  (value["checkInterval"] === undefined || checkInterval.is(value["checkInterval"]))

const sentinelOptions = ["nodes", "name", "role", "username", "password", "tls", "checkInterval", "addressMap"]

const isTls = (value: unknown): boolean => OptionRules.flag.is(value) || isObject(value)

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
