/**
 * The order of every pool: by what callers say of themselves with `Traffic`, and first come, first served while nobody says
 * anything. A pool that has neither rules of its own nor a caller that spoke pays nothing for it.
 */
import type * as Clock from "effect/Clock"
import { type PoolErrorReason, QueueFull } from "../../PoolError.ts"
import type { Level, Priority, Said, TrafficConfig, TrafficStats } from "../model/traffic.ts"
import { FairOrder, type Standing } from "./fairOrder.ts"
import { FirstComeFirstServed } from "./firstCome.ts"
import type { Lease, Pooled } from "./lease.ts"
import type { Account, Arrivals, Order } from "./order.ts"
import { Refusing } from "./refusing.ts"
import { Around, around, nothing, saidOf } from "./said.ts"
import { lotOf } from "./shedder.ts"

/** Facts of the pool that an order may need. */
export interface OrderOptions {
  readonly traffic: TrafficConfig
  readonly acquireTimeout: number
  readonly clock: Clock.Clock
  /** The pool's time. */
  readonly now: () => number
  /** How many connections there may be now. */
  readonly limit: () => number
  /** How many callers may use one connection together. */
  readonly sharers: number
  /** Whether the caller holds a connection of this pool already. */
  readonly holds: (lease: Lease) => boolean
}

/** How many keys are told apart in numbers and metrics. */
const shownKeys = 20

const hour = 3_600_000

/** A lease may last longer than those before it: a caller is not lent a connection at the last moment. */
const margin = 1.2

export class ByTraffic implements Order {
  account: Account | undefined = undefined
  overload: Refusing | undefined = undefined
  private readonly options: OrderOptions
  private readonly arrivals: Arrivals
  private readonly plain: FirstComeFirstServed
  private fair: FairOrder | undefined = undefined
  private readonly around = new Around()
  /** Those that may wait only as long as the level of degradation lets them. */
  private readonly curbed = new WeakSet<Lease>()

  constructor(options: OrderOptions, arrivals: Arrivals) {
    this.options = options
    this.arrivals = arrivals
    this.plain = new FirstComeFirstServed(arrivals)
    const { degradation, maxShare, retryBudget, share, shedAfter, weights } = options.traffic
    const parts = [maxShare, share.high, share.normal, share.low]
    const refuses = shedAfter < Infinity || retryBudget < Infinity || degradation === "auto"
    if (refuses) this.refuse()
    if (refuses || parts.some((part) => part < 1) || Object.keys(weights).length > 0) this.weigh()
  }

  get wanted(): number {
    return this.fair === undefined ? this.plain.wanted : this.fair.wanted
  }

  get wantedShared(): number {
    return this.fair === undefined ? this.plain.wantedShared : this.fair.wantedShared
  }

  enter(lease: Lease): number {
    const said = this.said(lease)
    if (this.fair === undefined && said === nothing) return Infinity
    const fair = this.fair ?? this.weigh()
    this.overload?.entered(said)
    lease.standing = fair.enter(lease, said.priority, said.fairKey)
    return this.left(lease, said)
  }

  leave(lease: Lease): void {
    if (this.arrivals.size === 1) this.around.forget()
    const standing = standingOf(lease)
    if (standing !== undefined) this.fair?.leave(standing)
  }

  /** How long a caller that comes now may wait, in milliseconds. */
  private left(lease: Lease, said: Said): number {
    const own = this.ownLeft(said)
    const { degradedWait } = this.options.traffic
    const isCurbed = (this.overload?.level ?? 0) >= 3 && said.priority !== "high" && degradedWait < own
    if (!isCurbed) return own
    this.curbed.add(lease)
    return degradedWait
  }

  /** How long it may wait by what it says of itself. */
  private ownLeft({ deadlineAt, fairKey }: Said): number {
    if (deadlineAt === Infinity) return Infinity
    const mean = this.fair?.accounts.known(fairKey)?.mean ?? 0
    return deadlineAt - this.options.clock.currentTimeMillisUnsafe() - margin * mean
  }

  limitOf(lease: Lease): "deadline" | "traffic.degradedWait" {
    return this.curbed.has(lease) ? "traffic.degradedWait" : "deadline"
  }

  degrade(level: Level | "auto"): void {
    if (this.fair === undefined) this.weigh()
    const refusing = this.overload ?? this.refuse()
    refusing.setLevel(level)
  }

  first(connection?: Pooled): Lease | undefined {
    return this.fair === undefined ? this.plain.first() : this.fair.first(connection?.affinity)
  }

  isNext(lease: Lease): boolean {
    if (this.fair === undefined) return this.plain.isNext()
    if (this.isUncontended(lease)) return true
    if (this.overload?.refusesAtOnce(lease) === true) return false
    if (!this.fair.isBounded) return this.fair.size === 0
    const { fairKey, priority } = this.said(lease)
    return this.fair.isNext(priority, fairKey)
  }

