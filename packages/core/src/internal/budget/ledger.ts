/**
 * The shares of the pools of one process in a budget: the only writer of what each pool is granted.
 *
 * A pool holds what it is granted or the sockets it has, whichever is more: so what it is told to give up is another's only
 * when the socket is closed. What nobody wants is granted too, evenly, and taken back at once when somebody does: a pool
 * does not feel a budget that is large enough. A pool that wants more asks; then shares are reckoned anew, and again each
 * quarter of a second until it has what it wants.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { BudgetMember, BudgetPool, BudgetStoreState, PoolBudget } from "../model/budget.ts"
import { Appetite } from "./appetite.ts"
import { type Granted, settle, spread } from "./apportion.ts"

/** How many of those that share it are told of with each pool. */
export const mostShown = 20

/** How often shares are reckoned anew while a pool wants more than it has: milliseconds. */
const lookAgain = 250

/** A pool as its budget sees it. */
export interface Tenant {
  readonly name: string
  readonly kind: string
  readonly floor: number
  /** Sockets that it has, those being opened and closed included. */
  readonly has: () => number
  /** How many it could use at this moment. */
  readonly useful: () => number
  /** How many it may have at most, whatever the budget grants. */
  readonly most: () => number
  /** Is told what it may have from now on. */
  readonly granted: (grant: number, why: string) => void
  /** Is told what became of the store. */
  readonly told: (news: StoreNews) => void
}

/** The store of a fleet's budget is lost, or back after so many milliseconds. */
type StoreNews =
  | { readonly _tag: "BudgetStoreLost"; readonly budget: string; readonly cause: unknown }
  | { readonly _tag: "BudgetStoreBack"; readonly budget: string; readonly away: number }

/** The processes that share the budget, as far as they are known. */
interface Surroundings {
  readonly store: BudgetStoreState
  /** The connections of all, which may be fewer than this process was told. */
  readonly total: number
  readonly processes: number
  /** Connections that the other processes hold. */
  readonly othersHold: number
}

/** A pool's place at the budget. */
class Seat {
  readonly tenant: Tenant
  grant = 0
  /** Whether it could use more than it is granted. */
  isHungry = false
  private readonly appetite = new Appetite()

  constructor(tenant: Tenant) {
    this.tenant = tenant
  }

  /** Connections that it has or may have. */
  get holds(): number {
    return Math.max(this.grant, this.tenant.has())
  }

  wants(now: number): number {
    const { floor, most, useful } = this.tenant
    return Math.min(most(), Math.max(floor, this.appetite.read(useful(), now)))
  }
}

export class Ledger {
  readonly name: string
  around: Surroundings
  private readonly seats = new Set<Seat>()
  private readonly now: () => number
  private readonly later: (run: () => void) => void
  private allowed: number
  /** The processes of a fleet, as the store said last. */
  processes: ReadonlyArray<BudgetMember> = []
  /** When somebody looked at the budget last. */
  lookedAt = -Infinity
  private isDue = false
  /** Open while a pool wants more than it has. */
  private readonly hungry = Latch.makeUnsafe(false)
  /** Told when a pool wants more than it has, and when a socket is closed that another waits for. */
  onHungry: () => void = () => {}
  onFreed: () => void = () => {}

  constructor({ later, name, now, total }: {
    readonly name: string
    readonly total: number
    readonly now: () => number
    /** Runs something on a turn of its own: never within the change of a pool that asks. */
    readonly later: (run: () => void) => void
  }) {
    this.name = name
    this.around = { store: "own", total, processes: 1, othersHold: 0 }
    this.allowed = total
    this.now = now
    this.later = later
  }

  /** How many connections the pools may have together. */
  get allowance(): number {
    return this.allowed
  }

  /** Connections that the pools have or may have together. */
  get holds(): number {
    return this.sum((seat) => seat.holds)
  }

  get has(): number {
    return this.sum((seat) => seat.tenant.has())
  }

  get floors(): number {
    return this.sum((seat) => seat.tenant.floor)
  }

  get wants(): number {
    const now = this.now()
    return this.sum((seat) => seat.wants(now))
  }

  /** Whether a pool could use more than it is granted. */
  get isHungry(): boolean {
    for (const { isHungry } of this.seats) if (isHungry) return true
    return false
  }

