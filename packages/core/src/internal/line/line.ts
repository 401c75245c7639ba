/**
 * The line: who waits, until when, and whose outcome is decided. It alone puts leases in and takes them out; who is next
 * its order says.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import type { Mark } from "../base/mark.ts"
import type { ProcessHold } from "../base/processHold.ts"
import type { LeaseEnd } from "../../PoolEvent.ts"
import type { Level } from "../model/traffic.ts"
import { ByTraffic, type OrderOptions } from "./byTraffic.ts"
import { Deadlines } from "./deadlines.ts"
import type { Lease, Pooled } from "./lease.ts"
import { LeaseList } from "./leaseList.ts"
import type { Arrivals, Order } from "./order.ts"

/** How many fibers run on in one turn: a crowd whose outcome is decided at once must not stall the loop. */
const mostAtOnce = 100

/** Which order a pool is made with. */
export const MakeOrder = Context.Reference<(options: OrderOptions, arrivals: Arrivals) => Order>(
  "@effect-pools/core/MakeOrder",
  {
    defaultValue: () => (options, arrivals) => new ByTraffic(options, arrivals)
  }
)

export class Line {
  readonly order: Order
  private readonly deadlines: Deadlines
  /** Everybody who waits, whoever came first at the front. */
  private readonly arrivals = new LeaseList<Lease>()
  /** Wakes waiting fibers, on the scheduler the pool was made with. */
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly mark: Mark
  private readonly processHold: ProcessHold | undefined
  /**
   * Waiting fibers whose outcome is decided and that run on the scheduler's next turn: how many, the first and the last. They are
   * linked, since V8 soon takes the array of each turn for a lasting one, and then all it pointed to outlives many a collection.
   */
  private wokenNumber = 0
  private firstWoken: Lease | undefined = undefined
  private lastWoken: Lease | undefined = undefined
  /** The parts of callers that are refused, as they were told last. Written by `shed` alone. */
  toldShedding: { readonly low: number; readonly normal: number } = { low: 0, normal: 0 }

  constructor({ acquireTimeout, dispatcher, makeOrder, mark, processHold }: {
    readonly makeOrder: (arrivals: Arrivals) => Order
    readonly acquireTimeout: number
    readonly dispatcher: Scheduler.SchedulerDispatcher
    readonly mark: Mark
    readonly processHold: ProcessHold | undefined
  }) {
    this.mark = mark
    this.processHold = processHold
    this.order = makeOrder(this.arrivals)
    this.deadlines = new Deadlines(acquireTimeout)
    this.dispatcher = dispatcher
  }

  /** How many wait. */
  get size(): number {
    return this.arrivals.size
  }

  /** Whether anybody waits who may use a connection together with others, and comes first. */
  get isSharerFirst(): boolean {
    return this.arrivals.sharers > 0 && this.order.first()?.isShared === true
  }

  /** The lease that has waited longest. */
  get oldest(): Lease | undefined {
    return this.arrivals.head
  }

  /** The lease whose time is up first. */
  get nextToExpire(): Lease | undefined {
    return this.deadlines.next(this.arrivals.head)
  }

  /** Whether fibers are to be resumed on the scheduler's next turn. */
  get hasWoken(): boolean {
    return this.wokenNumber > 0
  }

  /** The lease that is served next, if any may be served now. */
  first(connection?: Pooled): Lease | undefined {
    return this.arrivals.size === 0 ? undefined : this.order.first(connection)
  }

  /** Whether a newcomer may be served at once. An order that keeps no account has nothing against it when nobody waits. */
  isNext(lease: Lease): boolean {
    const { order } = this
    return this.arrivals.size === 0 && order.account === undefined ? true : order.isNext(lease)
  }

  enter(lease: Lease, now: number, left: number | undefined): void {
    lease.since = now
    lease.isQueued = true
    const own = this.order.enter(lease)
    this.deadlines.add(lease, left === undefined ? own : Math.min(left, own))
    this.arrivals.push(lease)
    this.mark.set()
    this.processHold?.begin()
  }

  /** One has its connection. */
  served(lease: Lease): void {
    this.remove(lease)
    // Nobody else was held up but those who may join others, or the same one.
    if (!this.mark.isSet && this.isSharerFirst) this.mark.set()
  }

  /** One goes without a connection: what it held up, or what is opened for it, is for others now. */
  leave(lease: Lease): void {
    this.remove(lease)
    this.mark.set()
  }

  /** A lease has ended: an order that keeps account of it may let others be served. */
  ended(lease: Lease, held: number, end: LeaseEnd): void {
    const { account } = this.order
    if (account === undefined) return
    account.ended(lease, held, end)
    if (this.arrivals.size > 0) this.mark.set()
  }

  /** Sets the level of degradation by hand, or lets the order find it. */
  degrade(level: Level | "auto"): void {
    this.order.degrade?.(level)
    this.mark.set()
  }

  /** A second is over: the level may be another from here on. */
  turnSecond(): void {
    this.order.overload?.turnSecond()
    this.mark.set()
  }

  private remove(lease: Lease): void {
    lease.isQueued = false
    this.order.leave(lease)
    this.arrivals.remove(lease)
    this.deadlines.remove(lease)
    this.processHold?.end()
  }

  /** Decides the outcome of one that has waited. Its fiber runs on the scheduler's next turn, never inside the caller of this. */
  wake(lease: Lease, outcome: Effect.Effect<any, any, any>): void {
    lease.outcome = outcome
    if (this.lastWoken === undefined) this.firstWoken = lease
    else this.lastWoken.nextWoken = lease
    this.lastWoken = lease
    if (++this.wokenNumber === 1) this.dispatcher.scheduleTask(this.resumeWoken, 0)
  }

  // One function for the life of the pool.
  private readonly resumeWoken = (): void => {
    for (let lease = this.takeWoken(); lease !== undefined;) {
      const next = lease.nextWoken
      lease.nextWoken = undefined
      lease.resume!(lease.outcome!)
      lease = next
    }
  }

  /** Takes as many as run on in one turn; the others follow in the next. */
  private takeWoken(): Lease | undefined {
    const first = this.firstWoken
    this.wokenNumber = Math.max(0, this.wokenNumber - mostAtOnce)
    if (this.wokenNumber === 0) {
      this.firstWoken = undefined
      this.lastWoken = undefined
      return first
    }
    let last = first!
    for (let i = 1; i < mostAtOnce; i++) last = last.nextWoken!
    this.firstWoken = last.nextWoken
    last.nextWoken = undefined
    this.dispatcher.scheduleTask(this.resumeWoken, 0)
    return first
  }
}
