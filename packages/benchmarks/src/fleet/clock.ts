/**
 * A clock that goes in steps. All whose sleep ends within a step wake at once at its end: the test clock of Effect wakes one
 * after another and waits for each, which with thousands of sleepers is most of the time of a run.
 */
import { type Clock, Duration, Effect } from "effect"

export class SteppedClock {
  private readonly step: number
  private readonly sleepers = new Map<number, Set<() => void>>()
  private millis: number

  constructor(start: number, step: number) {
    this.millis = start
    this.step = step
  }

  readonly now = (): number => this.millis

  /** Goes on by a step. */
  go(): void {
    this.millis += this.step
    const woken = this.sleepers.get(this.millis)
    this.sleepers.delete(this.millis)
    for (const wake of woken ?? []) wake()
  }

  get service(): Clock.Clock {
    const nanos = (): bigint => BigInt(this.millis) * 1_000_000n
    return {
      currentTimeMillisUnsafe: this.now,
      currentTimeMillis: Effect.sync(this.now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.sleep(Duration.toMillis(duration))
    }
  }

  private sleep(millis: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const at = this.millis + this.step * Math.max(1, Math.ceil(millis / this.step))
      const wake = (): void => resume(Effect.void)
      const others = this.sleepers.get(at) ?? new Set()
      this.sleepers.set(at, others.add(wake))
      return Effect.sync(() => others.delete(wake))
    })
  }
}
