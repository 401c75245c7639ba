/**
 * For authors of backend packages: what an error of a socket, or of TLS over it, says.
 *
 * @since 0.1.0
 */
import * as ServerText from "./ServerText.ts"

/**
 * The error's `code`, such as `ECONNREFUSED`, if it has one.
 *
 * @category operations
 * @since 0.1.0
 */
export const codeOf = (error: unknown): string | undefined => {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined
  return ServerText.word(code)
}

/**
 * Whether the code is of what only a change of the configuration can mend: TLS that does not fit, or a certificate that
 * is not trusted, not valid any more, or another host's. Dialing again is then in vain.
 *
 * @category operations
 * @since 0.1.0
 */
export const isPermanent = (code: string | undefined): boolean =>
  code !== undefined && permanent.some((start) => code.startsWith(start))

const permanent = ["CERT_", "DEPTH_ZERO_", "SELF_SIGNED_", "UNABLE_TO_", "ERR_TLS_", "ERR_SSL_", "ERR_OSSL_"]
