/**
 * A simulated world: fibers run at once, and when none can go on the clock leaps to the next sleep. Minutes of a busy pool
 * take a second, always in the same way. The process may be made to stall, so that all timers come late.
 */
import { Cause, Clock, type Context, Duration, Effect, Exit, Scheduler } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Sleepers by when they wake, and of those that wake together whoever fell asleep first. */
class Sleepers {
  private readonly all: Array<Sleeper> = []

  add(sleeper: Sleeper): void {
    let low = 0
    let high = this.all.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.all[middle]!.at > sleeper.at) low = middle + 1
      else high = middle
    }
    // The one that wakes last is at the front.
    while (low > 0 && this.all[low - 1]!.at === sleeper.at) low--
    this.all.splice(low, 0, sleeper)
  }

  remove(sleeper: Sleeper): void {
    const place = this.all.indexOf(sleeper)
    if (place >= 0) this.all.splice(place, 1)
  }

  get earliest(): Sleeper | undefined {
    return this.all.at(-1)
  }

  takeEarliest(): void {
    this.all.pop()
  }
}

export class World {
  now = 0
  private readonly sleepers = new Sleepers()
  private turns: Array<() => void> = []
  /** For how long the process stalls before the sleep at a time is over. */
  stallBefore: (at: number) => number = () => 0

  readonly scheduler = new Scheduler.MixedScheduler("async", (turn) => {
    this.turns.push(turn)
    return () => {
      this.turns = this.turns.filter((other) => other !== turn)
    }
  })

  readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanosUnsafe: () => BigInt(Math.round(this.now * 1_000_000)),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1_000_000))),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(this.now * 1_000_000)),
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1_000_000))),
    sleep: (duration) => this.sleep(Duration.toMillis(duration))
  }

  /** Runs an effect until it ends. */
  run<A, E>(effect: Effect.Effect<A, E>, context: Context.Context<never>): A {
    const fiber = Effect.runForkWith(context)(Effect.provideService(effect, Clock.Clock, this.clock), {
      scheduler: this.scheduler
    })
    let exit = fiber.pollUnsafe()
    for (; exit === undefined; exit = fiber.pollUnsafe()) this.turn()
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value
  }

  private turn(): void {
    const { turns } = this
    this.turns = []
    for (const each of turns) each()
    if (turns.length > 0) return
    const next = this.sleepers.earliest
    if (next === undefined || next.at === Infinity) throw new Error("nobody wakes any more")
    this.now = Math.max(this.now, next.at) + this.stallBefore(next.at)
    for (let due = next; due !== undefined && due.at <= this.now; due = this.sleepers.earliest!) {
      this.sleepers.takeEarliest()
      due.wake()
    }
  }

  private sleep(millis: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      // As timers do: no less than a millisecond.
      const sleeper = { at: this.now + Math.max(1, Math.ceil(millis)), wake: () => resume(Effect.void) }
      this.sleepers.add(sleeper)
      return Effect.sync(() => this.sleepers.remove(sleeper))
    })
  }
}
