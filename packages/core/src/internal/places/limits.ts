/**
 * The live limit: the least of what the bounds say. Each bound has one writer, and none knows of the others.
 */
import type { Mark } from "../base/mark.ts"
import type { Bound, LimitedBy } from "../model/limit.ts"

/** The first of equal bounds is told: the one nearest to the user. */
const order: ReadonlyArray<Bound> = ["setLimit", "sizing", "server", "budget"]

export class Limits {
  private readonly most: number
  private readonly mark: Mark
  private readonly bounds: Record<Bound, number> = {
    setLimit: Infinity,
    sizing: Infinity,
    server: Infinity,
    budget: Infinity
  }
  private least: number
  private decides: LimitedBy = "maxConnections"

  constructor(maxConnections: number, mark: Mark) {
    this.mark = mark
    this.most = maxConnections
    this.least = maxConnections
  }

  /** How many connections there may be at most: 0 only where a budget grants none. */
  get limit(): number {
    return this.least
  }

  /** The bound that decides. */
  get limitedBy(): LimitedBy {
    return this.decides
  }

  /** The value of a bound; `Infinity` while it has none. */
  of(bound: Bound): number {
    return this.bounds[bound]
  }

  /** The limit as it would be without a bound. */
  without(bound: Bound): number {
    return order.reduce((least, each) => each === bound ? least : Math.min(least, this.bounds[each]), this.most)
  }

  /** Tells whether the limit or the bound that decides it is another now. */
  set(bound: Bound, to: number): boolean {
    const { decides, least } = this
    this.bounds[bound] = to
    this.least = this.most
    this.decides = "maxConnections"
    for (const each of order) {
      if (this.bounds[each] >= this.least) continue
      this.least = this.bounds[each]
      this.decides = each
    }
    if (least === this.least && decides === this.decides) return false
    this.mark.set()
    return true
  }
}
