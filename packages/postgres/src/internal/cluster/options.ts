/**
 * Checks the options of a cluster, and makes those of each server's pool of them.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import { InvalidOption } from "@effect-pools/core/PoolError"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { addressOf } from "../dial.ts"
import * as Options from "../options.ts"
import type { ConnectionSettings } from "../settings.ts"
import type { PostgresOptions } from "../../PostgresConfig.ts"
import * as HostList from "./hostList.ts"
import type { ClusterOptions, NodeInput, NodeOptions } from "./model.ts"
import type { ClusterSettings } from "./settings.ts"

/** A server, as its pool is to be made. */
export interface NodePlan {
  readonly name: string
  readonly settings: ConnectionSettings
  readonly pool: PoolOptions
}

export interface Plan {
  readonly settings: ClusterSettings
  /** The first is the one that `primary` names, or the first host of its URL. */
  readonly nodes: readonly [NodePlan, ...ReadonlyArray<NodePlan>]
}

type Own = Pick<ClusterOptions, keyof ClusterSettings | "primary" | "replicas">

const rules: OptionRules.Rules<Own> = {
  primary: {
    expects: "a Redacted URL or the options of a server",
    is: (value) => OptionRules.object.is(value)
  },
  replicas: {
    expects: "a list of Redacted URLs or options of servers",
    is: (value) => Array.isArray(value) && value.every(OptionRules.object.is)
  },
  consistency: OptionRules.oneOf("session", "eventual", "primary"),
  maxLag: OptionRules.duration(1),
  maxWait: OptionRules.duration(0),
  primaryShare: OptionRules.part,
  tokenLifetime: OptionRules.duration(1),
  probeInterval: OptionRules.duration("10 millis"),
  dedupe: OptionRules.flag
}

const nodeOptions: ReadonlySet<string> = new Set(
  [
    "url",
    "host",
    "port",
    "database",
    "username",
    "password",
    "ssl",
    "minConnections",
    "maxConnections"
  ] satisfies ReadonlyArray<keyof NodeOptions>
)

export const plan = Effect.fnUntraced(function*(
  options: ClusterOptions,
  id: string
): Effect.fn.Return<Plan, InvalidOption> {
  const { own, shared } = split(options)
  yield* Effect.fromResult(OptionRules.check(rules, own))
  const settings = yield* Effect.fromResult(settingsOf(own))
  for (const option of ["url", "host", "port", "role"]) {
    if (option in shared) {
      const rule = option === "role" ? "is found out for each server" : "is a server's: give it in primary and replicas"
      return yield* new InvalidOption({ option, rule })
    }
  }
  if (own.primary === undefined) return yield* new InvalidOption({ option: "primary", rule: "must be given" })
  const name = shared.name ?? id
  const first = yield* nodesOf(own.primary, "primary", shared, name)
  const others = yield* Effect.forEach(own.replicas ?? [], (replica) => nodesOf(replica, "replicas", shared, name))
  const nodes = [...first, ...others.flat()]
  const names = new Set<string>()
  for (const [index, node] of nodes.entries()) {
    if (names.has(node.name)) {
      const rule = `names ${node.name.slice(name.length + 1)} twice${
        node.name === nodes[0]!.name ? ": a replica must be another server than the primary" : ""
      }`
      return yield* new InvalidOption({ option: index < first.length ? "primary" : "replicas", rule })
    }
    names.add(node.name)
  }
  return { settings, nodes: nodes as unknown as Plan["nodes"] }
})

type Shared = Omit<ClusterOptions, keyof Own>

const split = (options: ClusterOptions): { readonly own: Own; readonly shared: Shared } => {
  const part = (isOwn: boolean) =>
    Object.fromEntries(Object.entries(options).filter(([option]) => Object.hasOwn(rules, option) === isOwn))
  return { own: part(true) as unknown as Own, shared: part(false) }
}

const settingsOf = (own: Own): Result.Result<ClusterSettings, InvalidOption> => {
  const millis = (option: "maxLag" | "maxWait" | "tokenLifetime" | "probeInterval", otherwise: number): number =>
    OptionRules.millisOf(own[option]) ?? otherwise
  const settings: ClusterSettings = {
    maxLag: millis("maxLag", 10_000),
    maxWait: millis("maxWait", 100),
    consistency: own.consistency ?? "session",
    primaryShare: own.primaryShare ?? 0.3,
    tokenLifetime: millis("tokenLifetime", 30_000),
    probeInterval: millis("probeInterval", 1_000),
    dedupe: own.dedupe
  }
  return settings.tokenLifetime <= settings.maxLag
    ? OptionRules.refuse(
      "tokenLifetime",
      `must be more than maxLag (${settings.maxLag} ms), since a replica that is so far behind serves reads`
    )
    : Result.succeed(settings)
}

/** The servers that one entry names: several, if its URL does. */
const nodesOf = Effect.fnUntraced(function*(
  input: NodeInput,
  option: "primary" | "replicas",
  shared: Shared,
  name: string
): Effect.fn.Return<ReadonlyArray<NodePlan>, InvalidOption> {
  const given: NodeOptions = Redacted.isRedacted(input) ? { url: input } : input
  for (const key of Object.keys(given)) {
    if (!nodeOptions.has(key)) {
      return yield* new InvalidOption({ option, rule: `has ${key}, which is no option of one server of a cluster` })
    }
  }
  // A URL says who logs in and where; what the cluster has of these is for servers that are named without one.
  const common = given.url === undefined ? shared : without(shared, ["database", "username"])
  const urls: ReadonlyArray<Redacted.Redacted | undefined> = given.url === undefined
    ? [undefined]
    : yield* Effect.fromResult(OptionRules.read(option, HostList.split(given.url)))
  return yield* Effect.forEach(
    urls,
    (url) => nodeOf({ ...common, ...given, ...(url === undefined ? {} : { url }) }, name)
  )
})

const nodeOf = (options: PostgresOptions, name: string): Effect.Effect<NodePlan, InvalidOption> =>
  Effect.map(Options.checkWithUser(options, name), ({ pool, settings }) => {
    const node = `${name}/${addressOf(settings)}`
    return {
      name: node,
      settings: { ...settings, role: "any", applicationName: options.applicationName ?? settings.applicationName },
      pool: { ...pool, name: node, startup: "lazy", startupTimeout: undefined }
    }
  })

const without = <A extends object>(options: A, keys: ReadonlyArray<string>): A =>
  Object.fromEntries(Object.entries(options).filter(([key]) => !keys.includes(key))) as A
