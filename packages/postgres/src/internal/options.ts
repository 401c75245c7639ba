/**
 * Checks the options of a PostgreSQL pool, and sorts them: what the connector needs, and what the pool itself does.
 */
import { InvalidOption } from "@effect-pools/core/PoolError"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { PostgresOptions } from "../PostgresConfig.ts"
import * as ConnectionUrl from "./connectionUrl.ts"
import type { ConnectionSettings } from "./settings.ts"

/** The options that are not the pool's. */
type Own = Omit<PostgresOptions, keyof PoolOptions>

export interface Checked {
  readonly connection: ConnectionSettings
  /** Not checked yet: the pool does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions
}

/** `name` is the pool's unless the options have one. */
export const check = (options: PostgresOptions, name: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const own = yield* ownOf(options)
    const url: ConnectionUrl.UrlParts = own.url === undefined ? {} : yield* Result.mapError(
      ConnectionUrl.parse(Redacted.value(own.url)),
      (rule) => new InvalidOption({ option: "url", rule })
    )
    yield* noContradiction(options, url)
    const startupParameters = yield* startupParametersOf(own)
    const pool: Record<string, unknown> = Object.fromEntries(
      Object.entries(options).filter(([option]) => !Object.hasOwn(own, option))
    )
    if (url.connectTimeout !== undefined) pool["connectTimeout"] = url.connectTimeout
    pool["name"] = options.name ?? name
    return { connection: settingsOf(own, url, startupParameters, options.name ?? name), pool }
  })

const settingsOf = (
  own: Own,
  url: ConnectionUrl.UrlParts,
  startupParameters: Readonly<Record<string, string>>,
  name: string
): ConnectionSettings => ({
  host: own.host ?? url.host ?? "localhost",
  port: own.port ?? url.port ?? 5432,
  database: own.database ?? url.database,
  username: own.username ?? url.username,
  password: own.password ?? url.password,
  ssl: own.ssl ?? url.ssl ?? false,
  applicationName: own.applicationName ?? url.applicationName ?? name,
  startupParameters,
  startupOptions: url.startupOptions,
  role: own.role ?? url.role ?? "any",
  sessionReset: own.sessionReset ?? "whenNeeded",
  sharing: own.sharing ?? 1,
  driver: {
    keepAlive: own.keepAlive ?? "30 seconds",
    types: own.types,
    prepare: own.prepare,
    preparedStatementCacheSize: own.preparedStatementCacheSize,
    maxMessageSize: own.maxMessageSize
  },
  spanAttributes: own.spanAttributes,
  transformResultNames: own.transformResultNames,
  transformQueryNames: own.transformQueryNames,
  transformJson: own.transformJson
})

type Rule = readonly [expects: string, is: (value: unknown) => boolean]

