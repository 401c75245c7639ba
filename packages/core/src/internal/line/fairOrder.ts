/**
 * The order of callers that have priorities and keys.
 *
 * Among the priorities, whose oldest waiter has the least `since + slack`: priority and ageing in one. Within a priority
 * there is a flow for each key, and the flow goes first whose key has had the least (see `accounts.ts`); within a flow,
 * first come first served. Whose key or priority holds its whole share of the connections is passed over until one of
 * them comes back. Entering, leaving and serving cost the logarithm of the number of keys, whatever the number of
 * waiters.
 */
import { priorities, type Priority } from "../model/traffic.ts"
import { type Account, Accounts, credit } from "./accounts.ts"
import { AgeList } from "./ageList.ts"
import { LazyHeap } from "./lazyHeap.ts"
import type { Lease } from "./lease.ts"
import { LeaseList } from "./leaseList.ts"

/** How often a lease lets one with a better affinity go before it, and how many of a flow are looked at for one. */
const mostPassed = 8

export interface FairRules {
  /** For each priority, how many milliseconds its callers wait as if they had come later. */
  readonly slack: Readonly<Record<Priority, number>>
  /** How much the callers of a priority may hold together, in units of `lend`, where that is not all. */
  readonly mostOf: ((priority: Priority) => number) | undefined
  /** How much the callers of one key may hold together, where that is not all. */
  readonly mostOfKey: (() => number) | undefined
  readonly weightOf: (key: string) => number
  /** The number of connections there may be, by which the shares are told. */
  readonly limit: () => number
}

/** The callers of one key and one priority that wait. */
class Flow {
  readonly account: Account
  readonly rank: Rank
  readonly waiting = new LeaseList<Standing>()
  /** Whether it stands in the heaps of its priority. */
  isByAge = false
  isByTime = false

  constructor(account: Account, rank: Rank) {
    this.account = account
    this.rank = rank
  }
}

/** The place of a lease in the order, from its entry to its end. */
export class Standing {
  readonly lease: Lease
  readonly flow: Flow
  /** The virtual time it was charged at the hand-over. */
  charged = 0
  /** How much of the pool it holds. */
  units = 0
  // Its neighbours while it waits: in its flow, and in its priority.
  previous: Standing | undefined = undefined
  next: Standing | undefined = undefined
  older: Standing | undefined = undefined
  younger: Standing | undefined = undefined

  constructor(lease: Lease, flow: Flow) {
    this.lease = lease
    this.flow = flow
  }

  get isShared(): boolean {
    return this.lease.isShared
  }
}

/** The flows of one priority. */
class Rank {
  /** Its place among the priorities, and so the place of its flow in each account. */
  readonly place: number
  readonly slack: number
  /** How many of them may use a connection together with others. */
  sharers = 0
  lent = 0
  /** All who wait, by when they came. */
  readonly arrivals = new AgeList<Standing>()
  /** Whether a key may have to wait for a connection of its own, so that the oldest is not always the next. */
  private readonly isHeldBack: boolean
  private readonly byAge: LazyHeap<Flow>
  private readonly byTime: LazyHeap<Flow>
  private readonly isEligible: (flow: Flow) => boolean

  constructor(place: number, slack: number, isHeldBack: boolean, isEligible: (flow: Flow) => boolean) {
    this.place = place
    this.slack = slack
    this.isHeldBack = isHeldBack
    this.isEligible = isEligible
    this.byAge = new LazyHeap((flow) => isEligible(flow) ? flow.waiting.head!.lease.since : undefined, leaveByAge)
    this.byTime = new LazyHeap((flow) => isEligible(flow) ? flow.account.time : undefined, leaveByTime)
  }

  get waiting(): number {
    return this.arrivals.size
  }

  flowOf(account: Account): Flow {
    // Accounts know no orders: what they keep here is put there by this line alone.
    return (account.flows[this.place] ??= new Flow(account, this)) as Flow
  }

  /** Lets a flow take part that has become eligible. */
  list(flow: Flow): void {
    if (!this.isEligible(flow)) return
    if (this.isHeldBack && !flow.isByAge) {
      flow.isByAge = true
      this.byAge.push(flow)
    }
    if (!flow.isByTime) {
      flow.isByTime = true
      this.byTime.push(flow)
    }
  }

