/**
 * Checks the options of a Redis pool, and sorts them: what the connector needs, and what the pool itself does.
 */
import { InvalidOption } from "@effect-pools/core/PoolError"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { RedisOptions } from "../RedisConfig.ts"
import * as ConnectionUrl from "./connectionUrl.ts"
import type { ConnectionSettings, Topology } from "./settings.ts"

/** The options that are not the pool's. */
type Own = Omit<RedisOptions, keyof PoolOptions>

export interface Checked {
  readonly connection: ConnectionSettings
  /** Not checked yet: the pool does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions
}

/** `name` is the pool's unless the options have one. */
export const check = (options: RedisOptions, name: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const own = yield* ownOf(options)
    const url: ConnectionUrl.UrlParts = own.url === undefined ? {} : yield* Result.mapError(
      ConnectionUrl.parse(Redacted.value(own.url)),
      (rule) => new InvalidOption({ option: "url", rule })
    )
    yield* noContradiction(own, url)
    const pool: Record<string, unknown> = Object.fromEntries(
      Object.entries(options).filter(([option]) => !Object.hasOwn(own, option))
    )
    pool["name"] = options.name ?? name
    return { connection: settingsOf(own, url, options.name ?? name), pool }
  })

const settingsOf = (own: Own, url: ConnectionUrl.UrlParts, name: string): ConnectionSettings => ({
  topology: topologyOf(own, url),
  username: own.username ?? url.username,
  password: own.password ?? url.password,
  db: own.db ?? url.db ?? 0,
  tls: tlsOf(own.tls ?? url.tls ?? false),
  family: own.family ?? 0,
  clientName: own.clientName ?? nameOf(name),
  keepAlive: millisOf(own.keepAlive ?? "30 seconds"),
  commandTimeout: millisOf(own.commandTimeout ?? "10 seconds"),
  maxReplySize: own.maxReplySize ?? 512 * 1024 * 1024,
  sharing: own.sharing ?? 128
})

const topologyOf = ({ cluster, host, port, sentinel }: Own, url: ConnectionUrl.UrlParts): Topology => {
  if (cluster !== undefined) {
    return { _tag: "cluster", nodes: cluster.nodes, maxRedirections: cluster.maxRedirections ?? 16 }
  }
  if (sentinel !== undefined) {
    const { name, nodes, password, role = "primary", username } = sentinel
    return { _tag: "sentinel", nodes, name, role, username, password }
  }
  return {
    _tag: "standalone",
    address: { host: host ?? url.host ?? "localhost", port: port ?? url.port ?? 6379 }
  }
}

const tlsOf = (tls: NonNullable<Own["tls"]>): ConnectionSettings["tls"] =>
  tls === false ? undefined : tls === true ? {} : tls

/** The server refuses names with spaces and special characters. */
const nameOf = (name: string): string => name.replace(/[^!-~]/g, "_")

type Rule = readonly [expects: string, is: (value: unknown) => boolean]

const isText = (value: unknown): boolean => typeof value === "string" && value !== "" && !value.includes("\0")
const isSecret = (value: unknown): boolean => Redacted.isRedacted(value) && typeof Redacted.value(value) === "string"
const isInteger = (value: unknown, minimum: number, maximum: number): boolean =>
  Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const text: Rule = ["a text without NUL", isText]
const count = (minimum: number, maximum: number): Rule => [
  `an integer from ${minimum} to ${maximum}`,
  (value) => isInteger(value, minimum, maximum)
]
const duration = (minimum: string): Rule => [
  `a finite duration of at least ${minimum}`,
  (value) => {
    const millis = Option.getOrUndefined(Option.map(Duration.fromInput(value as Duration.Input), Duration.toMillis))
    return millis !== undefined && millis >= millisOf(minimum as Duration.Input) && millis <= 0x7fffffff
  }
]

