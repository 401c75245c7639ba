/**
 * Checks the options of a PostgreSQL pool, and sorts them: what the connector needs, and what the pool itself does.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import { InvalidOption } from "@effect-pools/core/PoolError"
import * as SocketError from "@effect-pools/core/SocketError"
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import type { ConnectionOptions } from "node:tls"
import type { PostgresOptions } from "../PostgresConfig.ts"
import * as ConnectionUrl from "./connectionUrl.ts"
import * as Pooler from "./pooler/options.ts"
import * as Heavy from "./cost/options.ts"
import { optionTable, type Own } from "./optionTable.ts"
import type { ConnectionSettings } from "./settings.ts"

type Checked = OptionRules.Checked<ConnectionSettings>

/** `name` is the pool's unless the options have one. */
export const check = (options: PostgresOptions, name: string): Result.Result<Checked, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool } = yield* OptionRules.split(optionTable, options, name)
    const url: ConnectionUrl.UrlParts = own.url === undefined
      ? {}
      : yield* OptionRules.read("url", ConnectionUrl.parse(Redacted.value(own.url)))
    yield* noContradiction(options, url)
    yield* Pooler.check(options, url.startupOptions)
    const startupParameters = yield* startupParametersOf(own)
    const ssl = yield* tlsOf(own, url)
    return {
      settings: {
        ...settingsOf(own, url, startupParameters, pool.name),
        ssl: yield* TlsOptions.seal(own.ssl === undefined ? "url" : "ssl", ssl),
        warnings: TlsOptions.warnings("ssl", ssl)
      },
      pool: url.connectTimeout === undefined ? pool : { ...pool, connectTimeout: url.connectTimeout }
    }
  })

/** As `check`, and finds out who logs in, as whom the driver would. Without anybody it would fail every dial. */
export const checkWithUser = Effect.fnUntraced(function*(
  options: PostgresOptions,
  name: string
): Effect.fn.Return<Checked, InvalidOption> {
  const { pool, settings } = yield* Effect.fromResult(check(options, name))
  const username = settings.username ?? (yield* Effect.mapError(
    userOfSystem.parse(ConfigProvider.fromEnv()),
    () =>
      options.url === undefined
        ? new InvalidOption({ option: "username", rule: `must be given (fromEnv: DATABASE_USER), ${noUser}` })
        : new InvalidOption({ option: "url", rule: `must name a user, as in postgres://user@host/database, ${noUser}` })
  ))
  return { settings: { ...settings, username }, pool }
})

const userOfSystem = Config.orElse(Config.NonEmptyString("USER"), () => Config.NonEmptyString("USERNAME"))

const noUser = "since neither USER nor USERNAME of the environment tells one"

const settingsOf = (
  own: Own,
  url: ConnectionUrl.UrlParts,
  startupParameters: Readonly<Record<string, string>>,
  name: string
): Omit<ConnectionSettings, "ssl" | "warnings"> => ({
  host: own.host ?? url.host ?? optionTable.host.default,
  port: own.port ?? url.port ?? optionTable.port.default,
  database: own.database ?? url.database,
  username: own.username ?? url.username,
  password: own.password ?? url.password,
  requireAuth: own.requireAuth ?? url.requireAuth,
  applicationName: own.applicationName ?? url.applicationName ?? name,
  startupParameters,
  startupOptions: url.startupOptions,
  role: own.role ?? url.role ?? optionTable.role.default,
  sessionReset: own.sessionReset ?? optionTable.sessionReset.default,
  sharing: own.sharing ?? optionTable.sharing.default,
  pooler: own.pooler,
  session: own.session,
  prewarm: own.prewarm,
  heavy: Heavy.rulesOf(own.heavy),
  driver: {
    keepAlive: own.keepAlive ?? url.keepAlive ?? optionTable.keepAlive.default,
    types: own.types,
    // Behind a PgBouncer before 1.21 a statement may meet a server that did not prepare it.
    prepare: own.prepare ?? (own.pooler?.mode === "transaction" ? false : undefined),
    preparedStatementCacheSize: own.preparedStatementCacheSize,
    maxMessageSize: own.maxMessageSize
  },
  spanAttributes: own.spanAttributes,
  transformResultNames: own.transformResultNames,
  transformQueryNames: own.transformQueryNames,
  transformJson: own.transformJson
})

/** Whether there is TLS, and whom it trusts. What a URL names as files is read here. */
const tlsOf = (own: Own, url: ConnectionUrl.UrlParts): Result.Result<boolean | ConnectionOptions, InvalidOption> => {
  const given = own.ssl ?? url.ssl ?? optionTable.ssl.default
  const { minVersion, sslpassword, tlsFiles = {} } = url
  if (minVersion === undefined && sslpassword === undefined && Object.keys(tlsFiles).length === 0) {
    return Result.succeed(given)
  }
  if (given === false) {
    return OptionRules.refuse("url", "has parameters of TLS without TLS: add sslmode=verify-full")
  }
  return Result.map(
    Result.try({
      try: () => Object.fromEntries(Object.entries(tlsFiles).map(([name, path]) => [name, readFileSync(path, "utf8")])),
      catch: (cause) =>
        new InvalidOption({
          option: "url",
          rule: `names a file of TLS that can't be read: ${SocketError.codeOf(cause) ?? "it failed"}`
        })
    }),
    (files) => ({
      ...files,
      ...(sslpassword === undefined ? {} : { passphrase: Redacted.value(sslpassword) }),
      ...(minVersion === undefined ? {} : { minVersion }),
      ...(typeof given === "object" ? given : {})
    })
  )
}

const noContradiction = (options: PostgresOptions, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> => {
  if (options.url !== undefined) {
    for (const option of ["host", "port", "database", "username"] as const) {
      if (options[option] !== undefined) {
        return OptionRules.refuse(option, "can't be given beside url, which names the server")
      }
    }
    const given = ["password", "ssl", "applicationName", "connectTimeout", "role", "keepAlive", "requireAuth"] as const
    for (const option of given) {
      // A URL says that there is to be TLS, and options whom to trust.
      if (option === "ssl" && url.ssl === true && typeof options.ssl === "object") continue
      if (options[option] !== undefined && url[option] !== undefined) {
        return OptionRules.refuse(option, "is said by url already: leave one of them out")
      }
    }
  }
  if (options.prepare === false && options.preparedStatementCacheSize !== undefined) {
    return OptionRules.refuse("preparedStatementCacheSize", "has no effect when prepare is false")
  }
  if (options.session !== undefined && (options.sharing ?? 1) > 1) {
    return OptionRules.refuse(
      "session",
      "can't be given beside sharing: callers of several keys would be on one connection"
    )
  }
  const renames = options.transformQueryNames !== undefined || options.transformResultNames !== undefined
  if (options.transformJson !== undefined && !renames) {
    return OptionRules.refuse("transformJson", "has no effect without transformQueryNames or transformResultNames")
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
      return OptionRules.refuse("settings", `can't set ${JSON.stringify(given.slice(0, 60))}`)
    }
    const twice = named.find(([, name, value]) => name === parameter && value !== undefined)
    if (twice !== undefined) return OptionRules.refuse("settings", `${parameter} is said by ${twice[0]} already`)
    parameters[parameter] = value
  }
  return Result.succeed(parameters)
}

const millisText = (input: Duration.Input | undefined): string | undefined => {
  const millis = OptionRules.millisOf(input)
  return millis === undefined ? undefined : String(Math.max(1, Math.round(millis)))
}
