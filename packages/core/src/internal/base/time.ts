/**
 * The pool's time: milliseconds that never go back and never leap.
 *
 * The wall clock is cheap to read but may be set, and it runs on while the process is suspended; the monotonic clock is
 * steady but costs more. So the wall clock is read, and the monotonic clock is asked only when two readings lie more
 * than a second apart or go back. A leap is taken out of the pool's time, so that nothing expires by it, and told to
 * `onLeap`, so that idle connections prove themselves before they are lent.
 *
 * The time is whole milliseconds: V8 keeps a small integer within the record that has it, and each other number in an object of
 * its own, of which every lease would need several.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const suspicious = 1000
/** Sums of fractions miss by less than this: 949.9999999 ms are 950. */
const almost = 1e-6
const tolerated = 500

export class PoolTime {
  readonly clock: Clock.Clock
  /** The last answer of `now`. */
  elapsed = 0
  private readonly onLeap: (by: number) => void
  private wall: number
  private steady: number

  constructor(clock: Clock.Clock, onLeap: (by: number) => void = () => {}) {
    this.clock = clock
    this.onLeap = onLeap
    this.wall = clock.currentTimeMillisUnsafe()
    this.steady = steadyMillis(clock)
  }

  /** Milliseconds since the pool was made. */
  now(): number {
    const wall = this.clock.currentTimeMillisUnsafe()
    const step = wall - this.wall
    if (!(step > -almost && step < suspicious)) return this.afterGap(wall, step)
    // A clock that tells parts of milliseconds keeps them for the next reading.
    const whole = (step + almost) | 0
    this.wall += whole
    return this.elapsed += whole
  }

  /** Takes out the drift between the two clocks; called now and then by housekeeping. */
  settle(): void {
    const elapsed = this.now()
    this.steady = steadyMillis(this.clock) - elapsed
  }

  /** Milliseconds since the epoch. */
  date(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  private afterGap(wall: number, step: number): number {
    const steady = steadyMillis(this.clock)
    // Small steps were added from the wall clock, so what the steady clock has to give is what they left.
    const truth = Math.max(0, steady - this.steady - this.elapsed)
    const leap = step - truth
    this.wall = wall
    this.elapsed += Math.round(Math.abs(leap) > tolerated ? truth : Math.max(0, step))
    this.steady = steady - this.elapsed
    if (Math.abs(leap) > tolerated) this.onLeap(leap)
    return this.elapsed
  }
}

/**
 * Milliseconds of the monotonic clock, with their parts.
 *
 * @category conversions
 * @since 0.1.0
 */
export const steadyMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** A clock whose wall is never set, for those who reckon with the wall alone: set back, it would hold them up as long. */
export const steadied = (clock: Clock.Clock): Clock.Clock =>
  withTime(clock, () => Math.floor(steadyMillis(clock)), (duration) => clock.sleep(duration))

/** A clock of which all that is reckoned in milliseconds comes from elsewhere. */
export const withTime = (
  clock: Clock.Clock,
  currentTimeMillisUnsafe: () => number,
  sleep: Clock.Clock["sleep"]
): Clock.Clock => {
  const currentTimeNanosUnsafe = (): bigint => clock.monotonicTimeNanosUnsafe()
  return {
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanosUnsafe,
    currentTimeNanos: clock.monotonicTimeNanos,
    monotonicTimeNanosUnsafe: currentTimeNanosUnsafe,
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep
  }
}
