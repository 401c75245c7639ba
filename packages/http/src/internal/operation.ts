/**
 * The report to the pool on a request that is over: how long it took, and whose doing it was if it failed.
 */
import type { Operation, OperationEnd } from "@effect-pools/core/Connector"
import type { Exchange } from "./exchange.ts"
import { CallerInterrupted, isOurs, Left, ReaderInterrupted } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

export const operationOf = (
  exchange: Exchange,
  { method, path }: Pick<Outgoing, "method" | "path">,
  now: number
): Operation => ({
  kind: method,
  end: endOf(exchange),
  took: now - exchange.sentAt,
  // A query may hold secrets.
  get text() {
    return `${method} ${path.split("?", 1)[0]}`
  },
  get status() {
    return exchange.status === 0 ? nameOf(exchange.error) : exchange.status
  },
  count: undefined
})

const endOf = ({ error, status }: Exchange): OperationEnd => {
  // The server's word, whatever becomes of the rest.
  if (status >= 500 || status === 429) return "failed"
  // A reader that wanted no more of a body has got what it wanted.
  if (error === undefined || error instanceof Left) return status >= 400 ? "rejected" : "success"
  if (error instanceof CallerInterrupted || error instanceof ReaderInterrupted) return "interrupted"
  return isOurs(error) ? "rejected" : "failed"
}

const nameOf = (error: unknown): string | undefined => error instanceof Error ? error.name : undefined