/** What each option must be. The table is also the list of the options that are not the pool's. */
const rules: Readonly<Record<keyof Own, Rule>> = {
  url: ["a Redacted text", isSecret],
  host: text,
  port: count(1, 65_535),
  username: text,
  password: [
    "a Redacted text or an Effect that yields one",
    (value) => Effect.isEffect(value) || isSecret(value)
  ],
  db: count(0, 1_000_000),
  tls: ["true, false or options of node:tls", (value) => typeof value === "boolean" || isObject(value)],
  family: ["0, 4 or 6", (value) => value === 0 || value === 4 || value === 6],
  clientName: [
    "a text of printable characters without spaces",
    (value) => isText(value) && /^[!-~]+$/.test(String(value))
  ],
  keepAlive: duration("1 second"),
  cluster: ["{ nodes, maxRedirections? }, with one node { host, port } at least", (value) => isCluster(value)],
  sentinel: [
    "{ nodes, name, role?, username?, password? }, with one node { host, port } at least",
    (value) => isSentinel(value)
  ],
  commandTimeout: duration("1 millis"),
  maxReplySize: count(65_536, Number.MAX_SAFE_INTEGER),
  sharing: count(1, 1024)
}

const isNode = (node: unknown): boolean =>
  isObject(node) && isText(node["host"]) && isInteger(node["port"], 1, 65_535) && knows(node, ["host", "port"])

const areNodes = (nodes: unknown): boolean => Array.isArray(nodes) && nodes.length > 0 && nodes.every(isNode)

const knows = (value: object, keys: ReadonlyArray<string>): boolean =>
  Object.keys(value).every((key) => keys.includes(key))

const isCluster = (value: unknown): boolean =>
  isObject(value) && knows(value, ["nodes", "maxRedirections"]) && areNodes(value["nodes"]) &&
  (value["maxRedirections"] === undefined || isInteger(value["maxRedirections"], 1, 1000))

const isSentinel = (value: unknown): boolean =>
  isObject(value) && knows(value, ["nodes", "name", "role", "username", "password"]) && areNodes(value["nodes"]) &&
  isText(value["name"]) && [undefined, "primary", "replica"].includes(value["role"] as string | undefined) &&
  (value["username"] === undefined || isText(value["username"])) &&
  (value["password"] === undefined || isSecret(value["password"]))

const ownOf = (options: RedisOptions): Result.Result<Own, InvalidOption> => {
  const own: Record<string, unknown> = {}
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, option)) continue
    const [expects, is] = rules[option as keyof Own]
    own[option] = value
    // The value is not shown: it may be a secret given to the wrong option.
    if (value !== undefined && !is(value)) return refuse(option, `must be ${expects}`)
  }
  return Result.succeed(own)
}

const refuse = (option: string, rule: string): Result.Result<never, InvalidOption> =>
  Result.fail(new InvalidOption({ option, rule }))

const noContradiction = (own: Own, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> => {
  const naming = (["url", "host", "cluster", "sentinel"] as const).filter((option) => own[option] !== undefined)
  if (naming.length > 1) return refuse(naming[1]!, `can't be given beside ${naming[0]}, which names the server`)
  if (own.port !== undefined && naming.length > 0 && naming[0] !== "host") {
    return refuse("port", `can't be given beside ${naming[0]}, which names the server`)
  }
  for (const option of ["username", "password", "db"] as const) {
    if (own[option] !== undefined && url[option] !== undefined) {
      return refuse(option, "is said by url already: leave one of them out")
    }
  }
  if (own.tls === false && url.tls === true) return refuse("tls", "contradicts the url, which begins with rediss://")
  if (own.cluster !== undefined && (own.db ?? 0) !== 0) {
    return refuse("db", "must be 0 in a cluster, which has no other")
  }
  if (own.username !== undefined && own.password === undefined && url.password === undefined) {
    return refuse("username", "has no effect without a password")
  }
  const { sentinel } = own
  return sentinel?.username !== undefined && sentinel.password === undefined
    ? refuse("sentinel", "has a username, which has no effect without a password")
    : Result.succeed(undefined)
}

const millisOf = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))
