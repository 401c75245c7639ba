/**
 * The two records that point at one another: a lease and the connection that it holds.
 *
 * A lease is one caller's claim to a connection, from the moment it asks until it has given the connection back.
 *
 * The same record waits in the queue, holds the connection, is known to the leak watch, and is the effect that the
 * caller's fiber runs when it has waited and is handed a connection. So a lease costs few allocations of ours whatever
 * happens to it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { ToldOfExit } from "../base/toldOfExit.ts"
import type { ConnectionState, LeaseOptions } from "../model/connection.ts"
import type { RetireReason } from "../../PoolEvent.ts"
import type { Said } from "../model/traffic.ts"
import type { AgeList } from "./ageList.ts"
import { LeaseList } from "./leaseList.ts"

// A lease is typed by what it does to the queue, not by what it lends: `any` stays inside this folder.
type AnyEffect = Effect.Effect<any, any, any>

/** A caller's request. */
export interface Request {
  readonly body: (lent: any) => AnyEffect
  readonly options: LeaseOptions | undefined
  /** Whether it may use a connection together with others. */
  readonly isShared: boolean
  /** The effect that its lease is: it asks for a connection, or runs the body with the one that it was handed. */
  advance(lease: Lease): AnyEffect
  /** Ends its lease. What it returns has to be waited for. */
  checkIn(lease: Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined
}

/** A lease knows no more of the fiber that asked for it. */
export type Caller = Pick<Fiber<unknown, unknown>, "id" | "cache" | "context" | "getRef">

/** A fiber as it was when its effect was over. By now it does other work, which says nothing of the lease. */
class FormerCaller implements Caller {
  readonly id: number
  readonly cache: Caller["cache"]
  readonly context: Caller["context"]

  constructor({ cache, context, id }: Caller) {
    this.id = id
    this.cache = cache
    this.context = context
  }

  getRef<A>(ref: Context.Reference<A>): A {
    return Context.get(this.context, ref)
  }
}

export class Lease extends Effectable.Class<any, any, any> implements ToldOfExit {
  readonly request: Request
  fiber: Caller
  /** Set from the hand-over to the check-in. */
  connection: Pooled | undefined = undefined
  /** Whether the body was reached: a connection nobody touched needs no reset. */
  isStarted = false
  /** Whether it waits in the queue. */
  isQueued = false
  /** When it began to wait, and when its time is up. */
  since = 0
  deadline = 0
  /** When it got its connection. */
  lentAt = 0
  /** The borrower's view of the connection, until it is given back. */
  lent: any = undefined
  /** Resumes the waiting fiber; a second call does nothing. */
  resume: ((effect: AnyEffect) => void) | undefined = undefined
  /** The effect that the waiting fiber is resumed with, once the scheduler gets to it. */
  outcome: AnyEffect | undefined = undefined
  /** The next of those that the scheduler is to resume. Written by the line alone. */
  nextWoken: Lease | undefined = undefined
  declare isLeakSuspected: boolean
  /** How often another has gone before it because of its affinity. */
  declare passed: number
  /** Whether it began to wait within a step of a fiber that holds a connection. */
  declare isNested: boolean
  /** Its traffic options, once somebody has asked. */
  said: Said | undefined = undefined
  /** A record of the order of the line, which alone knows its type. A field from the start: to add it later costs a list of fields. */
  standing: unknown = undefined
  // Its place in the queue, and then among those that hold its connection.
  previous: Lease | undefined = undefined
  next: Lease | undefined = undefined
  // Its place among those with a deadline of their own: whose time is up with its, and its neighbours among them.
  declare moment: AgeList<Lease> | undefined
  declare older: Lease | undefined
  declare younger: Lease | undefined

  // Few leases ever need a value of these, and each field of its own makes every lease dearer.
  static {
    this.prototype.isLeakSuspected = false
    this.prototype.isNested = false
    this.prototype.passed = 0
    this.prototype.moment = undefined
    this.prototype.older = undefined
    this.prototype.younger = undefined
  }

  constructor(request: Request, fiber: Caller) {
    super()
    this.request = request
    this.fiber = fiber
  }

