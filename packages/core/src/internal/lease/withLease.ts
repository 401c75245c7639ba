/**
 * A lease as an effect.
 *
 * `WithLease` is `withConnection`: each time it is run it makes a lease, which ends with the effect. `PoolLease` is the
 * lease itself, which its caller's fiber runs: first to ask for a connection, and again when it has waited and was handed
 * one.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import type { PoolError } from "../../PoolError.ts"
import { Lease, type Request } from "../line/lease.ts"
import type { LeaseOptions } from "../model/connection.ts"
import type { PoolState } from "../pool/state.ts"
import { checkIn } from "./checkIn.ts"
import { borrow, start } from "./checkOut.ts"

export class WithLease<Lent, A, E, R> extends Effectable.Class<A, E | PoolError, R> implements PoolRequest {
  readonly state: PoolState
  readonly body: (lent: Lent) => Effect.Effect<A, E, R>
  readonly options: LeaseOptions | undefined
  readonly isShared: boolean

  constructor(
    state: PoolState,
    body: (lent: Lent) => Effect.Effect<A, E, R>,
    options: LeaseOptions | undefined,
    isShared: boolean
  ) {
    super()
    this.state = state
    this.body = body
    this.options = options
    this.isShared = isShared
  }

  // The check-in is installed before the check-out is tried, so there is no moment at which an interruption could take
  // a connection with it.
  asEffect(): Effect.Effect<A, E | PoolError, R> {
    const { state } = this
    // An effect is only ever run by a fiber.
    const lease = new PoolLease(this, Fiber.getCurrent()!)
    return Effect.onExitPrimitive(lease, (exit) => checkIn(state, lease, exit))
  }
}

/** A request to one pool. */
export interface PoolRequest extends Request {
  readonly state: PoolState
}

// Without a constructor and a field of its own: a lease is made often.
export class PoolLease extends Lease<PoolRequest> {
  asEffect(): Effect.Effect<any, any, any> {
    const { connection, request: { state } } = this
    return connection === undefined ? borrow(state, this) : start(state, this, connection)
  }
}
