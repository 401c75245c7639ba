/**
 * The SQLSTATEs after which a connection can't be used any more.
 *
 * Most errors leave the session well: a unique violation is no reason to dial again. These are the ones that do not.
 * An error of severity FATAL or PANIC ends the session whatever its SQLSTATE; the table is for what else tells it.
 *
 * @since 0.1.0
 */

/**
 * Why a connection is given up after an error with this SQLSTATE.
 *
 * @category models
 * @since 0.1.0
 */
export interface FatalSqlState {
  /** The name PostgreSQL gives it. */
  readonly name: string
  readonly why: string
  /**
   * `"ended"`: the session is over; the same code with severity ERROR was raised about another connection, such as one
   * of `dblink`, and is not fatal. `"role"`: the session lives, but leads to a server in the wrong role.
   */
  readonly because: "ended" | "role"
}

const ended = (name: string, why: string): FatalSqlState => ({ name, why, because: "ended" })

/**
 * The table, by SQLSTATE. The class 08 (connection exceptions) counts as a whole, see `find`.
 *
 * @category constants
 * @since 0.1.0
 */
export const table: Readonly<Record<string, FatalSqlState>> = {
  "57P01": ended("admin_shutdown", "an administrator ended the session, or the server is shutting down"),
  "57P02": ended("crash_shutdown", "another session crashed and the server ended all of them"),
  "57P03": ended("cannot_connect_now", "the server is starting, stopping or recovering"),
  "57P04": ended("database_dropped", "the database no longer exists"),
  "57P05": ended("idle_session_timeout", "the server ended the session because it was idle too long"),
  "25P03": ended(
    "idle_in_transaction_session_timeout",
    "the server ended the session because its transaction was idle"
  ),
  "25P04": ended("transaction_timeout", "the server ended the session because its transaction took too long"),
  "28000": ended("invalid_authorization_specification", "a pooler in between could not log in for us"),
  "28P01": ended("invalid_password", "a pooler in between could not log in for us"),
  "53300": ended("too_many_connections", "a pooler in between found no room on the server"),
  "25006": {
    name: "read_only_sql_transaction",
    why: "a write reached a server that has become a standby: a new connection may find the primary",
    because: "role"
  }
}

const connectionException = ended("connection_exception", "the connection to the server is broken or out of step")

/**
 * The row of a SQLSTATE, if it has one.
 *
 * @category guards
 * @since 0.1.0
 */
export const find = (code: string): FatalSqlState | undefined =>
  code.startsWith("08") ? connectionException : table[code]
