/**
 * When each waiter's time is up, whatever the order in which they are served.
 *
 * Most wait equally long, so of them whoever came first is the first whose time is up. Waiters with less time than the pool
 * gives are kept by their deadlines in a heap. So one timer serves all.
 */
import type { Lease } from "./lease.ts"

export class Deadlines {
  private readonly acquireTimeout: number
  /** Those with a deadline of their own: a binary heap, the earliest at the front. */
  private readonly own: Array<Lease> = []
  /** The deadline of each of them: a crowd's own are compared without a look at leases all over the memory. */
  private readonly ends: Array<number> = []

  constructor(acquireTimeout: number) {
    this.acquireTimeout = acquireTimeout
  }

  /** Adds one that begins to wait now. `left` is how long it may wait, if that is less than the pool gives. */
  add(lease: Lease, left: number): void {
    const isOwn = left < this.acquireTimeout
    lease.deadline = lease.since + (isOwn ? left : this.acquireTimeout)
    if (isOwn) this.raise(lease, this.own.length)
  }

  remove(lease: Lease): void {
    if (lease.place >= 0) this.removeOwn(lease)
  }

  /** The lease whose time is up first, given the one that has waited longest. */
  next(oldest: Lease | undefined): Lease | undefined {
    const [own] = this.own
    return own !== undefined && own.deadline < oldest!.deadline ? own : oldest
  }

  private removeOwn(lease: Lease): void {
    const { place } = lease
    lease.place = -1
    const last = this.own.pop()!
    this.ends.pop()
    if (place === this.own.length) return
    this.lower(last, place)
    this.raise(last, last.place)
  }

  /** Puts a lease at a place, or as far towards the front as its deadline is earlier. */
  private raise(lease: Lease, from: number): void {
    const { ends, own } = this
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (ends[parent]! <= lease.deadline) break
      this.put(own[parent]!, ends[parent]!, place)
      place = parent
    }
    this.put(lease, lease.deadline, place)
  }

  /** Puts a lease at a place, or as far towards the back as its deadline is later. */
  private lower(lease: Lease, from: number): void {
    const { ends, own } = this
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= own.length) break
      if (child + 1 < own.length && ends[child + 1]! < ends[child]!) child++
      if (lease.deadline <= ends[child]!) break
      this.put(own[child]!, ends[child]!, place)
      place = child
    }
    this.put(lease, lease.deadline, place)
  }

  private put(lease: Lease, end: number, place: number): void {
    this.own[place] = lease
    this.ends[place] = end
    lease.place = place
  }
}