const text: Rule = ["a text without NUL", (value) => typeof value === "string" && value !== "" && !value.includes("\0")]
const flag: Rule = ["true or false", (value) => typeof value === "boolean"]
const object: Rule = ["an object", (value) => typeof value === "object" && value !== null]
const rename: Rule = ["a function", (value) => typeof value === "function"]
const count = (minimum: number, maximum: number): Rule => [
  `an integer from ${minimum} to ${maximum}`,
  (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
]
const duration = (minimum: string): Rule => [
  `a finite duration of at least ${minimum}`,
  (value) => {
    const millis = millisOf(value)
    return millis !== undefined && Number.isFinite(millis) &&
      millis >= Duration.toMillis(Duration.fromInputUnsafe(minimum as Duration.Input)) && millis <= 0x7fffffff
  }
]
const oneOf = (...values: ReadonlyArray<unknown>): Rule => [
  values.map((value) => JSON.stringify(value)).join(" or "),
  (value) => values.includes(value)
]

/** What each option must be. The table is also the list of the options that are not the pool's. */
const rules: Readonly<Record<keyof Own, Rule>> = {
  url: ["a Redacted text", (value) => Redacted.isRedacted(value) && typeof Redacted.value(value) === "string"],
  host: text,
  port: count(1, 65_535),
  database: text,
  username: text,
  password: [
    "a Redacted text or an Effect that yields one",
    (value) => Effect.isEffect(value) || (Redacted.isRedacted(value) && typeof Redacted.value(value) === "string")
  ],
  ssl: ["true, false or options of node:tls", (value) => flag[1](value) || object[1](value)],
  applicationName: text,
  statementTimeout: duration("1 millis"),
  idleInTransactionTimeout: duration("1 millis"),
  searchPath: ["a list of schema names", (value) => Array.isArray(value) && value.length > 0 && value.every(text[1])],
  settings: ["an object of texts", (value) => object[1](value) && Object.values(value as object).every(isSetting)],
  role: oneOf("any", "primary", "standby"),
  sessionReset: oneOf("whenNeeded", "always"),
  sharing: count(1, 128),
  keepAlive: duration("1 second"),
  prepare: flag,
  preparedStatementCacheSize: count(1, 1_000_000),
  maxMessageSize: count(1024, 0x7fffffff),
  types: object,
  spanAttributes: object,
  transformResultNames: rename,
  transformQueryNames: rename,
  transformJson: flag
}

const isSetting = (value: unknown): boolean => typeof value === "string" && !value.includes("\0")

const ownOf = (options: PostgresOptions): Result.Result<Own, InvalidOption> => {
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

const noContradiction = (options: PostgresOptions, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> => {
  if (options.url !== undefined) {
    for (const option of ["host", "port", "database", "username"] as const) {
      if (options[option] !== undefined) return refuse(option, "can't be given beside url, which names the server")
    }
    for (const option of ["password", "ssl", "applicationName", "connectTimeout", "role"] as const) {
      if (options[option] !== undefined && url[option] !== undefined) {
        return refuse(option, "is said by url already: leave one of them out")
      }
    }
  }
  if (options.prepare === false && options.preparedStatementCacheSize !== undefined) {
    return refuse("preparedStatementCacheSize", "has no effect when prepare is false")
  }
  const renames = options.transformQueryNames !== undefined || options.transformResultNames !== undefined
  if (options.transformJson !== undefined && !renames) {
    return refuse("transformJson", "has no effect without transformQueryNames or transformResultNames")
  }
  return Result.succeed(undefined)
}

const reserved = new Set(["user", "database", "replication", "options", "application_name", "client_encoding"])

const startupParametersOf = (own: Own): Result.Result<Record<string, string>, InvalidOption> => {
  const parameters: Record<string, string> = {}
  const named: ReadonlyArray<readonly [keyof Own, string, string | undefined]> = [
    ["statementTimeout", "statement_timeout", millisText(own.statementTimeout)],
    ["idleInTransactionTimeout", "idle_in_transaction_session_timeout", millisText(own.idleInTransactionTimeout)],
    ["searchPath", "search_path", own.searchPath?.map((schema) => `"${schema.replaceAll("\"", "\"\"")}"`).join(", ")]
  ]
  for (const [, parameter, value] of named) {
    if (value !== undefined) parameters[parameter] = value
  }
  for (const [given, value] of Object.entries(own.settings ?? {})) {
    const parameter = given.toLowerCase()
    if (!/^[a-z_][a-z0-9_.$]*$/.test(parameter) || reserved.has(parameter)) {
      return refuse("settings", `can't set ${JSON.stringify(given.slice(0, 60))}`)
    }
    const twice = named.find(([, name, value]) => name === parameter && value !== undefined)
    if (twice !== undefined) return refuse("settings", `${parameter} is said by ${twice[0]} already`)
    parameters[parameter] = value
  }
  return Result.succeed(parameters)
}

const millisText = (input: Duration.Input | undefined): string | undefined => {
  const millis = input === undefined ? undefined : millisOf(input)
  return millis === undefined ? undefined : String(Math.max(1, Math.round(millis)))
}

const millisOf = (input: unknown): number | undefined =>
  Option.getOrUndefined(Option.map(Duration.fromInput(input as Duration.Input), Duration.toMillis))
