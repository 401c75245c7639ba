/**
 * The faults that a proxy puts on its connections at the moment.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"

/** How a connection ends: in order or by a reset. */
export type Ending = "fin" | "reset"

export interface CutAfter {
  readonly bytes: number
  readonly ending: Ending
}

export interface Faults {
  /** While it is closed nothing passes. */
  readonly gate: Latch.Latch
  readonly clock: Clock.Clock
  readonly random: Random.Random
  /** These three in milliseconds. */
  delay: number
  jitter: number
  slowClose: number
  bytesPerSecond: number
  slice: number
  /** A new object each time it is set: a connection begins to count when it meets one. */
  cutAfter: CutAfter | undefined
}

export const make: Effect.Effect<Faults> = Effect.gen(function*() {
  return {
    gate: Latch.makeUnsafe(true),
    clock: yield* Clock.Clock,
    random: yield* Random.Random,
    delay: 0,
    jitter: 0,
    slowClose: 0,
    bytesPerSecond: Infinity,
    slice: Infinity,
    cutAfter: undefined
  }
})

/** Sets a fault once its numbers are known to be good. */
export const set = (faults: Faults, change: () => Partial<Faults>): Effect.Effect<void> =>
  Effect.sync(() => void Object.assign(faults, change()))

/** A wrong number is a mistake in the test, so it throws: a defect of the effect that sets the fault. */
export const millis = (name: string, input: Duration.Input): number => {
  const value = Duration.toMillis(input)
  if (value >= 0 && value < Infinity) return value
  throw new RangeError(`TcpProxy.${name} must be a finite duration of at least 0, got ${value} ms`)
}

/** `undefined` is for no limit. */
export const count = (name: string, value: number | undefined, minimum: number): number => {
  if (value === undefined) return Infinity
  if (Number.isSafeInteger(value) && value >= minimum) return value
  throw new RangeError(`TcpProxy.${name} must be an integer of at least ${minimum}, got ${value}`)
}