  asEffect(): AnyEffect {
    return this.request.advance(this)
  }

  onExit(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    return this.request.checkIn(this, exit)
  }

  /** It has its connection. */
  begin(connection: Pooled, now: number): void {
    this.connection = connection
    this.lentAt = now
  }

  /** It goes on when the effect that it was lent to is over. */
  outlive(): void {
    this.fiber = new FormerCaller(this.fiber)
  }

  /** It gives back the connection that it held, if it held one. */
  end(): Pooled | undefined {
    const { connection } = this
    this.connection = undefined
    return connection
  }

  get isShared(): boolean {
    return this.request.isShared
  }

  /** Whether it is meant to be held for long, so that nobody suspects a leak. */
  get isLongLived(): boolean {
    return this.request.options?.isLongLived === true
  }
}

/** One connection as the pool knows it, from the start of its dial to the end of its close. */
export class Pooled {
  readonly id: number
  /** Which `retireAll` its dial came after. */
  generation: number
  /** Closing it closes the connection. */
  readonly scope: Scope.Closeable = Scope.makeUnsafe()
  state: ConnectionState = "opening"
  /** The connection itself, once open; only the connector knows its type. */
  value: any = undefined
  /** The dial that opens it; a close waits for its end, so that a late connection can't escape. */
  dial: Fiber<unknown, unknown> | undefined = undefined
  openedAt: number
  expiresAt = Infinity
  idleSince = 0
  /** When it last proved that it works, and the fence that held at that moment. */
  provenAt = 0
  fence = 0
  /** Its holders: one, or several that share it, with the one that has had it longest first. */
  readonly holders = new LeaseList<Lease>()
  uses = 0
  errors = 0
  /** The affinity of its last lease, in a pool that heeds it. */
  affinity: string | undefined = undefined
  /** Set when it is to be retired as soon as its borrower gives it back. */
  retireBecause: RetireReason | undefined = undefined
  /** Set while it is idle past its time but needed: it is retired when its replacement is open. */
  isDue = false
  /** Set when the connector reported its end. */
  isBroken = false
  /** The cause that it reported. */
  endedBy: unknown = undefined
  /** Whether Effect's Pool owns it: from its arrival until it leaves by the exit door. Written by the hold alone. */
  isHeld = false
  /** The scope that the engine has it from Effect's Pool in; `undefined` while it rests there. Written by the hold alone. */
  loan: Scope.Closeable | undefined = undefined
  /** Where it stands in the list of all. Written by the places alone. */
  place = 0
  /** Why it leaves; without a reason its time to live has ended it. */
  leavesBecause: RetireReason | undefined = undefined
  constructor(id: number, generation: number, now: number) {
    this.id = id
    this.generation = generation
    this.openedAt = now
  }

  /** It is dead, and what it died of if that is known. */
  broke(by?: unknown): void {
    this.isBroken = true
    this.endedBy ??= by
  }

  /** It is to be retired as soon as its borrower gives it back. The first reason stands. */
  retireLater(because: RetireReason): void {
    this.retireBecause ??= because
  }

  /** It is over in good order, whatever else there was to say of it. */
  ended(): void {
    this.retireBecause = "ended"
  }
}

/** The name a lease goes by: its label, or the span its fiber is in. */
export const labelOf = (lease: Lease): string | undefined => {
  const label = lease.request.options?.label
  if (label !== undefined) return label
  const span = lease.fiber.cache.span
  return span !== undefined && span._tag === "Span" ? span.name : undefined
}

/** Where a lease was taken: the span and the call sites of `Effect.fn`, innermost first. */
export const takenAt = (lease: Lease): ReadonlyArray<string> => {
  const places: Array<string> = []
  const span = lease.fiber.cache.span
  if (span !== undefined && span._tag === "Span") places.push(span.name)
  let frame = lease.fiber.cache.stackFrame
  while (frame !== undefined && places.length < 10) {
    const stack = frame.stack()
    places.push(stack === undefined ? frame.name : `${frame.name} ${stack.trim()}`)
    frame = frame.parent
  }
  return places
}
