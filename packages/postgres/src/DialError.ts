/**
 * Why a connection to PostgreSQL could not be opened.
 *
 * It is the `cause` of the pool's `ConnectFailed`. It tells what the server or the socket said, and never a credential.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { SqlError } from "effect/sql/SqlError"
import { serverError } from "./internal/session.ts"

/**
 * One dial failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class DialError extends Data.TaggedError("DialError")<{
  /** Where to, as host and port. */
  readonly address: string
  readonly message: string
  /** The SQLSTATE of the server's answer, or the code of the socket's error, if there was one. */
  readonly code: string | undefined
  /** Whether the same dial may succeed later. If not, the pool ends its round of attempts at once. */
  readonly isRetryable: boolean
}> {}

/**
 * The error of a dial that the driver gave up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromSqlError = (
  error: SqlError,
  options: { readonly address: string; readonly hasFreshCredentials: boolean }
): DialError => {
  const { cause } = error.reason
  const code = serverError(error).code ?? socketCode(cause)
  const said = cause instanceof Error ? cause.message || code : undefined
  const isRetryable = error.reason._tag === "AuthenticationError"
    ? options.hasFreshCredentials
    : !(deadEnd.test(said ?? "") || permanent.some((start) => code?.startsWith(start)))
  const message = said === undefined ? error.message : `${error.message}: ${said}`
  return new DialError({ address: options.address, message: `${options.address}: ${message}`, code, isRetryable })
}

const socketCode = (cause: unknown): string | undefined => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" ? code : undefined
}

/** The starts of codes that name what only a change of the configuration can mend. */
const permanent: ReadonlyArray<string> = [
  // PostgreSQL: no such database, wrong start-up parameter, no permission, not understood.
  "3D",
  "22",
  "42",
  "0A",
  // TLS: the certificate is not trusted, not valid any more, or another host's.
  "CERT_",
  "DEPTH_ZERO_",
  "SELF_SIGNED_",
  "UNABLE_TO_",
  "ERR_TLS_",
  "ERR_SSL_"
]

// The last one is PgBouncer's, which has one code for all its errors, those that pass included.
const deadEnd = /does not support TLS|is not supported|unsupported startup parameter/
