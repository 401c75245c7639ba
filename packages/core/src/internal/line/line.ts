/**
 * The line: who waits, until when, and whose outcome is decided. It alone puts leases in and takes them out; who is next
 * its order says.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import { ByTraffic, type OrderOptions } from "./byTraffic.ts"
import { Deadlines } from "./deadlines.ts"
import type { Lease, Pooled } from "./lease.ts"
import type { Order } from "./order.ts"

/** Which order a pool is made with. */
export const MakeOrder = Context.Reference<(options: OrderOptions) => Order>("@effect-pools/core/MakeOrder", {
  defaultValue: () => (options) => new ByTraffic(options)
})

export class Line {
  readonly order: Order
  private readonly deadlines: Deadlines
  private waiting = 0
  /** Wakes waiting fibers, on the scheduler the pool was made with. */
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  /** Waiting fibers whose outcome is decided and that run on the scheduler's next turn. */
  private woken: Array<Lease> = []
  /** The parts of callers that are refused, as they were told last. Written by `shed` alone. */
  toldShedding: { readonly low: number; readonly normal: number } = { low: 0, normal: 0 }

  constructor(order: Order, acquireTimeout: number, dispatcher: Scheduler.SchedulerDispatcher) {
    this.order = order
    this.deadlines = new Deadlines(acquireTimeout)
    this.dispatcher = dispatcher
  }

  /** How many wait. */
  get size(): number {
    return this.waiting
  }

  /** The lease that has waited longest. */
  get oldest(): Lease | undefined {
    return this.deadlines.oldest
  }

  /** The lease whose time is up first. */
  get nextToExpire(): Lease | undefined {
    return this.deadlines.next
  }

  /** Whether fibers are to be resumed on the scheduler's next turn. */
  get hasWoken(): boolean {
    return this.woken.length > 0
  }

  /** The lease that is served next, if any may be served now. */
  first(connection?: Pooled): Lease | undefined {
    return this.waiting === 0 ? undefined : this.order.first(connection)
  }

  /** Whether a newcomer may be served at once. An order that keeps no account has nothing against it when nobody waits. */
  isNext(lease: Lease): boolean {
    const { order } = this
    return this.waiting === 0 && order.account === undefined ? true : order.isNext(lease)
  }

  enter(lease: Lease, now: number, left: number | undefined): void {
    lease.since = now
    lease.isQueued = true
    this.waiting++
    this.deadlines.add(lease, Math.min(left ?? Infinity, this.order.left?.(lease) ?? Infinity))
    this.order.enter(lease)
  }

  leave(lease: Lease): void {
    lease.isQueued = false
    this.waiting--
    this.order.leave(lease)
    this.deadlines.remove(lease)
  }

  /** Decides the outcome of one that has waited. Its fiber runs on the scheduler's next turn, never inside the caller of this. */
  wake(lease: Lease, outcome: Effect.Effect<any, any, any>): void {
    lease.outcome = outcome
    if (this.woken.push(lease) === 1) this.dispatcher.scheduleTask(this.resumeWoken, 0)
  }

  // One function for the life of the pool.
  private readonly resumeWoken = (): void => {
    const { woken } = this
    this.woken = []
    for (const lease of woken) lease.resume!(lease.outcome!)
  }
}