  /** Since when the oldest waits that may be served now. */
  get oldest(): number | undefined {
    return (this.isHeldBack ? this.byAge.first()?.waiting.head : this.arrivals.head)?.lease.since
  }

  get listed(): number {
    return Math.max(this.byTime.size, this.byAge.size)
  }

  get next(): Flow | undefined {
    return this.byTime.first()
  }
}

const leaveByAge = (flow: Flow): void => {
  flow.isByAge = false
}

const leaveByTime = (flow: Flow): void => {
  flow.isByTime = false
}

export class FairOrder {
  readonly accounts: Accounts
  /** Whether a key or a priority may hold a part of the connections only. */
  readonly isBounded: boolean
  private readonly rules: FairRules
  private readonly high: Rank
  private readonly normal: Rank
  private readonly low: Rank
  private readonly ranks: ReadonlyArray<Rank>
  size = 0
  /** In an order with bounds: the priority that is next, as long as nothing has changed. */
  private isKnown = false
  private knownAt = 0
  private known: Rank | undefined = undefined
  /** The lease that may go first because of its affinity, and the one it goes before. */
  private overtaking: { readonly lease: Lease; readonly passed: Lease } | undefined = undefined

  /** `now` is the pool's time. */
  constructor(rules: FairRules, now: () => number) {
    this.rules = rules
    this.accounts = new Accounts((key) => rules.weightOf(key), now)
    const isHeldBack = rules.mostOfKey !== undefined
    this.isBounded = isHeldBack || rules.mostOf !== undefined
    const isEligible = isHeldBack
      ? ({ account, waiting }: Flow): boolean => waiting.size > 0 && this.hasRoom(account)
      : ({ waiting }: Flow): boolean => waiting.size > 0
    this.ranks = priorities.map((priority, place) => new Rank(place, rules.slack[priority], isHeldBack, isEligible))
    const [high, normal, low] = this.ranks
    // There are three, as there are priorities.
    this.high = high!
    this.normal = normal!
    this.low = low!
  }

  private rankOf(priority: Priority): Rank {
    return priority === "normal" ? this.normal : priority === "high" ? this.high : this.low
  }

  /** How many of a priority wait. */
  waiting(priority: Priority): number {
    return this.rankOf(priority).waiting
  }

  /** How many flows of a priority are kept in order, those included that have left it since. */
  listed(priority: Priority): number {
    return this.rankOf(priority).listed
  }

  /** Where a caller stands that has not waited. */
  stand(lease: Lease, priority: Priority, key: string | undefined, now: number): Standing {
    return new Standing(lease, this.rankOf(priority).flowOf(this.accounts.of(key, now)))
  }

  /** In an order with bounds: whether a caller may have a connection before all who wait: nobody else may be served, and it has room. */
  isNext(priority: Priority, key: string | undefined): boolean {
    const account = this.accounts.known(key)
    const hasRoom = account === undefined || this.hasRoom(account)
    return hasRoom && this.mayServe(this.rankOf(priority)) && (this.size === 0 || this.nextRank() === undefined)
  }

  /** How long the oldest of a priority has waited. */
  oldest(priority: Priority, now: number): number {
    const { oldest } = this.rankOf(priority)
    return oldest === undefined ? 0 : now - oldest
  }

  /** Everybody who waits, by when they would be served if all held their connections equally long. */
  all(): Array<Lease> {
    const all = this.ranks.flatMap(({ arrivals, slack }) =>
      Array.from(arrivals, ({ lease }) => ({ lease, at: lease.since + slack }))
    )
    return all.toSorted((a, b) => a.at - b.at).map(({ lease }) => lease)
  }

  /** A caller that waits. Its `since` is set, and no earlier than that of those who came before. */
  enter(lease: Lease, priority: Priority, key: string | undefined): Standing {
    const standing = this.stand(lease, priority, key, lease.since)
    const { flow } = standing
    const { rank } = flow
    flow.waiting.push(standing)
    flow.account.waiting++
    rank.arrivals.push(standing)
    if (lease.isShared) rank.sharers++
    this.size++
    this.isKnown = false
    rank.list(flow)
    return standing
  }

