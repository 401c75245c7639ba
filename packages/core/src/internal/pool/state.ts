/**
 * Everything one pool knows, in one record that the steps of a lease share.
 *
 * All of it is read and written synchronously, so no step ever sees another's half-done work: whatever must wait (a
 * dial, a validation, a reset, a close) runs in a fiber of its own and comes back with one synchronous step. A change
 * marks itself, and at the end of the step that comes from outside the dispatcher looks again. That is the whole of the
 * pool's concurrency control.
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { Connector } from "../../Connector.ts"
import type { PoolConfig } from "../model/config.ts"
import type { Level } from "../model/traffic.ts"
import { PoolError, type PoolErrorReason } from "../../PoolError.ts"
import type { PoolBudget } from "../model/budget.ts"
import type { Mark } from "../base/mark.ts"
import { Borrowers } from "../watch/borrowers.ts"
import { Counts } from "../watch/counts.ts"
import type { Dialer } from "../dial/dialer.ts"
import type { EventHub } from "../watch/events.ts"
import type { Lease, Pooled } from "../line/lease.ts"
import type { Line } from "../line/line.ts"
import type { Places } from "../places/places.ts"
import type { Sizer } from "../sizing/sizer.ts"
import type { Trust } from "../trust/trust.ts"
import { LoadWatch } from "../watch/load.ts"
import { OutageWatch } from "../watch/outage.ts"
import { RecentCounts } from "../watch/recent.ts"
import { SharedUse } from "../watch/sharedUse.ts"
import type { PoolTime } from "../base/time.ts"

/**
 * So many dials, validations and ends of connections begin in one turn of the event loop: of thousands that are wanted at
 * once the others begin in the next turns, so that timers and sockets have theirs in between.
 */
const perTurn = 250

export abstract class PoolState {
  readonly config: PoolConfig
  readonly connector: Connector<any, any>
  readonly time: PoolTime
  readonly random: typeof Random.Random.Service
  readonly events: EventHub
  readonly dialer: Dialer
  /** Set by whatever may let the dispatcher do something. */
  readonly mark: Mark
  readonly places: Places
  readonly trust: Trust
  /** Finds the size, in a pool with the option `sizing`. */
  readonly sizer: Sizer | undefined
  /** The level of degradation as it was told last. */
  readonly degradation: SubscriptionRef.SubscriptionRef<Level>
  /** Wakes waiting fibers, on the scheduler the pool was made with. */
  readonly dispatcher: Scheduler.SchedulerDispatcher
  /** Starts background work that ends with the pool. The end of it is a step of its own. */
  readonly fork: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  /** Starts work that outlives the pool's scope, each with a limit of its own. The end of it is a step of its own. */
  readonly forkDetached: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>

  readonly counts = new Counts()
  readonly recent: RecentCounts
  readonly load: LoadWatch
  readonly borrowers = new Borrowers()
  readonly outage = new OutageWatch()
  /** Callers that wait. */
  readonly line: Line
  readonly sharedUse = new SharedUse()
  private lastCallerFailedAt = -Infinity
  private readonly bereftLeases = new Set<Lease>()
  private currentPhase: "open" | "draining" | "closed" = "open"
  /** Its part in a budget, if it has one. */
  private seat: BudgetSeat | undefined = undefined
  /** Those that pause it: an operator, and pieces of work. */
  private readonly pausedBy = new Set<object>()
  /** The connection that each object belongs to that a connector has made. */
  readonly opened = new WeakMap<object, Pooled>()
  /** How many more may begin before the others have a turn. */
  private beginnings = perTurn
  /** When a slow acquisition was logged last. */
  slowLoggedAt = -Infinity
  /** The fiber that watches the deadlines of the waiters, and when it looks next; `Infinity` while nobody waits. */
  deadlineWatch: Fiber.Fiber<unknown> | undefined = undefined
  watchedUntil = Infinity
  readonly drain: DrainState = { isHurried: false, onChange: undefined }
  /** When an isolated failure to connect was logged last. */
  failureLoggedAt = -Infinity
  /** Closed while housekeeping rests; whoever gives it something to do opens it. */
  readonly house: Latch.Latch = Latch.makeUnsafe(true)
  /** Done when closes are waited for no more. */
  readonly closesCut: Deferred.Deferred<void> = Deferred.makeUnsafe<void>()

  constructor(options: {
    readonly config: PoolConfig
    readonly connector: Connector<any, any>
    readonly time: PoolTime
    readonly random: typeof Random.Random.Service
    readonly events: EventHub
    readonly dialer: Dialer
    readonly mark: Mark
    readonly places: Places
    readonly trust: Trust
    readonly sizer: Sizer | undefined
    readonly line: Line
    readonly degradation: SubscriptionRef.SubscriptionRef<Level>
    readonly dispatcher: Scheduler.SchedulerDispatcher
    readonly fork: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
    readonly forkDetached: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  }) {
    this.config = options.config
    this.connector = options.connector
    this.time = options.time
    this.random = options.random
    this.events = options.events
    this.dialer = options.dialer
    this.mark = options.mark
    this.places = options.places
    this.trust = options.trust
    this.sizer = options.sizer
    this.dispatcher = options.dispatcher
    this.line = options.line
    this.degradation = options.degradation
    this.fork = options.fork
    this.forkDetached = options.forkDetached
    this.load = new LoadWatch(this.counts, options.time.now())
    this.recent = new RecentCounts(this.counts, options.time.now())
  }

