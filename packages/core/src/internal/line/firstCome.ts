/**
 * First come, first served.
 */
import { QueueFull } from "../../PoolError.ts"
import type { Priority, TrafficStats } from "../model/traffic.ts"
import type { Lease } from "./lease.ts"
import { LeaseList } from "./leaseList.ts"
import type { Order } from "./order.ts"

export class FirstComeFirstServed implements Order {
  private readonly list = new LeaseList<Lease>()

  get size(): number {
    return this.list.size
  }

  get wanted(): number {
    return this.list.size
  }

  get wantedShared(): number {
    return this.list.sharers
  }

  enter(lease: Lease): void {
    this.list.push(lease)
  }

  leave(lease: Lease): void {
    this.list.remove(lease)
  }

  first(): Lease | undefined {
    return this.list.head
  }

  isNext(): boolean {
    return this.list.size === 0
  }

  refusal(_: Lease, pending: number, pendingLimit: number): QueueFull | undefined {
    return pending < pendingLimit ? undefined : new QueueFull({ pending, pendingLimit })
  }

  get traffic(): TrafficStats {
    const none = { high: 0, normal: 0, low: 0 }
    const keys = this.list.size === 0 ? [] : [{ key: undefined, pending: this.list.size, used: 0 }]
    return { level: 0, pending: { ...none, normal: this.list.size }, refused: none, keys }
  }

  priorityOf(): Priority {
    return "normal"
  }

  [Symbol.iterator](): Iterator<Lease> {
    return Array.from(this.list)[Symbol.iterator]()
  }
}
