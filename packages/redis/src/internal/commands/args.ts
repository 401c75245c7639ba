/**
 * What several families of commands make their arguments of.
 */
import * as Duration from "effect/Duration"
import type { Arg } from "../../RedisCommand.ts"

/** Milliseconds, at least 1: 0 would delete the key, and the server refuses it. */
export const expiry = (input: Duration.Input): number => {
  const millis = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(input)))
  if (!Number.isSafeInteger(millis) || millis < 1) {
    throw new RangeError("a ttl must be finite and at least 1 millisecond")
  }
  return millis
}

/** Milliseconds that a command may block; `"Infinity"` is 0, which waits for ever. */
export const blockMillis = (input: Duration.Input): number => {
  const millis = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(input)))
  if (millis < 1) throw new RangeError("a timeout must be at least 1 millisecond; \"Infinity\" waits for ever")
  return millis === Infinity ? 0 : millis
}

/** The same in seconds. */
export const blockSeconds = (input: Duration.Input): number => blockMillis(input) / 1000

/** Refuses options that nobody would notice: those of other clients, such as `EX`. */
export const onlyKnown = (options: object | undefined, known: ReadonlyArray<string>): void => {
  for (const option in options) {
    if (!known.includes(option)) throw new TypeError(`${option} is not an option here: there are ${known.join(", ")}`)
  }
}

export type Fields = Readonly<Record<string, Arg>> | ReadonlyArray<readonly [Arg, Arg]>

export const flatten = (fields: Fields): ReadonlyArray<Arg> =>
  (Array.isArray(fields) ? fields : Object.entries(fields)).flat() as ReadonlyArray<Arg>