  /** The kinds of its pools. */
  get kinds(): ReadonlyArray<string> {
    return Array.from(new Set(Array.from(this.seats, ({ tenant }) => tenant.kind)))
  }

  get tenants(): ReadonlyArray<Tenant> {
    return Array.from(this.seats, ({ tenant }) => tenant)
  }

  get pools(): ReadonlyArray<BudgetPool> {
    const now = this.now()
    return Array.from(this.seats, (seat) => ({
      name: seat.tenant.name,
      grant: seat.grant,
      has: seat.tenant.has(),
      wants: seat.wants(now)
    }))
  }

  join(tenant: Tenant): Seat {
    const seat = new Seat(tenant)
    this.seats.add(seat)
    this.set(seat, 0)
    this.settle()
    // The pool has what is granted already from its first moment, and asks for the rest.
    this.ask(seat)
    return seat
  }

  leave(seat: Seat): void {
    this.seats.delete(seat)
    this.settle()
    this.onFreed()
  }

  /** A pool could use more. Called often, so it costs next to nothing for one that has asked already. */
  ask(seat: Seat): void {
    if (seat.isHungry) return
    seat.isHungry = true
    this.settleSoon()
  }

  /** A socket is closed. */
  freed(): void {
    if (this.isHungry || this.has > this.allowed) this.settleSoon()
    this.onFreed()
  }

  allow(allowance: number): void {
    if (allowance === this.allowed) return
    this.allowed = allowance
    this.settle()
  }

  /** Reckons the shares anew. */
  settle(): void {
    this.isDue = false
    const now = this.now()
    const seats = Array.from(this.seats)
    const members = seats.map((seat): Granted => ({
      grant: seat.grant,
      has: seat.tenant.has(),
      wants: seat.wants(now),
      floor: seat.tenant.floor
    }))
    const shares = settle(this.allowed, members)
    const grants = spread(this.allowed, members, shares, seats.map(({ tenant }) => tenant.most()))
    const change = (isWanted: (seat: Seat, to: number) => boolean): void =>
      seats.forEach((seat, at) => {
        if (isWanted(seat, grants[at]!)) this.set(seat, grants[at]!)
      })
    // Nobody is granted more before others have been told that they have less.
    change((seat, to) => to < seat.grant)
    change((seat, to) => to > seat.grant)
    for (const seat of seats) seat.isHungry = seat.tenant.useful() > seat.grant && seat.grant < seat.tenant.most()
    if (!this.isHungry) {
      this.hungry.closeUnsafe()
      return
    }
    this.hungry.openUnsafe()
    this.onHungry()
  }

  /** Looks again while a pool wants more than it has: what others want falls without a word. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.andThen(this.hungry.await, Effect.delay(Effect.sync(() => this.settle()), lookAgain)))
  }

  /** The budget as one of its pools sees it. */
  viewOf(seat: Seat): PoolBudget {
    const { othersHold, processes, store, total } = this.around
    return {
      name: this.name,
      total,
      grant: seat.grant,
      wants: seat.wants(this.now()),
      othersHold: othersHold + this.sum((each) => each === seat ? 0 : each.tenant.has()),
      others: this.seats.size - (this.seats.has(seat) ? 1 : 0) + processes - 1,
      store,
      members: store === "own" ? this.membersOf(seat) : this.processes
    }
  }

  /** Somebody looks at the budget, and not only at its numbers: who shares it is asked for. */
  look(): void {
    this.lookedAt = this.now()
  }

  private membersOf(seat: Seat): ReadonlyArray<BudgetMember> {
    const all = Array.from(this.seats, (each) => ({
      name: each.tenant.name,
      grant: each.holds,
      wants: each.wants(this.now()),
      isSelf: each === seat
    }))
    return all.toSorted((a, b) => b.grant - a.grant).slice(0, mostShown)
  }

  private set(seat: Seat, grant: number): void {
    seat.grant = grant
    seat.tenant.granted(grant, `the budget “${this.name}” grants ${grant} of ${this.around.total}`)
  }

  private settleSoon(): void {
    if (this.isDue) return
    this.isDue = true
    this.later(() => {
      if (this.isDue) this.settle()
    })
  }

  private sum(of: (seat: Seat) => number): number {
    let all = 0
    for (const seat of this.seats) all += of(seat)
    return all
  }
}
