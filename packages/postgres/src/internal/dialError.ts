/**
 * The error of a dial that the driver gave up.
 */
import { at } from "@effect-pools/core/Describe"
import { DialError } from "@effect-pools/core/DialError"
import * as ServerText from "@effect-pools/core/ServerText"
import * as SocketError from "@effect-pools/core/SocketError"
import type { SqlError } from "effect/sql/SqlError"
import { serverError } from "./session.ts"

export const fromSqlError = (
  error: SqlError,
  options: { readonly address: string; readonly hasFreshCredentials: boolean }
): DialError => {
  const { cause } = error.reason
  const code = serverError(error).code ?? SocketError.codeOf(cause)
  const said = cause instanceof Error ? ServerText.messageOf(cause, code ?? "it failed") : undefined
  const isRetryable = error.reason._tag === "AuthenticationError"
    ? options.hasFreshCredentials
    : !(SocketError.isPermanent(code) || deadEnd.test(said ?? "") || permanent.has(code?.slice(0, 2) ?? ""))
  const told = ServerText.clean(error.message)
  const message = said === undefined ? told : told === lead ? said : `${told}: ${said}`
  return new DialError({
    address: options.address,
    message: at(options.address, message),
    code,
    isRetryable,
    refusal: refusalOf(error, code, said ?? "")
  })
}

/** PgBouncer has one code for all its errors, and says by its text that it has no room. */
const refusalOf = (error: SqlError, code: string | undefined, said: string): DialError["refusal"] => {
  if (error.reason._tag === "AuthenticationError" || code?.startsWith("28") === true) return "credentials"
  return code === "53300" || noRoom.test(said) ? "capacity" : undefined
}

/** PgBouncer's words, of which the second are those since 1.24 for the clients of one database or one user. */
const noRoom = /no more connections allowed|client connections exceeded/i

/** The driver's words for most failures: no more than the error of a dial has said already. */
const lead = "PgConnection: Failed to connect"

/** Classes of SQLSTATE: no such database, wrong start-up parameter, no permission, not understood. */
const permanent: ReadonlySet<string> = new Set(["3D", "22", "42", "0A"])

// The last one is PgBouncer's, which has one code for all its errors, those that pass included.
const deadEnd = /does not support TLS|is not supported|unsupported startup parameter/