  refusal(lease: Lease, pending: number, pendingLimit: number): PoolErrorReason | undefined {
    const { traffic } = this.options
    const said = this.said(lease)
    // Nobody's place depends on a priority before somebody has one.
    if (this.fair === undefined && said === nothing) return this.plain.refusal(lease, pending, pendingLimit)
    const refused = this.overload?.refusalOf(lease)
    if (refused !== undefined) return refused
    const places = Math.ceil(pendingLimit * traffic.places[said.priority])
    if (pending < places) return undefined
    this.overload?.failed(lease)
    return new QueueFull({ pending, pendingLimit: places })
  }

  get traffic(): TrafficStats {
    const { fair, overload } = this
    if (fair === undefined) return this.plain.traffic
    const refused = (priority: Priority): number => overload?.refusedOf(priority) ?? 0
    return {
      level: overload?.level ?? 0,
      pending: { high: fair.waiting("high"), normal: fair.waiting("normal"), low: fair.waiting("low") },
      refused: { high: refused("high"), normal: refused("normal"), low: refused("low") },
      keys: fair.accounts.busiest(shownKeys)
    }
  }

  priorityOf(lease: Lease): Priority {
    return this.said(lease).priority
  }

  [Symbol.iterator](): Iterator<Lease> {
    return this.fair === undefined ? this.plain[Symbol.iterator]() : this.fair.all()[Symbol.iterator]()
  }

  /**
   * The words of a caller. One that holds a connection counts as high, and is refused nothing for its priority: the others
   * may be waiting for it.
   */
  private said(lease: Lease): Said {
    if (lease.said !== undefined) return lease.said
    // The context of a caller that is served or refused at once is not kept: nobody would let go of it.
    const outer = this.arrivals.size === 0 ? lease.fiber.getRef(around) : this.around.of(lease.fiber)
    const said = saidOf(lease, outer, this.options.clock)
    const isPlain = this.fair === undefined && said === nothing
    return lease.said = isPlain || said.priority === "high" || !this.options.holds(lease)
      ? said
      : { ...said, priority: "high" }
  }

  /** From now on callers are told apart. Those who wait already said nothing. */
  private weigh(): FairOrder {
    const { limit, now, sharers, traffic } = this.options
    const fair = this.fair = new FairOrder({
      slack: traffic.slack,
      mostOf: traffic.share.high * traffic.share.normal * traffic.share.low >= 1
        ? undefined
        : (priority) => most(traffic.share[priority], limit() * sharers),
      mostOfKey: traffic.maxShare >= 1 ? undefined : () => most(traffic.maxShare, limit() * sharers),
      limit,
      weightOf: (key) => Object.hasOwn(traffic.weights, key) ? traffic.weights[key]! : 1
    }, now)
    for (const lease of this.arrivals) lease.standing = fair.enter(lease, nothing.priority, nothing.fairKey)
    this.account = {
      began: (lease) => this.began(fair, lease),
      ended: (lease, held, end) => {
        if (end === "success") this.overload?.succeeded()
        const standing = standingOf(lease)
        if (standing !== undefined && standing.units > 0) fair.end(standing, held)
      }
    }
    return fair
  }

  /**
   * Whether a lease that begins, or asks, takes nothing from anybody: nobody waits, and no rule bounds or counts who is served.
   * Then it need not be told apart, and costs what it does in a plain queue.
   */
  private isUncontended(lease: Lease): boolean {
    const { fair, overload } = this
    return lease.resume === undefined && overload === undefined && fair !== undefined && fair.size === 0 &&
      !fair.isBounded
  }

  private began(fair: FairOrder, lease: Lease): void {
    if (this.isUncontended(lease)) return
    const standing = standingOf(lease) ?? this.stand(fair, lease)
    // One that has a connection to itself has the room of all who could share it.
    fair.lend(standing, lease.isShared ? 1 : this.options.sharers)
    this.overload?.served(lease)
  }

  private stand(fair: FairOrder, lease: Lease): Standing {
    const { fairKey, priority } = this.said(lease)
    const standing = fair.stand(lease, priority, fairKey, lease.lentAt)
    lease.standing = standing
    return standing
  }

  private refuse(): Refusing {
    const { acquireTimeout, now, traffic } = this.options
    return this.overload = new Refusing({
      traffic,
      acquireTimeout,
      now,
      said: (lease) => this.said(lease),
      lot: (lease) => this.lot(lease),
      oldest: (priority, now) => this.fair?.oldest(priority, now) ?? 0
    })
  }

  /** Leases of one key, or else of one trace, are refused together. */
  private lot(lease: Lease): number {
    const { clock } = this.options
    const name = this.said(lease).fairKey ?? lease.fiber.cache.span?.traceId ?? String(lease.fiber.id)
    return lotOf(name, Math.floor(clock.currentTimeMillisUnsafe() / hour))
  }
}

/** A part of what there is, and at least something; all of it is no limit. */
const most = (part: number, all: number): number => part >= 1 ? Infinity : Math.max(1, Math.floor(part * all))

// The field is typed as unknown so that a lease need not know the order, which knows leases.
const standingOf = (lease: Lease): Standing | undefined => lease.standing as Standing | undefined
