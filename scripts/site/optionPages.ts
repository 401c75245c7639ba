/**
 * The tables of all options, for a page of each kind: what an option does, what it must be, its default, and what happens when it
 * is too small or too large. Texts come from the sources, defaults and rules from a pool that is asked for them.
 */
import { BalancedPool, PoolConfig, type PoolError, PoolKind, ResourcePool } from "@effect-pools/core"
import { HttpConfig, HttpPool, HttpPools } from "@effect-pools/http"
import { ConnectionManager, Monitoring } from "@effect-pools/manager"
import { PostgresCluster, PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { RedisConfig, RedisPool } from "@effect-pools/redis"
import { WebSocketConfig, WebSocketPool } from "@effect-pools/websocket"
import { Cause, Context, Duration, Effect, Exit, Layer, Schedule } from "effect"
import type { OptionText } from "../../docs/api/optionTexts.ts"
import { ownOptions } from "../optionTables.ts"
import { declared } from "./optionSources.ts"

type Making = Layer.Layer<never, unknown>

/** Something that is made with options, and refuses those that break a rule. */
type Made = (options: object) => Making

/** An option's text, and its rule where the table of the options says it. */
type Option = OptionText & { readonly rule?: string | undefined }

interface Table {
  readonly title: string
  readonly texts: ReadonlyArray<Option>
  /** The check that refuses a wrong one; without it the texts alone tell the rules. */
  readonly make?: Made | undefined
  /** Defaults that a pool tells, where the text only says that they depend. */
  readonly defaults?: Readonly<Record<string, unknown>>
}

class Resource extends ResourcePool.Service<Resource, object>()("docs/Resource") {}
class Balanced extends BalancedPool.Service<Balanced, object>()("docs/Balanced") {}
class Db extends PostgresPool.Service<Db>()("docs/Db") {}
class Replicated extends PostgresCluster.Service<Replicated>()("docs/Replicated") {}
class Cache extends RedisPool.Service<Cache>()("docs/Cache") {}
class Api extends HttpPool.Service<Api>()("docs/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("docs/Chat") {}

/** Nobody listens there. */
const nowhere = { host: "127.0.0.1", port: 9 }

// An option that is refused is none that the types allow.
const untyped = <A>(options: object): A => options as A

const makes: Readonly<Record<string, Made>> = {
  resource: (options) => Resource.layer({ acquire: Effect.succeed({}), minConnections: 0, ...options }),
  postgres: (options) => Db.layerPoolOnly(untyped({ ...nowhere, username: "docs", ...options })),
  redis: (options) => Cache.layerPoolOnly(untyped({ ...nowhere, ...options })),
  http: (options) => Api.layerPoolOnly(untyped({ origin: "http://127.0.0.1:9", ...options })),
  websocket: (options) => Chat.layerPoolOnly(untyped({ url: "ws://127.0.0.1:9", ...options })),
  manager: (options) =>
    ConnectionManager.layer(untyped<{ readonly pools: readonly [typeof Resource] }>({ pools: [Resource], ...options }))
      .pipe(
        Layer.provide(Resource.layer({ acquire: Effect.succeed({}) }))
      ),
  monitoring: (options) =>
    Monitoring.layer(untyped({ port: 0, ...options })).pipe(
      Layer.provide(ConnectionManager.layer({ pools: [Resource] })),
      Layer.provide(Resource.layer({ acquire: Effect.succeed({}) }))
    )
}

/** Opens nothing before it is ready. */
const lazy = { startup: "lazy", minConnections: undefined }

/** The options of a kind beside those of its pools. */
interface Extra {
  readonly title: string
  readonly of: string
  readonly makes?: Made
  /** The options of one call: one with the name of a pool's option is another. */
  readonly isCall?: boolean
}

const extras: Readonly<Record<string, ReadonlyArray<Extra>>> = {
  postgres: [{
    title: "Options of a primary and its replicas (`PostgresCluster`)",
    of: "ClusterOptions",
    makes: (options) => Replicated.layer(untyped({ primary: { ...nowhere, username: "docs" }, ...options }))
  }, {
    title: "Options of one `transaction`",
    of: "TransactionOptions",
    isCall: true
  }, {
    title: "Options of one `query`",
    of: "QueryOptions",
    isCall: true
  }],
  http: [{
    title: "Options of a pool for each origin (`HttpPools`)",
    of: "HttpPoolsOptions",
    makes: (options) => HttpPools.layer(untyped(options))
  }]
}

/** No option takes a symbol. */
const impossible = Symbol("impossible")

const withOption = (name: string): object =>
  name.split(".").reduceRight<unknown>((value, part) => ({ [part]: value }), impossible) as object

/** The rule that an option keeps, in the words of the error that names it. */
const ruleOf = (make: Made, name: string): Effect.Effect<string> =>
  Effect.scoped(Layer.build(make(withOption(name)))).pipe(
    Effect.exit,
    Effect.map((exit) => {
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) as Partial<PoolError.PoolError> : undefined
      const reason = error?.reason
      if (reason?._tag !== "InvalidOption" || reason.option !== name) return ""
      return /^must be (.*?)(, got .*)?$/s.exec(reason.rule)?.[1] ?? ""
    })
  )

/** Defaults that a pool tells and that are no answer: its own name, what was given here, and what follows from another. */
type Told = Omit<PoolConfig.PoolConfig, "name" | "startup" | "connectRate" | "healthCheck"> & {
  readonly healthCheck: number
}

type ConfigIn = (context: Context.Context<never>) => PoolConfig.PoolConfig

// The layer of a kind was forgotten to hold its pool when it became one of several.
const configOf = <Id>(pool: Context.Key<Id, { readonly config: PoolConfig.PoolConfig }>): ConfigIn => (context) =>
  Context.get(context as Context.Context<Id>, pool).config

/** The value of every option when nothing is given, as a pool that was made tells it. */
const effective = (make: Made, configIn: ConfigIn, given: object) =>
  Effect.scoped(Effect.gen(function*() {
    const context = yield* Layer.build(make(given))
    const { connectRate: _, healthCheck, name: __, startup: ___, ...config } = configIn(context)
    const told: Told = { ...config, healthCheck: yield* firstDelay(healthCheck) }
    return told
  }))

/** The time between two health checks, in milliseconds. */
const firstDelay = (schedule: Schedule.Schedule<unknown>): Effect.Effect<number> =>
  Effect.flatMap(
    Schedule.toStep(schedule),
    (step) => Effect.orDie(Effect.map(step(0, undefined), ([, delay]) => Duration.toMillis(delay)))
  )

const duration = (ms: number): string => {
  const units = [["h", 3_600_000], ["min", 60_000], ["s", 1_000]] as const
  const [unit, size] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ["ms", 1]
  return `${ms / size} ${unit}`
}

const shown = (value: unknown, type: string): string | undefined => {
  if (typeof value === "number" && Number.isFinite(value)) {
    return type.includes("Duration") ? duration(value) : String(value)
  }
  return typeof value === "boolean" || typeof value === "string" ? `\`${JSON.stringify(value)}\`` : undefined
}

const ofText = (text: string): string =>
  text.replace(/^Default:? /, "").replace(/^(`"\w+"`) \(default\).*$/, "$1").replace(/\.$/, "")

const defaultOf = ({ default: text, name, type }: OptionText, { defaults = {} }: Table): string => {
  const value = name.split(".").reduce<unknown>((within, part) => (within as Record<string, unknown>)?.[part], defaults)
  return shown(value, type) ?? ofText(text)
}

const unitOf = (rule: string, type: string): string => {
  if (rule !== "") return rule
  return type.includes("Duration") ? "a duration" : /^(number|boolean|string)$/.test(type) ? `a ${type}` : ""
}

/** Texts stand in a table: a line break or a bar would end it, and `<` would begin an element. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ")

const ruleIn = ({ make }: Table, { name, rule }: Option): Effect.Effect<string> =>
  rule !== undefined || make === undefined ? Effect.succeed(rule ?? "") : ruleOf(make, name)

const row = (text: Option, table: Table): Effect.Effect<string> =>
  Effect.map(ruleIn(table, text), (rule) => {
    const name = `<span id="${text.name.toLowerCase()}">\`${text.name}\`</span>`
    const cells = [defaultOf(text, table), unitOf(rule, text.type), text.what, text.tooSmall, text.tooLarge].map(cell)
    return `| ${[name, ...cells].join(" | ")} |`
  })

const head =
  "| option | default | must be | what it does | too small | too large |\n| --- | --- | --- | --- | --- | --- |"

const tableOf = (table: Table): Effect.Effect<string> =>
  Effect.map(
    Effect.forEach(table.texts, (text) => row(text, table)),
    (rows) => `## ${table.title}\n\n${head}\n${rows.join("\n")}\n`
  )

/** The options of every pool, from the table that they are made of. */
const everyOf = (kind: PoolKind.PoolKind, thresholds: ReadonlyArray<OptionText>): ReadonlyArray<Option> => [
  ...PoolConfig.optionsOf(kind).map(optionOf),
  ...thresholds
]

const optionOf = (info: PoolConfig.OptionInfo): Option => ({
  name: info.name,
  type: info.unit === "duration" ? "Duration.Input" : "",
  rule: info.unit === undefined || info.unit === "duration" ? info.expects : `${info.expects} (${info.unit})`,
  what: [info.does, info.note].filter((text) => text !== undefined).join(" "),
  default: info.defaults ?? (info.default?.startsWith("\"") === true ? `\`${info.default}\`` : info.default ?? ""),
  tooSmall: capital(info.tooSmall ?? ""),
  tooLarge: capital(info.tooLarge ?? "")
})

/** A backend's own options, from its table; the parts of an option that no table has, from their comments. */
const ownOf = (
  declared: ReadonlyArray<OptionText>,
  table: ReadonlyArray<PoolConfig.OptionInfo>
): ReadonlyArray<Option> => {
  const infos = new Map(table.map((info) => [info.name, info]))
  const parts = table.filter(({ name }) => declared.every((text) => text.name !== name))
  return declared.flatMap((text) => {
    const info = infos.get(text.name)
    const within = parts.filter(({ name }) => name.startsWith(`${text.name}.`)).map(optionOf)
    return [info === undefined ? text : optionOf(info), ...within]
  })
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Two tables of a page may have options of one name: a link leads to the first. */
const distinct = (text: string): string => {
  const ids = new Set<string>()
  return text.replaceAll(/<span id="([^"]+)">/g, (_, id: string) => {
    const free = ids.has(id) ? `${id}-${ids.size}` : id
    ids.add(free)
    return `<span id="${free}">`
  })
}

