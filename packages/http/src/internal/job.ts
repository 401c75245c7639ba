/**
 * One request on its way: what is sent, and what becomes of it.
 */
import * as ServerText from "@effect-pools/core/ServerText"
import * as SocketError from "@effect-pools/core/SocketError"
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { Exchange } from "./exchange.ts"
import { BodyFailed, GivenUp, Left } from "./faults.ts"
import * as Inflated from "./inflated.ts"
import type { Outgoing } from "./outgoing.ts"
import { Response } from "./response.ts"

export interface Job {
  readonly request: HttpClientRequest
  /** Where it is to go. Where there are several upstreams, one of them. */
  readonly origin: string
  readonly outgoing: Outgoing
  readonly isReplayable: boolean
  /** Stops what makes the body. */
  readonly stop: (() => void) | undefined
  /** Whether the next piece of the body is waited for. */
  readonly isBodyAwaited: () => boolean
  /** Whether the body of the response is to be had as it was before it was compressed. */
  readonly decompress: boolean
  /** Ends the request when it aborts. */
  readonly signal: AbortSignal | undefined
}

/** The parts of a connection that a job needs. */
interface Carrier {
  readonly wire: { readonly origin: string }
  readonly send: (job: Job, exchange: Exchange) => void
  /** Takes note of the end of an exchange. */
  readonly settle: (exchange: Exchange) => void
}

export type Failure = HttpClientError.HttpClientError

/** Sends a job over a connection, and tells the exchange's end after the connection was told. */
export const send = (connection: Carrier, job: Job, exchange: Exchange, onEnd: () => void): void => {
  exchange.onEnd = () => {
    connection.settle(exchange)
    // One that was not sent has not begun to make its body, and may be sent over another connection.
    if (exchange.wasSent) job.stop?.()
    onEnd()
  }
  exchange.origin = connection.wire.origin
  exchange.isBodyAwaited = job.isBodyAwaited
  connection.send(job, exchange)
}

/** The answer to the caller when the head has come, or never will. */
export const outcome = (job: Job, exchange: Exchange): Effect.Effect<HttpClientResponse, Failure> => {
  if (exchange.step === "failed") return Effect.fail(transportError(job.request, exchange.error))
  if (!exchange.isOver) {
    if (job.signal !== undefined) follow(job.signal, exchange)
    if (exchange.status >= 400) exchange.guard?.hurry(exchange)
  }
  const url = exchange.origin + job.outgoing.path
  return Effect.succeed(
    job.decompress ? Inflated.make(job.request, url, exchange) : new Response(job.request, url, exchange)
  )
}

/** The signal stands for the scope of a request, an interrupted reader, or a response that nobody has any more. */
const follow = (signal: AbortSignal, exchange: Exchange): void => {
  const abort = (): void => exchange.abort(new Left("the request was given up"))
  if (signal.aborted) abort()
  else signal.addEventListener("abort", abort, { once: true })
}

export const transportError = (request: HttpClientRequest, cause: unknown): Failure => {
  const description = ServerText.messageOf(cause, "it failed")
  return new HttpClientError.HttpClientError({
    reason: cause instanceof BodyFailed
      // The error is the caller's own, and what it would see of a server that refuses the same request is another.
      ? new HttpClientError.EncodeError({ request, cause: cause.cause, description })
      : new HttpClientError.TransportError({ request, cause, description })
  })
}

const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"])

const closedSocket = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE", "UND_ERR_INFO"])

const closedClient = new Set([...closedSocket, "UND_ERR_DESTROYED", "UND_ERR_CLOSED"])

/**
 * Whether a request that failed may be sent once more: nobody has seen it, or it met a socket that the server had closed
 * and does no harm when it is seen twice. One whose connection ended later the server may have been at work on.
 */
export const mayRepeat = (job: Job, exchange: Exchange): boolean => {
  if (exchange.step !== "failed" || exchange.isAnswered || exchange.error instanceof GivenUp) return false
  if (!exchange.wasSent) return exchange.isLost || isOneOf(closedClient, exchange.error)
  if (!job.isReplayable) return false
  if (exchange.isLost) return true
  return exchange.metClosing && idempotent.has(job.outgoing.method) && isOneOf(closedSocket, exchange.error)
}

const isOneOf = (codes: ReadonlySet<string>, error: unknown): boolean => codes.has(SocketError.codeOf(error) ?? "")

/** The server answered, but not well: what is counted against it. The caller gets the response all the same. */
export class BadStatus extends Error {
  override readonly name = "BadStatus"
  readonly status: number
  constructor(status: number) {
    super(`the server answered with status ${status}`)
    this.status = status
  }
}

const badStatuses = new Set([429, 500, 502, 503, 504])

/** The verdict on a server after an exchange: `undefined` that it did well. */
export const fault = ({ error, status }: Exchange): unknown =>
  error === undefined || error instanceof Left
    ? badStatuses.has(status) ? new BadStatus(status) : undefined
    : error
