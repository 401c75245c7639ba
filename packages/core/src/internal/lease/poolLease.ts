/**
 * A lease as the effect that its caller's fiber runs: first to ask for a connection, and again when it has waited and was
 * handed one.
 */
import type * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"
import { Lease, type Request } from "../line/lease.ts"
import type { PoolState } from "../pool/state.ts"
import { borrow, start } from "./checkOut.ts"

export class PoolLease extends Lease {
  readonly state: PoolState

  constructor(state: PoolState, request: Request, fiber: Fiber<unknown, unknown>) {
    super(request, fiber)
    this.state = state
  }

  asEffect(): Effect.Effect<any, any, any> {
    return this.connection === undefined ? borrow(this.state, this) : start(this.state, this, this.connection)
  }
}
