/**
 * The view that a borrower gets: an `HttpClient` bound to one lease.
 *
 * Its members are getters on one prototype, which make the client when it is first used: most leases are those of single
 * requests, which never use it.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpConnection } from "./connectionModel.ts"
import type { Connection } from "./connection.ts"
import type { Exchange } from "./exchange.ts"
import { GivenUp } from "./faults.ts"

const leaseKey = Symbol("@effect-pools/http/lease")

export class LentConnection {
  readonly connection: Connection
  isActive = true
  /** The requests of the borrower's client that are under way. */
  exchanges: Set<Exchange> | undefined = undefined

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Ends the borrower's view: what it left under way is ended too, unless its little rest can be read away. */
  end(): void {
    this.isActive = false
    if (this.exchanges === undefined) return
    for (const exchange of this.exchanges) {
      if (this.connection.isMultiplexed || !exchange.isNearlyOver) exchange.abort(new GivenUp("the lease ended"), true)
      else {
        exchange.collect()
        // Its reader, if there is one, hears of the end here.
        exchange.onMore?.()
      }
    }
  }
}

export const leaseOf = (lent: HttpConnection): LentConnection =>
  (lent as unknown as { readonly [leaseKey]: LentConnection })[leaseKey]

/** Makes the view of a connection that one borrower gets. */
export const make = (
  clientOf: (lease: LentConnection) => HttpClient.HttpClient
): (connection: Connection) => HttpConnection => {
  const prototype = prototypeOf(clientOf)
  return (connection) => {
    const lent = Object.create(prototype)
    lent[leaseKey] = new LentConnection(connection)
    return lent
  }
}

/** The prototype of Effect's clients, whose methods are all made of `execute`. */
const clients: object = Object.getPrototypeOf(HttpClient.make(() => Effect.never))

const prototypeOf = (clientOf: (lease: LentConnection) => HttpClient.HttpClient): object => {
  const made = new WeakMap<HttpConnection, HttpClient.HttpClient>()
  const client = (lent: HttpConnection): HttpClient.HttpClient => {
    let own = made.get(lent)
    if (own === undefined) made.set(lent, own = clientOf(leaseOf(lent)))
    return own
  }
  const getters: Record<string, (lent: HttpConnection) => unknown> = {
    execute: (lent) => client(lent).execute,
    preprocess: (lent) => client(lent).preprocess,
    postprocess: (lent) => client(lent).postprocess,
    protocol: (lent) => leaseOf(lent).connection.wire.protocol
  }
  const prototype = Object.create(clients)
  for (const [name, get] of Object.entries(getters)) {
    Object.defineProperty(prototype, name, {
      get(this: HttpConnection) {
        return get(this)
      }
    })
  }
  return prototype
}
