/**
 * First come, first served: the line's own order, to which it adds nothing.
 */
import { QueueFull } from "../../PoolError.ts"
import type { Priority, TrafficStats } from "../model/traffic.ts"
import type { Lease } from "./lease.ts"
import type { Arrivals, Order } from "./order.ts"

export class FirstComeFirstServed implements Order {
  private readonly arrivals: Arrivals

  constructor(arrivals: Arrivals) {
    this.arrivals = arrivals
  }

  get wanted(): number {
    return this.arrivals.size
  }

  get wantedShared(): number {
    return this.arrivals.sharers
  }

  enter(): number {
    return Infinity
  }

  leave(): void {}

  first(): Lease | undefined {
    return this.arrivals.head
  }

  isNext(): boolean {
    return this.arrivals.size === 0
  }

  refusal(_: Lease, pending: number, pendingLimit: number): QueueFull | undefined {
    return pending < pendingLimit ? undefined : new QueueFull({ pending, pendingLimit })
  }

  get traffic(): TrafficStats {
    const { size } = this.arrivals
    const none = { high: 0, normal: 0, low: 0 }
    const keys = size === 0 ? [] : [{ key: undefined, pending: size, used: 0 }]
    return { level: 0, pending: { ...none, normal: size }, refused: none, keys }
  }

  priorityOf(): Priority {
    return "normal"
  }

  [Symbol.iterator](): Iterator<Lease> {
    return Array.from(this.arrivals)[Symbol.iterator]()
  }
}
