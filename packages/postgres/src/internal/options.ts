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
): Omit<ConnectionSettings, "ssl" | "warnings"> => {
  const { keepAlive, maxMessageSize, preparedStatementCacheSize, types, ...kept } = OptionRules.complete(
    optionTable,
    own,
    url
  )
  // Behind a PgBouncer before 1.21 a statement may meet a server that did not prepare it.
  const prepare = own.prepare ?? (own.pooler?.mode === "transaction" ? false : undefined)
  return {
    ...kept,
    applicationName: kept.applicationName ?? name,
    startupParameters,
    startupOptions: url.startupOptions,
    heavy: Heavy.rulesOf(own.heavy),
    driver: { keepAlive, types, prepare, preparedStatementCacheSize, maxMessageSize }
  }
}

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

const noContradiction = (options: PostgresOptions, url: ConnectionUrl.UrlParts): Result.Result<void, InvalidOption> =>
  Result.gen(function*() {
    if (options.url !== undefined) {
      const naming = ["host", "port", "database", "username"] as const
      yield* OptionRules.refuseAny(options, naming, "can't be given beside url, which names the server")
      const twice =
        (["password", "ssl", "applicationName", "connectTimeout", "role", "keepAlive", "requireAuth"] as const)
          .filter((option) => url[option] !== undefined)
          // A URL says that there is to be TLS, and options whom to trust.
          .filter((option) => !(option === "ssl" && url.ssl === true && typeof options.ssl === "object"))
      yield* OptionRules.refuseAny(options, twice, "is said by url already: leave one of them out")
    }
    if (options.prepare === false) {
      yield* OptionRules.refuseAny(options, ["preparedStatementCacheSize"], "has no effect when prepare is false")
    }
    if ((options.sharing ?? 1) > 1) {
      const rule = "can't be given beside sharing: callers of several keys would be on one connection"
      yield* OptionRules.refuseAny(options, ["session"], rule)
    }
    if (options.transformQueryNames === undefined && options.transformResultNames === undefined) {
      const rule = "has no effect without transformQueryNames or transformResultNames"
      yield* OptionRules.refuseAny(options, ["transformJson"], rule)
    }
  })

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