  /** A caller that waits no more, whatever its outcome. */
  leave(standing: Standing): void {
    const { flow, lease } = standing
    if (this.overtaking !== undefined) {
      if (this.overtaking.lease === lease) this.overtaking.passed.passed++
      this.overtaking = undefined
    }
    const { account, rank } = flow
    flow.waiting.remove(standing)
    account.waiting--
    rank.arrivals.remove(standing)
    if (lease.isShared) rank.sharers--
    this.size--
    this.isKnown = false
    this.accounts.rest(account)
  }

  /** The one to serve next, or `undefined` when nobody may be served now. Among equals the affinity of the connection decides. */
  first(affinity?: string): Lease | undefined {
    const rank = this.nextRank()
    const flow = rank?.next
    const head = flow?.waiting.head?.lease
    if (affinity === undefined || rank === undefined || flow === undefined || head === undefined) return head
    const closer = head.passed >= mostPassed || head.said?.affinity === affinity
      ? undefined
      : this.closer(rank, flow, affinity)
    this.overtaking = closer === undefined ? undefined : { lease: closer, passed: head }
    return closer ?? head
  }

  /** Another of the priority, of a key that has had hardly more or from the front of the same flow, with the affinity. */
  private closer(rank: Rank, flow: Flow, affinity: string): Lease | undefined {
    const account = this.accounts.known(affinity)
    const other = account === undefined ? undefined : rank.flowOf(account).waiting.head?.lease
    if (other?.said?.affinity === affinity && this.hasRoom(account!) && account!.time <= flow.account.time + credit) {
      return other
    }
    let seen = 0
    for (const { lease } of flow.waiting) {
      if (lease.said?.affinity === affinity) return lease
      if (++seen === mostPassed) return undefined
    }
    return undefined
  }

  /** Asked several times for each lease: where there are bounds, it is looked for once after a change. */
  private nextRank(): Rank | undefined {
    if (!this.isBounded) return this.findRank()
    const limit = this.rules.limit()
    if (this.isKnown && this.knownAt === limit) return this.known
    if (this.knownAt !== limit) this.listEveryone()
    this.isKnown = true
    this.knownAt = limit
    return this.known = this.findRank()
  }

  private findRank(): Rank | undefined {
    let best: Rank | undefined
    let bestAt = Infinity
    for (const rank of this.ranks) {
      if (rank.waiting === 0 || !this.mayServe(rank)) continue
      const { oldest } = rank
      if (oldest === undefined) continue
      const at = oldest + rank.slack
      if (best === undefined || at < bestAt) {
        best = rank
        bestAt = at
      }
    }
    return best
  }

  /** A caller gets so much of the pool, whether it has waited or not. */
  lend(standing: Standing, units: number): void {
    const { account, rank } = standing.flow
    rank.lent += units
    this.isKnown = false
    standing.units = units
    standing.charged = this.accounts.lend(account, units)
  }

  /** A lease has ended. */
  end({ charged, flow, units }: Standing, held: number): void {
    const { account, rank } = flow
    rank.lent -= units
    this.accounts.end(account, held, charged, units)
    this.isKnown = false
    // One connection less is held by its key: where that was too many, its callers of every priority may be next.
    if (account.waiting > 0 && this.rules.mostOfKey !== undefined) this.listAll(account)
  }

  /** How many of those who wait may be served now, as far as their priority goes. */
  get wanted(): number {
    if (!this.isBounded) return this.size
    let wanted = 0
    for (const rank of this.ranks) if (this.mayServe(rank)) wanted += rank.waiting
    return wanted
  }

  /** How many of the wanted may use a connection together with others. */
  get wantedShared(): number {
    let sharers = 0
    for (const rank of this.ranks) if (this.mayServe(rank)) sharers += rank.sharers
    return sharers
  }

  /** The limit is another, and with it the share of a key: those that held all of it may have room now. */
  private listEveryone(): void {
    if (this.rules.mostOfKey === undefined) return
    for (const rank of this.ranks) for (const { flow } of rank.arrivals) rank.list(flow)
  }

  private listAll(account: Account): void {
    for (const rank of this.ranks) rank.list(rank.flowOf(account))
  }

  private mayServe({ lent, place }: Rank): boolean {
    return this.rules.mostOf === undefined || lent === 0 || lent < this.rules.mostOf(priorities[place]!)
  }

  private hasRoom({ lent }: Account): boolean {
    return this.rules.mostOfKey === undefined || lent === 0 || lent < this.rules.mostOfKey()
  }
}
