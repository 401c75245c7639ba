/**
 * The callers that wait, first come first served: a list linked through the leases themselves, so that waiting costs
 * no allocation and leaving from the middle costs no search.
 */
import type { Lease } from "./lease.ts"

export class WaitQueue {
  head: Lease | undefined = undefined
  private tail: Lease | undefined = undefined
  size = 0

  push(lease: Lease): void {
    lease.isQueued = true
    lease.previous = this.tail
    if (this.tail === undefined) this.head = lease
    else this.tail.next = lease
    this.tail = lease
    this.size++
  }

  remove(lease: Lease): void {
    if (!lease.isQueued) return
    lease.isQueued = false
    if (lease.previous === undefined) this.head = lease.next
    else lease.previous.next = lease.next
    if (lease.next === undefined) this.tail = lease.previous
    else lease.next.previous = lease.previous
    lease.previous = undefined
    lease.next = undefined
    this.size--
  }
}
