/**
 * Why a WebSocket could not be opened, or a message could not be sent, answered or read.
 *
 * One error, `WebSocketError`, with a tagged `reason`: catch it whole with `Effect.catchTag("WebSocketError", ...)` or
 * one reason with `Effect.catchReason("WebSocketError", "Closed", ...)`. None of them holds a message, a header or the
 * query of a URL.
 *
 * @since 0.1.0
 */
import { at } from "@effect-pools/core/Describe"
import * as Data from "effect/Data"

/**
 * The fate of a message that was not sent or answered.
 *
 * - `"none"`: it never left, so it may be sent again without doing anything twice
 * - `"unknown"`: it was handed to the socket, and nobody knows whether it arrived
 *
 * @category models
 * @since 0.1.0
 */
export type Delivery = "none" | "unknown"

/**
 * The connection could not be opened: the address was not found, the transport or TLS failed, or the server did not
 * switch protocols.
 *
 * @category reasons
 * @since 0.1.0
 */
export class OpenFailed extends Data.TaggedError("OpenFailed")<{
  readonly why: string
  /** The status of the server's answer, if it gave one instead of switching protocols. */
  readonly status: number | undefined
  /** The code of the socket's error, such as `ECONNREFUSED`, if there was one. */
  readonly code: string | undefined
  /** How long the server asked not to be asked again, in milliseconds, if it did. */
  readonly retryAfter: number | undefined
  /** Whether the same dial may succeed later. If not, the pool ends its round of attempts at once. */
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return `could not open: ${this.why}`
  }
}

/**
 * The connection ended.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Closed extends Data.TaggedError("Closed")<{
  /** The close code; 1006 when the connection ended without one. */
  readonly code: number
  /** The reason that the peer, or this side, gave, cut to 123 characters. */
  readonly closeReason: string
  /** Milliseconds since it was opened. */
  readonly lived: number
  readonly delivery: Delivery
  readonly isRetryable: boolean
}> {
  override get message(): string {
    const why = this.closeReason === "" ? "" : ` (${this.closeReason})`
    return `closed with code ${this.code}${why} ${Math.round(this.lived)} ms after it opened`
  }
}

/**
 * The peer answered no ping within `pongTimeout`, nor sent anything else.
 *
 * @category reasons
 * @since 0.1.0
 */
export class HeartbeatMissed extends Data.TaggedError("HeartbeatMissed")<{
  /** Milliseconds since the ping. */
  readonly waited: number
  readonly delivery: Delivery
}> {
  readonly isRetryable = true
  override get message(): string {
    return `nothing came for ${Math.round(this.waited)} ms after a ping (pongTimeout)`
  }
}

/**
 * A message was not taken by the network within `sendTimeout`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class SendTimeout extends Data.TaggedError("SendTimeout")<{
  /** Milliseconds. */
  readonly waited: number
  /** Bytes that wait to be sent on this connection. */
  readonly buffered: number
  readonly delivery: Delivery
}> {
  readonly isRetryable = true
  override get message(): string {
    return `not sent within ${Math.round(this.waited)} ms (sendTimeout), ${this.buffered} bytes wait to be sent`
  }
}

/**
 * The bytes that wait to be sent reach `sendBufferLimit`, and `sendPolicy` is `"fail"`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BufferFull extends Data.TaggedError("BufferFull")<{
  readonly buffered: number
  readonly limit: number
}> {
  readonly isRetryable = true
  readonly delivery = "none"
  override get message(): string {
    return `${this.buffered} bytes wait to be sent already and sendBufferLimit is ${this.limit}`
  }
}

/**
 * No reply to a request came in time. A reply that comes later is not mistaken for that of another request.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RequestTimeout extends Data.TaggedError("RequestTimeout")<{
  /** Milliseconds. */
  readonly waited: number
  /** Whether the connection was not being read, because nobody takes the messages that wait (`inboundPolicy`). */
  readonly wasSuspended: boolean
}> {
  readonly isRetryable = true
  readonly delivery = "unknown"
  override get message(): string {
    const hint = this.wasSuspended ? "; the connection is suspended, since nobody reads its messages" : ""
    return `no reply within ${Math.round(this.waited)} ms (requestTimeout)${hint}`
  }
}

/**
 * A message that was to be sent does not fit the schema. The message is not shown.
 *
 * @category reasons
 * @since 0.1.0
 */
export class EncodeFailed extends Data.TaggedError("EncodeFailed")<{
  /** Where and how it does not fit. */
  readonly issue: string
}> {
  readonly isRetryable = false
  readonly delivery = "none"
  override get message(): string {
    return `the message does not fit the schema: ${this.issue}`
  }
}

/**
 * The reply to a request does not fit the schema. It is not shown.
 *
 * @category reasons
 * @since 0.1.0
 */
export class DecodeFailed extends Data.TaggedError("DecodeFailed")<{
  /** Where and how it does not fit. */
  readonly issue: string
}> {
  readonly isRetryable = false
  readonly delivery = "unknown"
  override get message(): string {
    return `the reply does not fit the schema: ${this.issue}`
  }
}

/**
 * Every reason of a `WebSocketError`.
 *
 * @category reasons
 * @since 0.1.0
 */
export type WebSocketErrorReason =
  | OpenFailed
  | Closed
  | HeartbeatMissed
  | SendTimeout
  | BufferFull
  | RequestTimeout
  | EncodeFailed
  | DecodeFailed

/**
 * A failure on one connection, for the `reason` given.
 *
 * @category errors
 * @since 0.1.0
 */
export class WebSocketError extends Data.TaggedError("WebSocketError")<{
  /** Where to: scheme and host. */
  readonly address: string
  readonly reason: WebSocketErrorReason
}> {
  override get message(): string {
    return at(this.address, this.reason.message)
  }
  /** Whether the same call may succeed later. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  /**
   * The reason why the server turned a dial away, where its status says so: who we are, or that it has no room for one
   * more.
   */
  get refusal(): "credentials" | "capacity" | undefined {
    const status = this.reason._tag === "OpenFailed" ? this.reason.status : undefined
    if (status === 401 || status === 403) return "credentials"
    return status === 429 || status === 503 ? "capacity" : undefined
  }
}
