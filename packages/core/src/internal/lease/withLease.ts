/**
 * The requests for a lease.
 *
 * `WithLease` is `withConnection` as an effect: each time it is run it makes a lease, which ends with the effect.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { PoolError } from "../../PoolError.ts"
import { install } from "../base/toldOfExit.ts"
import { Lease, type Request } from "../line/lease.ts"
import type { LeaseOptions } from "../model/connection.ts"
import type { PoolState } from "../pool/state.ts"
import { checkIn } from "./checkIn.ts"
import { borrow, start } from "./checkOut.ts"

export class WithLease<Lent, A, E, R> extends Effectable.Class<A, E | PoolError, R> implements Request {
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

  /** `yield*` asks for this each time. What it goes through is one object here, where Effect's own takes two. */
  override [Symbol.iterator](): Effect.EffectIterator<Effect.Effect<A, E | PoolError, R>> {
    return new Yielded(this) as unknown as Effect.EffectIterator<Effect.Effect<A, E | PoolError, R>>
  }

  // The check-in is installed before the check-out is tried, and in one step with it, so there is no moment at which an
  // interruption could take a connection with it.
  asEffect(): Effect.Effect<A, E | PoolError, R> {
    // An effect is only ever run by a fiber.
    const fiber = Fiber.getCurrent()!
    return begin(this.state, new Lease(this, fiber), fiber)
  }

  advance(lease: Lease): Effect.Effect<any, any, any> {
    return advance(this.state, lease)
  }

  checkIn(lease: Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    return checkIn(this.state, lease, exit)
  }
}

/** The first step of a lease, in the fiber that asks for it. */
export const begin = (
  state: PoolState,
  lease: Lease,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<any, any, any> => {
  const next = install(lease, fiber)
  return next === lease ? borrow(state, lease) : next
}

/** Yields an effect once, and then ends with the result of it. It is its own answer to `next`, so nothing else is allocated. */
class Yielded {
  value: unknown
  done = true

  constructor(effect: unknown) {
    this.value = effect
  }

  next(result: unknown): this {
    this.done = !this.done
    if (this.done) this.value = result
    return this
  }
}

/** A lease until a scope closes. */
export class ScopedRequest implements Request {
  readonly state: PoolState
  readonly body = Effect.succeed
  readonly options: LeaseOptions | undefined
  readonly isShared: boolean

  constructor(state: PoolState, options: LeaseOptions | undefined, isShared: boolean) {
    this.state = state
    this.options = options
    this.isShared = isShared
  }

  advance(lease: Lease): Effect.Effect<any, any, any> {
    return advance(this.state, lease)
  }

  checkIn(lease: Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    return checkIn(this.state, lease, exit)
  }
}

const advance = (state: PoolState, lease: Lease): Effect.Effect<any, any, any> =>
  lease.connection === undefined ? borrow(state, lease) : start(state, lease, lease.connection)
