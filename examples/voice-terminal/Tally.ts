/** Counts of everything while the program runs; they outlive the pools. */
import type { ManagedPool } from "@effect-pools/manager/Manager"
import type { PoolEvent } from "@effect-pools/core"
import { Effect, Stream } from "effect"

/** One pool, as seen from outside. */
export class Observed {
  /** Tries that failed and were repeated, or gone around. */
  failures = 0
  peak = 0
  private live = 0
  private sum = 0
  private samples = 0
  readonly pool: ManagedPool

  private readonly isSteady: () => boolean

  /** Its utilization is measured while `isSteady` says so. */
  constructor(pool: ManagedPool, isSteady: () => boolean) {
    this.pool = pool
    this.isSteady = isSteady
  }

  /** The mean of the connections lent as a share of those there are, 0 to 100. */
  get utilization(): number {
    return this.samples === 0 ? 0 : this.sum / this.samples
  }

  /** The mean age of the connections, those that are closed included, in milliseconds. */
  get lifetime(): Effect.Effect<number> {
    return Effect.map(Effect.all([this.pool.connections, this.pool.stats]), ([open, { lifetime }]) => {
      const sum = open.reduce((sum, { age }) => sum + age, 0) + lifetime.mean * lifetime.count
      return sum / Math.max(1, open.length + lifetime.count)
    })
  }

  /** Looks again and again until it is interrupted. */
  get watch(): Effect.Effect<void> {
    const sample = Effect.map(this.pool.stats, ({ total, used }) => {
      if (total === 0 || !this.isSteady()) return
      this.sum += used / total * 100
      this.samples++
    })
    return Effect.all([
      Stream.runForEach(this.pool.events, (event) => Effect.sync(() => this.note(event))),
      Effect.forever(Effect.andThen(sample, Effect.sleep("100 millis")))
    ], { concurrency: "unbounded", discard: true })
  }

  begin(total: number): void {
    this.live = this.peak = total
  }

  private note(event: PoolEvent.PoolEvent): void {
    if (event._tag === "Opened") this.peak = Math.max(this.peak, ++this.live)
    if (event._tag === "Closed") this.live--
  }
}

export class Tally {
  /** Turns that were served, and those given up. */
  served = 0
  lost = 0
  drainMillis = 0
  /** Whether the load is what it is to be: neither beginning nor ending. */
  isSteady = false
  observed: ReadonlyMap<string, Observed> = new Map()

  /** A try failed on this pool. */
  note(pool: string): void {
    const observed = this.observed.get(pool)
    if (observed !== undefined) observed.failures++
  }
}
