/**
 * Why a connection to an HTTP server could not be opened.
 *
 * It is the `cause` of the pool's `ConnectFailed`. It tells what the server, the socket or TLS said, and never a header.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

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
  /** The code of the socket's or TLS's error, if there was one. */
  readonly code: string | undefined
  /** Whether the same dial may succeed later. If not, the pool ends its round of attempts at once. */
  readonly isRetryable: boolean
}> {}

/**
 * The error of a dial from what the socket said.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromCause = (cause: unknown, address: string): DialError => {
  const code = codeOf(cause)
  const said = cause instanceof Error ? cause.message || code || "it failed" : "it failed"
  return new DialError({
    address,
    message: `${address}: ${said}`,
    code,
    isRetryable: code === undefined || !permanent.some((start) => code.startsWith(start))
  })
}

const codeOf = (cause: unknown): string | undefined => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" ? code : undefined
}

/** The starts of codes that name what only a change of the configuration can mend: a certificate that is not trusted. */
const permanent: ReadonlyArray<string> = [
  "CERT_",
  "DEPTH_ZERO_",
  "SELF_SIGNED_",
  "UNABLE_TO_",
  "ERR_TLS_",
  "ERR_SSL_"
]