export interface OptionPage {
  readonly name: string
  readonly text: string
}

export const make = (root: string): Effect.Effect<ReadonlyArray<OptionPage>, unknown> =>
  Effect.gen(function*() {
    const ofPool = declared(root, "resource").membersOf("PoolOptions")
    const thresholds = ofPool.filter(({ name }) => name.startsWith("thresholds."))
    const names = new Set(ofPool.map(({ name }) => name))

    const kinds = [
      ["resource", "Any resource", "ResourceOptions", PoolKind.service, configOf(Resource), lazy],
      ["postgres", "PostgreSQL", "PostgresOptions", PostgresConfig.kind, configOf(Db), lazy],
      ["redis", "Redis", "RedisOptions", RedisConfig.kind, configOf(Cache), lazy],
      // Its minimum is another when a start-up is asked for.
      ["http", "HTTP", "HttpOptions", HttpConfig.kind, configOf(Api), {}],
      ["websocket", "WebSocket", "WebSocketOptions", WebSocketConfig.kind, configOf(Chat), lazy]
    ] as const
    const pages: Array<OptionPage> = []
    const add = Effect.fnUntraced(function*(name: string, tables: ReadonlyArray<Table>) {
      const texts = yield* Effect.forEach(tables, tableOf)
      pages.push({ name, text: distinct(texts.join("\n")) })
    })

    for (const [name, title, options, kind, configIn, given] of kinds) {
      const make = makes[name]!
      const { membersOf } = declared(root, name)
      const own = ownOf(
        membersOf(options).filter(({ name }) => !names.has(name)),
        name === "resource" ? [] : ownOptions[name]
      )
      const defaults = yield* effective(make, configIn, given)
      const ownTable = {
        title: title === "Any resource" ? "Options of pools of any resource" : `Options of ${title} pools`,
        texts: own,
        make
      }
      const known = new Set([...names, ...own.map(({ name }) => name)])
      const extra = (extras[name] ?? []).map(({ isCall = false, makes, of, title }): Table => ({
        title,
        texts: membersOf(of).filter(({ name }) => isCall || !known.has(name)),
        make: makes
      }))
      yield* add(name, [ownTable, ...extra, {
        title: "Options of every pool, with the defaults of this kind",
        texts: everyOf(kind, thresholds),
        make,
        defaults
      }])
    }
    yield* add("every-pool", [{
      title: "Options",
      texts: everyOf(PoolKind.service, thresholds),
      make: makes["resource"]!,
      defaults: yield* effective(makes["resource"]!, configOf(Resource), lazy)
    }, {
      title: "Options of several pools as one (`BalancedPool`)",
      texts: declared(root, "resource").membersOf("Options"),
      make: (options) => Balanced.layer(Effect.succeed([]), untyped(options))
    }, {
      title: "Options of one lease",
      texts: declared(root, "resource").membersOf("LeaseOptions")
    }])
    const managers = declared(root, "manager").membersOf
    yield* add("manager", [
      { title: "Options of `ConnectionManager`", texts: managers("ManagerOptions"), make: makes["manager"]! },
      { title: "Options of `Monitoring`", texts: managers("ServerOptions"), make: makes["monitoring"]! }
    ])
    return pages
  })
