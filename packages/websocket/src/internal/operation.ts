/**
 * The report to the pool on a message that was sent, or on a request that has its reply: how long it took, and whose
 * doing it was if it failed.
 */
import type { Operation, OperationEnd } from "@effect-pools/core/Connector"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { WebSocketError } from "../WebSocketError.ts"

/** A class, since an object with getters of its own costs ten times as much to make. */
export class MessageEnd implements Operation {
  readonly kind: "send" | "request"
  readonly end: OperationEnd
  readonly took: number
  private readonly message: unknown
  private readonly exit: Exit.Exit<unknown, WebSocketError>

  constructor(kind: "send" | "request", message: unknown, took: number, exit: Exit.Exit<unknown, WebSocketError>) {
    this.kind = kind
    this.end = Exit.isSuccess(exit) ? "success" : endOf(exit.cause)
    this.took = took
    this.message = message
    this.exit = exit
  }

  get text(): string | undefined {
    return typeOf(this.message)
  }

  get status(): string | undefined {
    return Exit.isSuccess(this.exit) ? undefined : reasonOf(this.exit.cause)?._tag
  }
}

/** A message says by its `type` what it is. Nothing else of it is told. */
const typeOf = (message: unknown): string | undefined =>
  typeof message === "object" && message !== null && "type" in message && typeof message.type === "string"
    ? message.type
    : undefined

const endOf = (cause: Cause.Cause<WebSocketError>): OperationEnd => {
  if (Cause.hasInterrupts(cause)) return "interrupted"
  const reason = reasonOf(cause)
  return reason === undefined || reason._tag === "EncodeFailed" ? "rejected" : "failed"
}

const reasonOf = (cause: Cause.Cause<WebSocketError>): WebSocketError["reason"] | undefined => {
  const error = Cause.squash(cause)
  return error instanceof WebSocketError ? error.reason : undefined
}
