/**
 * Everything one pool knows, in one record that the steps of a lease share.
 *
 * All of it is read and written synchronously, so no step ever sees another's half-done work: whatever must wait (a
 * dial, a validation, a reset, a close) runs in a fiber of its own and comes back with one synchronous change, after
 * which `changed` lets the dispatcher look again. That is the whole of the pool's concurrency control.
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import type { ConnectionState } from "../model/connection.ts"
import type { Connector } from "../../Connector.ts"
import type { PoolConfig } from "../model/config.ts"
import { PoolError, type PoolErrorReason } from "../../PoolError.ts"
import { Counts } from "../watch/counts.ts"
import type { Dialer } from "../dial/dialer.ts"
import type { EventHub } from "../watch/events.ts"
import type { Lease, Pooled } from "../line/lease.ts"
import type { Line } from "../line/line.ts"
import type { Hold } from "../places/hold.ts"
import { RecentCounts } from "../watch/recent.ts"
import type { PoolTime } from "../base/time.ts"

export class PoolState {
  readonly config: PoolConfig
  readonly connector: Connector<any, any>
  readonly time: PoolTime
  readonly random: typeof Random.Random.Service
  readonly events: EventHub
  readonly dialer: Dialer
  readonly hold: Hold
  /** Wakes waiting fibers, on the scheduler the pool was made with. */
  readonly dispatcher: Scheduler.SchedulerDispatcher
  /** Starts background work that ends with the pool. */
  readonly fork: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  /** Starts work that outlives the pool's scope, each with a limit of its own. */
  readonly forkDetached: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>

  readonly counts = new Counts()
  readonly recent: RecentCounts
  /** Callers that wait. */
  readonly line: Line
  /** Every connection that counts against the limit. */
  readonly connections = new Set<Pooled>()
  /** Idle connections by the time they became idle: the last one is the warmest and is lent first. */
  readonly idle: Array<Pooled> = []
  /** Connections lent by shared leases. */
  readonly sharing: Array<Pooled> = []
  /** Leases whose connection was closed under them and that have not ended yet. */
  readonly bereft = new Set<Lease>()
  opening = 0
  used = 0
  checking = 0
  closing = 0
  /** Those of `idle` that are past their time and wait for their replacement. */
  due = 0
  /** Those of `checking` that a waiter is to get if they pass. */
  validating = 0
  /** Whether the last connection that was to prove itself for a waiter has failed to. */
  isProofDoubted = false
  phase: "open" | "draining" | "closed" = "open"
  isPaused = false
  limit: number
  nextId = 1
  /** Rises with `retireAll`: a connection of an older generation is not lent again. */
  generation = 0
  /** Rises when a connection proves dead: whoever proved itself before must do so again. */
  fence = 0
  readonly warmUps = new Set<WarmUp>()
  /** When a slow acquisition was logged last. */
  slowLoggedAt = -Infinity
  /** The fiber that watches the deadlines of the waiters, and when it looks next; `Infinity` while nobody waits. */
  deadlineWatch: Fiber.Fiber<unknown> | undefined = undefined
  watchedUntil = Infinity
  drain: DrainState | undefined = undefined
  /** Done when closes are waited for no more. */
  readonly closesCut: Deferred.Deferred<void> = Deferred.makeUnsafe<void>()
  /** Lets the dispatcher look again. To be called after every change that may free or want a connection. */
  changed: () => void = () => {}

  constructor(options: {
    readonly config: PoolConfig
    readonly connector: Connector<any, any>
    readonly time: PoolTime
    readonly random: typeof Random.Random.Service
    readonly events: EventHub
    readonly dialer: Dialer
    readonly hold: Hold
    readonly line: Line
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
    this.hold = options.hold
    this.dispatcher = options.dispatcher
    this.line = options.line
    this.fork = options.fork
    this.forkDetached = options.forkDetached
    this.limit = options.config.maxConnections
    this.recent = new RecentCounts(this.counts, options.time.now())
  }

  /**
   * The time, as exact as the end of a lease needs it. Reading the clock is one of its dearest steps, so what was read for
   * the first fiber that is woken in a turn of the event loop serves the rest of that turn: the busier the pool, the more
   * it saves. For a deadline it is not exact enough, since a caller may have computed for seconds in that turn.
   */
  turnTime(): number {
    return this.line.hasWoken ? this.time.elapsed : this.time.now()
  }

  /** Connections that are open and not on their way out. */
  get live(): number {
    return this.connections.size - this.opening - this.closing
  }

  /** How many connections are kept open whatever the load. */
  get floor(): number {
    if (this.phase !== "open") return 0
    let floor = this.config.minConnections
    for (const warmUp of this.warmUps) floor = Math.max(floor, warmUp.target)
    return Math.min(floor, this.limit)
  }

  /** Whether connections are lent. A draining pool still serves its queue. */
  get isLending(): boolean {
    return !this.isPaused && this.phase !== "closed"
  }

  /** The one place where a connection changes its state, so that the numbers always add up. */
  move(connection: Pooled, to: ConnectionState): void {
    if (connection.isDue) {
      connection.isDue = false
      this.due--
    }
    this.count(connection.state, -1)
    connection.state = to
    this.count(to, 1)
  }

  /** Resumes a fiber on the scheduler's next turn, so that nobody's code runs inside a change of the pool. */
  later(resume: () => void): void {
    this.dispatcher.scheduleTask(resume, 0)
  }

  error(reason: PoolErrorReason): PoolError {
    return new PoolError({ pool: this.config.name, reason })
  }

  private count(connectionState: ConnectionState, by: 1 | -1): void {
    switch (connectionState) {
      case "idle":
        return
      case "used":
        this.used += by
        return
      case "checking":
        this.checking += by
        return
      case "opening":
        this.opening += by
        return
      case "closing":
        this.closing += by
        return
    }
  }
}

/** A caller that waits until so many connections are open. */
export interface WarmUp {
  readonly target: number
  readonly resume: (effect: Effect.Effect<number, any>) => void
}

/** A drain under way. */
export interface DrainState {
  /** Whether the time that somebody above gave the drain is up. */
  isHurried: boolean
  /** Called after every change while a step of the drain waits for one. */
  onChange: (() => void) | undefined
}
