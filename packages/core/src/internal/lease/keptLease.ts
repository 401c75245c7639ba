/**
 * A lease that goes on after the effect that it was lent to, such as that of a response whose body is read later.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { PoolError } from "../../PoolError.ts"
import { Lease } from "../line/lease.ts"
import type { Keeper, Kept } from "../model/service.ts"
import type { PoolState } from "../pool/state.ts"
import { checkIn } from "./checkIn.ts"
import { begin, WithLease } from "./withLease.ts"

/** Run once: it stands for one lease. */
class WithKeptLease<Lent, A, E, R> extends WithLease<Lent, A, E, R> implements Kept {
  /** The lease, until it has ended. */
  private lease: Lease | undefined = undefined
  private isKept = false

  override asEffect(): Effect.Effect<A, E | PoolError, R> {
    const fiber = Fiber.getCurrent()!
    return begin(this.state, this.lease = new Lease(this, fiber), fiber)
  }

  keep(): void {
    this.isKept = true
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    const { lease } = this
    if (lease === undefined) return
    this.lease = undefined
    const reset = checkIn(this.state, lease, exit)
    if (reset !== undefined) this.state.fork(reset)
  }

  /** Its effect is over. One that failed has nothing left that would end the lease. */
  override checkIn(lease: Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (this.lease === undefined) return undefined
    if (this.isKept && Exit.isSuccess(exit)) {
      lease.outlive()
      return undefined
    }
    this.lease = undefined
    return super.checkIn(lease, exit)
  }
}

export const makeKeeper = <Lent>(state: PoolState): Keeper<Lent> => ({
  withShared: (f) => {
    const lent: WithKeptLease<Lent, any, any, any> = new WithKeptLease(
      state,
      (connection) => f(connection, lent),
      undefined,
      true
    )
    return lent
  }
})
