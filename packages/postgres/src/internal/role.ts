/**
 * Whether a server is in the role that a pool wants.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { ConnectionSettings } from "./settings.ts"

type Wanted = Pick<ConnectionSettings, "role" | "startupParameters">

const question = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"

/** The fault of a session's server; `undefined` if there is none. */
export const check = (pg: PgConnection, wanted: Wanted): Effect.Effect<string | undefined, SqlError> =>
  wanted.role === "any"
    ? Effect.succeed(undefined)
    : Effect.map(pg.queryValues(question, [], false), ([row]) => wrong(wanted, row?.[0] === true, row?.[1] === "on"))

const wrong = ({ role, startupParameters }: Wanted, isStandby: boolean, isReadOnly: boolean): string | undefined => {
  const found = isStandby ? "standby" : "primary"
  if (found !== role) return `the server is a ${found}, and the pool wants a ${role}`
  // A pool that makes its own sessions read-only does not ask for writes.
  const isOwnWish = startupParameters["default_transaction_read_only"] !== undefined
  return role === "primary" && isReadOnly && !isOwnWish
    ? "the server accepts no writes (default_transaction_read_only is on), and the pool wants a primary that does"
    : undefined
}
