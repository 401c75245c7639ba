/**
 * For authors of backend packages: why a connection could not be opened.
 *
 * It is the `cause` of the pool's `ConnectFailed`. It tells what the server, the socket or TLS said, and never a secret.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { at } from "./Describe.ts"
import * as ServerText from "./ServerText.ts"
import * as SocketError from "./SocketError.ts"

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
  /** The server's own code, such as a SQLSTATE, or that of the socket's or TLS's error, if there was one. */
  readonly code: string | undefined
  /** Whether the same dial may succeed later. If not, the pool ends its round of attempts at once. */
  readonly isRetryable: boolean
  /** Why the server turned the dial away, where it says so: who we are, or that it has no room for one more. */
  readonly refusal?: "credentials" | "capacity" | undefined
}> {}

/**
 * The error of a dial from what the socket said.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromCause = (cause: unknown, address: string): DialError => {
  const code = SocketError.codeOf(cause)
  const said = ServerText.messageOf(cause, code ?? "it failed")
  return new DialError({
    address,
    message: at(address, said),
    code,
    isRetryable: !SocketError.isPermanent(code)
  })
}
