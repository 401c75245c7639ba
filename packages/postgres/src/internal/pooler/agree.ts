/**
 * Refuses a PgBouncer that is not as the pool has been told.
 */
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import { ConnectFailed, InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as PgBouncerAdmin from "../../PgBouncerAdmin.ts"
import type { PgBouncerError } from "../../PgBouncerError.ts"
import type { ConnectionSettings } from "../settings.ts"
import * as Parameters from "./parameters.ts"

/**
 * A console that can't be asked is like a server that can't be reached: it fails the layer unless that is lazy. One that
 * refuses its user always would.
 */
export const agree = (
  settings: ConnectionSettings,
  pool: PoolOptions
): Effect.Effect<void, InvalidOption | PoolError> =>
  Effect.catchTag(
    compare(settings, pool),
    "PgBouncerError",
    (cause): Effect.Effect<void, InvalidOption | PoolError> => {
      if (isRefusal(cause)) {
        const rule = `must be one of PgBouncer's admin_users or stats_users: ${cause.message}`
        return Effect.fail(new InvalidOption({ option: "pooler.admin", rule }))
      }
      return pool.startup === "lazy"
        ? Effect.annotateLogs(Effect.logWarning(`PgBouncer was not asked for its settings: ${cause.message}`), {
          pool: pool.name
        })
        : Effect.fail(
          new PoolError({
            pool: pool.name ?? "postgres",
            reason: new ConnectFailed({ cause, attempts: 1, waited: 0, isRetryable: true })
          })
        )
    }
  )

/** Whether it is about who asks, and not about how much PgBouncer has to do. */
const isRefusal = ({ isAnswer, message }: PgBouncerError): boolean =>
  isAnswer && /not allowed|denied|authentication|password|no such user|access needed/i.test(message) &&
  !/no more connections/i.test(message)

/** Asks the console whether PgBouncer is as the pool has been told. */
const compare = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  pool: PoolOptions
): Effect.fn.Return<void, InvalidOption | PgBouncerError> {
  const { pooler } = settings
  if (pooler?.admin === undefined) return
  const { host, password, port, ssl, username } = settings
  const admin = yield* PgBouncerAdmin.make({ host, port, username, password, ssl, ...pooler.admin })
  const config = yield* admin.config
  const database = (yield* admin.databases).find(({ name }) => name === (settings.database ?? username))
  const refused = contradiction(settings, pool, { ...config, ...present(database ?? {}) })
  if (refused !== undefined) return yield* refused
})

/** Settings of one database go before those for all. */
const present = (database: Readonly<Record<string, string | null>>): Readonly<Record<string, string>> => ({
  ...(database["pool_mode"] === null || database["pool_mode"] === undefined
    ? {}
    : { pool_mode: database["pool_mode"] }),
  ...(database["pool_size"] === null || database["pool_size"] === undefined
    ? {}
    : { default_pool_size: database["pool_size"] })
})

const contradiction = (
  { driver, pooler, startupParameters }: ConnectionSettings,
  { maxConnections = 20 }: PoolOptions,
  said: Readonly<Record<string, string>>
): InvalidOption | undefined => {
  const refuse = (option: string, rule: string) => new InvalidOption({ option, rule })
  const { default_pool_size: size, max_client_conn: clients, max_prepared_statements: prepared, pool_mode: mode } = said
  if (mode !== undefined && mode !== pooler!.mode) {
    return refuse("pooler.mode", `is "${pooler!.mode}", and PgBouncer has pool_mode = ${mode}`)
  }
  if (clients !== undefined && maxConnections > Number(clients)) {
    return refuse("maxConnections", `is ${maxConnections}, and PgBouncer accepts ${clients} (max_client_conn)`)
  }
  if (pooler!.mode === "session" && size !== undefined && maxConnections > Number(size)) {
    return refuse(
      "maxConnections",
      `is ${maxConnections}, and PgBouncer lends ${size} at once (default_pool_size): the others would wait in it`
    )
  }
  if (pooler!.mode === "transaction" && driver.prepare === true && Number(prepared ?? 0) === 0) {
    return refuse("prepare", "can't be true: this PgBouncer keeps no prepared statements (max_prepared_statements)")
  }
  return unknownParameter(startupParameters, said, refuse)
}

const optionOf: Readonly<Record<string, string>> = {
  statement_timeout: "statementTimeout",
  idle_in_transaction_session_timeout: "idleInTransactionTimeout",
  search_path: "searchPath"
}

/** Others than those that it keeps are refused by it at each dial, or never reach the server. */
const unknownParameter = (
  parameters: ConnectionSettings["startupParameters"],
  said: Readonly<Record<string, string>>,
  refuse: (option: string, rule: string) => InvalidOption
): InvalidOption | undefined => {
  const listed = (setting: string): ReadonlySet<string> => new Set((said[setting] ?? "").toLowerCase().split(/[\s,]+/))
  const kept = new Set([...Parameters.tracked, ...listed("track_extra_parameters")])
  const ignored = listed("ignore_startup_parameters")
  const name = Object.keys(parameters).find((name) => !kept.has(name))
  if (name === undefined) return undefined
  return refuse(
    optionOf[name] ?? "settings",
    `can't hold: PgBouncer ${
      ignored.has(name) ? "drops" : "refuses"
    } ${name} when a session begins, so set it on the ` +
      `role (ALTER ROLE ... SET ${name})`
  )
}
