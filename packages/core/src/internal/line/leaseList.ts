/**
 * Leases in the order in which they came: those that wait, first come first served, and those that hold one connection.
 *
 * The list is linked through the leases themselves, each of which is in one list at most, so that neither waiting nor
 * sharing costs an allocation and leaving from the middle costs no search.
 */

/** The links of an entry. */
interface Linked<Self> {
  previous: Self | undefined
  next: Self | undefined
  readonly isShared: boolean
}

export class LeaseList<Lease extends Linked<Lease>> {
  head: Lease | undefined = undefined
  private tail: Lease | undefined = undefined
  size = 0
  /** How many of them may use a connection together with others. */
  sharers = 0

  push(lease: Lease): void {
    lease.previous = this.tail
    if (this.tail === undefined) this.head = lease
    else this.tail.next = lease
    this.tail = lease
    this.size++
    if (lease.isShared) this.sharers++
  }

  remove(lease: Lease): void {
    if (lease.previous === undefined) this.head = lease.next
    else lease.previous.next = lease.next
    if (lease.next === undefined) this.tail = lease.previous
    else lease.next.previous = lease.previous
    lease.previous = undefined
    lease.next = undefined
    this.size--
    if (lease.isShared) this.sharers--
  }

  *[Symbol.iterator](): Iterator<Lease> {
    for (let lease = this.head; lease !== undefined; lease = lease.next) yield lease
  }
}
