/**
 * The report to the pool on a command that has ended: how long it took, and whose doing it was if it failed.
 */
import type { Operation, OperationEnd } from "@effect-pools/core/Connector"
import { RedisError, type RedisErrorReason } from "../RedisError.ts"
import { answerOf, isOfOneCommand } from "./fault.ts"
import { Defect, type Request } from "./request.ts"

/** A class, since an object with getters of its own costs ten times as much to make. */
export class CommandEnd implements Operation {
  readonly end: OperationEnd
  readonly took: number
  private readonly request: Request
  private readonly error: unknown

  /** `now` is by the session's clock. */
  constructor(request: Request, error: unknown, now: number) {
    this.end = error === undefined ? "success" : endOf(error)
    this.took = now - request.sentAt
    this.request = request
    this.error = error
  }

  get kind(): string {
    return this.request.name
  }

  get text(): string {
    return this.request.name
  }

  get status(): string | undefined {
    return this.error === undefined ? undefined : statusOf(this.error)
  }

  get count(): number | undefined {
    return ofMany.has(this.request.name) ? this.request.args.length : undefined
  }
}

/** Commands whose arguments are all keys. */
const ofMany: ReadonlySet<string> = new Set(["MGET", "DEL", "UNLINK", "EXISTS", "TOUCH"])

const endOf = (error: unknown): OperationEnd => {
  if (error instanceof Defect) return "rejected"
  if (error instanceof RedisError) return ofServer.has(error.reason._tag) ? "failed" : "rejected"
  const answer = answerOf(error)
  // Without an answer the connection is lost.
  return answer === undefined || troubled.has(answer.code) || !isOfOneCommand(answer) ? "failed" : "rejected"
}

const ofServer: ReadonlySet<RedisErrorReason["_tag"]> = new Set([
  "ReadOnly",
  "Loading",
  "ConnectionLost",
  "CommandTimeout",
  "TooManyRedirections",
  "DialFailed"
])

/** Servers that are not well, or not what they were. */
const troubled: ReadonlySet<string> = new Set([
  "READONLY",
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "BUSY",
  "OOM",
  "MISCONF",
  "NOREPLICAS"
])

const statusOf = (error: unknown): string => {
  if (error instanceof Defect) return "Defect"
  return error instanceof RedisError ? error.reason._tag : answerOf(error)?.code ?? "ConnectionLost"
}
