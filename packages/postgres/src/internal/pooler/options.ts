/**
 * The options of a pool that are refused behind a PgBouncer.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Result from "effect/Result"
import type { PostgresOptions } from "../../PostgresConfig.ts"
import * as Misuse from "./misuse.ts"
import * as Parameters from "./parameters.ts"
import type { PoolerOptions } from "./model.ts"

export const table: OptionRules.OwnTable<PoolerOptions> = {
  mode: OptionRules.option(OptionRules.oneOf("transaction", "session"), {
    does: "Its `pool_mode`. It can't be found out: without `admin` nobody notices a wrong one."
  }),
  admin: OptionRules.option(OptionRules.object, {
    does:
      "Its console, as one of its `admin_users` or `stats_users`: its settings are read when the pool is made, and those that " +
      "contradict the pool's options are refused.",
    defaults: "By default nothing is asked.",
    note: "Host, port, user, password and TLS that are not given are the pool's."
  })
}

export const rule: OptionRules.Rule = {
  expects: `an object with the mode "transaction" or "session"`,
  is: OptionRules.hasParts(table, "mode")
}

/** The server would keep each of these for a session, which is nobody's own in this mode. */
const ofSessions = ["statementTimeout", "idleInTransactionTimeout", "searchPath", "settings"] as const

const local: Readonly<Record<typeof ofSessions[number], string>> = {
  statementTimeout: "set it on the role (ALTER ROLE ... SET statement_timeout), or SET LOCAL in a transaction",
  idleInTransactionTimeout: "set it on the role (ALTER ROLE ... SET idle_in_transaction_session_timeout)",
  searchPath: "set it on the role (ALTER ROLE ... SET search_path), or name the schemas",
  settings: "set them on the role (ALTER ROLE ... SET ...), or SET LOCAL in a transaction"
}

/** Whether PgBouncer gives each of them to whichever server connection serves the pool's. */
const isKept = (settings: PostgresOptions["settings"]): boolean =>
  OptionRules.object.is(settings) &&
  Object.keys(settings as object).every((name) => Parameters.tracked.has(name.toLowerCase()))

export const check = (
  options: PostgresOptions,
  startupOptions: string | undefined
): Result.Result<void, InvalidOption> => {
  if (options.pooler?.mode !== "transaction") return Result.succeed(undefined)
  for (const option of ofSessions) {
    if (options[option] !== undefined && !(option === "settings" && isKept(options.settings))) {
      return OptionRules.refuse(option, `can't hold when pooler.mode is "transaction": ${local[option]}`)
    }
  }
  if (startupOptions !== undefined) {
    return OptionRules.refuse("url", `has options, which can't hold when pooler.mode is "transaction"`)
  }
  for (const text of options.prewarm?.run ?? []) {
    const rule = Misuse.ruleOf(text)
    if (rule !== undefined) return OptionRules.refuse("prewarm", `has a statement that can't be run: ${rule}`)
  }
  if (options.sessionReset !== undefined) {
    return OptionRules.refuse("sessionReset", `has no effect when pooler.mode is "transaction": no reset is sent`)
  }
  return Result.succeed(undefined)
}
