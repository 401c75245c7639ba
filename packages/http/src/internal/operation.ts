/**
 * The report to the pool on a request that is over: how long it took, and whose doing it was if it failed.
 */
import type { Operation, OperationEnd } from "@effect-pools/core/Connector"
import type { Exchange } from "./exchange.ts"
import { CallerInterrupted, isOurs, Left, ReaderInterrupted } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

/** A class, since an object with getters of its own costs ten times as much to make. */
export class RequestEnd implements Operation {
  readonly kind: string
  readonly end: OperationEnd
  readonly took: number
  private readonly exchange: Exchange
  private readonly path: string

  constructor(exchange: Exchange, { method, path }: Pick<Outgoing, "method" | "path">, now: number) {
    this.kind = method
    this.end = endOf(exchange)
    this.took = now - exchange.sentAt
    this.exchange = exchange
    this.path = path
  }

  /** A query may hold secrets. */
  get text(): string {
    return `${this.kind} ${this.path.split("?", 1)[0]}`
  }

  get status(): number | string | undefined {
    const { error, status } = this.exchange
    return status === 0 ? nameOf(error) : status
  }
}

const endOf = ({ error, status }: Exchange): OperationEnd => {
  // The server's word, whatever becomes of the rest.
  if (status >= 500 || status === 429) return "failed"
  // A reader that wanted no more of a body has got what it wanted.
  if (error === undefined || error instanceof Left) return status >= 400 ? "rejected" : "success"
  if (error instanceof CallerInterrupted || error instanceof ReaderInterrupted) return "interrupted"
  return isOurs(error) ? "rejected" : "failed"
}

const nameOf = (error: unknown): string | undefined => error instanceof Error ? error.name : undefined
