/**
 * When each waiter's time is up, whatever the order in which they are served.
 *
 * Most wait equally long, so of them whoever came first is the first whose time is up. Waiters with less time than the pool
 * gives are kept by the millisecond in which it is up: a crowd that came together leaves together, and each of it comes and
 * goes without a search. So one timer serves all.
 */
import { AgeList } from "./ageList.ts"
import { LazyHeap } from "./lazyHeap.ts"
import type { Lease } from "./lease.ts"

/** Those whose time is up in the same millisecond, whoever came first at the front. */
class Moment extends AgeList<Lease> {
  readonly at: number

  constructor(at: number) {
    super()
    this.at = at
  }
}

export class Deadlines {
  private readonly acquireTimeout: number
  /** The moments of those with a deadline of their own. One that all have left stays until it is found at the front. */
  private readonly moments = new Map<number, Moment>()
  private readonly soonest = new LazyHeap<Moment>(
    ({ at, size }) => size > 0 ? at : undefined,
    ({ at }) => void this.moments.delete(at)
  )

  constructor(acquireTimeout: number) {
    this.acquireTimeout = acquireTimeout
  }

  /** How many moments are kept, those included that all have left. */
  get size(): number {
    return this.moments.size
  }

  /** Adds one that begins to wait now. `left` is how long it may wait, if that is less than the pool gives. */
  add(lease: Lease, left: number): void {
    if (left < this.acquireTimeout) {
      lease.deadline = lease.since + left
      this.addOwn(lease)
    } else lease.deadline = lease.since + this.acquireTimeout
  }

  remove(lease: Lease): void {
    const { moment } = lease
    if (moment === undefined) return
    lease.moment = undefined
    moment.remove(lease)
  }

  /** The lease whose time is up first, given the one that has waited longest. */
  next(oldest: Lease | undefined): Lease | undefined {
    const own = this.soonest.first()?.head
    return own !== undefined && own.deadline < oldest!.deadline ? own : oldest
  }

  private addOwn(lease: Lease): void {
    // The pool's time is whole milliseconds: all whose deadlines lie in the same one are late from the same reading on.
    const at = Math.ceil(lease.deadline)
    const known = this.moments.get(at)
    const moment = known ?? new Moment(at)
    lease.moment = moment
    moment.push(lease)
    if (known !== undefined) return
    this.moments.set(at, moment)
    this.soonest.push(moment)
  }
}
