/**
 * Why an exchange failed, as far as it matters to who is asked again and to what is believed of the server.
 */

/** We gave the request up ourselves: it says nothing about the server. */
export class GivenUp extends Error {
  override readonly name = "GivenUp"
}

/** The reader of the response wanted no more of its body: nothing went wrong. */
export class Left extends GivenUp {}

/** The caller that made the request was interrupted. */
export class CallerInterrupted extends GivenUp {}

/** The reader of the body was interrupted. */
export class ReaderInterrupted extends GivenUp {}

/** The request can't be sent as it is. */
export class BadRequest extends GivenUp {}

/** The maker of the request's body failed with the `cause`. */
export class BodyFailed extends GivenUp {}

/** Undici's error for a request that can't be sent, or whose body is not as long as it said. */
const badRequests = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED", "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"])

/** Whether an error is our side's, so that it says nothing about the server. */
export const isOurs = (error: unknown): boolean =>
  error instanceof GivenUp ||
  (error instanceof Error && "code" in error && typeof error.code === "string" && badRequests.has(error.code))

/** The connection ended, and the server has not seen the request, or said that it will not look at it. */
export class SocketGone extends Error {
  override readonly name = "SocketGone"
  override readonly message: string = "the connection ended before the request was sent"
}

/** The connection ended in the middle of an exchange. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost"
  /** That of the socket's error, if there was one. */
  readonly code: string
  constructor(code: string) {
    super(`the connection ended before the response was complete (${code})`)
    this.code = code
  }
}

/** The server gave up one request of a connection that serves on. */
export class StreamReset extends Error {
  override readonly name = "StreamReset"
  /** The error code of RST_STREAM. */
  readonly http2ErrorCode: number
  constructor(http2ErrorCode: number, code: string) {
    super(`the server ended the request before the response was complete (${code})`)
    this.http2ErrorCode = http2ErrorCode
  }
}