  /** Serves the queue and opens what is wanted: see `dispatch.ts`, which stands above what it calls. */
  protected abstract dispatch(): void

  /**
   * Runs a step that comes from outside: an order, a callback of a connection, the end of work in the background. If it has
   * changed anything that matters, the dispatcher looks at its end.
   */
  act<A>(step: () => A): A {
    const result = step()
    this.settle()
    return result
  }

  /** The end of a step. By hand only in the steps of a lease, for which a closure would be dear. */
  settle(): void {
    if (this.mark.isSet) this.dispatch()
  }

  /**
   * The time, as exact as the end of a lease needs it. Reading the clock is one of its dearest steps, so what was read
   * for the first fiber that is woken in a turn of the event loop serves the rest of that turn: the busier the pool,
   * the more it saves. For a deadline it is not exact enough, since a caller may have computed for seconds in that
   * turn.
   */
  turnTime(): number {
    return this.line.hasWoken ? this.time.elapsed : this.time.now()
  }

  /** The pool takes part in a budget. */
  sitAt(seat: BudgetSeat): void {
    this.seat = seat
  }

  get budget(): PoolBudget | undefined {
    return this.seat?.view()
  }

  /** A program reads the statistics: who shares the budget is asked for as long as that goes on, and not for an error's sake. */
  lookAtBudget(): void {
    this.seat?.look()
  }

  /** Asks the budget for more, if it is the budget that holds the pool down. Costs next to nothing without one. */
  askForMore(): void {
    if (this.mayAskForMore) this.seat!.ask()
  }

  /** Whether there is somebody to ask for more who has not been asked yet. */
  get mayAskForMore(): boolean {
    return this.seat !== undefined && this.places.limits.limitedBy === "budget" && !this.seat.isHungry()
  }

  /** Whether there is a budget that a pool may ask for more. */
  get hasBudget(): boolean {
    return this.seat !== undefined
  }

  /** A socket is closed. */
  freed(): void {
    this.seat?.freed()
  }

  /** When a caller got no connection last though the pool was to serve it. */
  get callerFailedAt(): number {
    return this.lastCallerFailedAt
  }

  callerFailed(at: number): void {
    this.lastCallerFailedAt = at
  }

  /** Leases whose connection was closed under them and that have not ended yet. */
  get bereft(): ReadonlySet<Lease> {
    return this.bereftLeases
  }

  /** The connection of a lease is closed under it. */
  bereave(lease: Lease): void {
    this.bereftLeases.add(lease)
  }

  leaseEnded(lease: Lease): void {
    if (this.bereftLeases.size > 0) this.bereftLeases.delete(lease)
  }

  get phase(): "open" | "draining" | "closed" {
    return this.currentPhase
  }

  get isPaused(): boolean {
    return this.pausedBy.size > 0
  }

  pause(by: object): void {
    this.pausedBy.add(by)
  }

  resume(by: object): void {
    this.pausedBy.delete(by)
    this.mark.set()
  }

  /** From here on nobody is admitted. A pause ends, so that the queue can be served. */
  beginDrain(): void {
    this.currentPhase = "draining"
    this.pausedBy.clear()
    this.mark.set()
    this.places.giveUpFloor()
  }

  /** From here on nothing is lent. */
  close(): void {
    this.currentPhase = "closed"
    this.mark.set()
  }

  /** Whether newcomers are served. Where one that waits is held back, a draining pool may have room for others. */
  get isAdmitting(): boolean {
    return this.currentPhase === "open" && !this.isPaused
  }

  /** Whether connections are lent. A draining pool still serves its queue. */
  get isLending(): boolean {
    return !this.isPaused && this.currentPhase !== "closed"
  }

  /** Whether one more piece of work may begin just now. If not, the dispatcher looks again in the next turn. */
  mayBegin(): boolean {
    if (this.beginnings === 0) return false
    if (--this.beginnings === 0) {
      this.later(() => {
        this.beginnings = perTurn
        this.mark.set()
        this.settle()
      })
    }
    return true
  }

  /** Resumes a fiber on the scheduler's next turn, so that nobody's code runs inside a change of the pool. */
  later(resume: () => void): void {
    this.dispatcher.scheduleTask(resume, 0)
  }

  error(reason: PoolErrorReason): PoolError {
    return new PoolError({ pool: this.config.name, reason })
  }
}

/** A pool's place at a budget. */
interface BudgetSeat {
  readonly view: () => PoolBudget
  /** Somebody wants to see who shares it. */
  readonly look: () => void
  readonly ask: () => void
  /** Whether it has asked, and has not got all yet. */
  readonly isHungry: () => boolean
  readonly freed: () => void
}

/** How far the drain is, if there is one. */
export interface DrainState {
  /** Whether the time that somebody above gave the drain is up. */
  isHurried: boolean
  /** Called after every change while a step of the drain waits for one. */
  onChange: (() => void) | undefined
}
