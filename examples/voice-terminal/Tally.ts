/** What is counted while the program runs; it outlives the pools. */
import type { ManagedPool } from "@effect-pools/manager/Manager"
import type { PoolEvent } from "@effect-pools/core"
import { Effect, Stream } from "effect"

/** What was seen of one pool from outside. */
export class Observed {
  /** Tries that failed and were repeated, or gone around. */
  failures = 0
  peak = 0
  private live = 0
  private sum = 0
  private samples = 0
  readonly pool: ManagedPool

  constructor(pool: ManagedPool) {
    this.pool = pool
  }

  /** The mean of `used` as a share of the limit, 0 to 100. */
  get utilization(): number {
    return this.samples === 0 ? 0 : this.sum / this.samples
  }

  /** Looks again and again until it is interrupted. */
  get watch(): Effect.Effect<void> {
    const sample = Effect.flatMap(this.pool.stats, ({ utilization }) =>
      Effect.sync(() => {
        this.sum += utilization
        this.samples++
      }))
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
  observed: ReadonlyMap<string, Observed> = new Map()

  /** A try failed on this pool. */
  note(pool: string): void {
    const observed = this.observed.get(pool)
    if (observed !== undefined) observed.failures++
  }
}
