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

/** Seconds that a command may block; `"Infinity"` is 0, which waits for ever. */
export const blockSeconds = (input: Duration.Input): number => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  return millis === Infinity ? 0 : Math.max(millis, 1) / 1000
}

/** Milliseconds that a command may block; `"Infinity"` is 0, which waits for ever. */
export const blockMillis = (input: Duration.Input): number => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  return millis === Infinity ? 0 : Math.max(Math.ceil(millis), 1)
}

export type Fields = Readonly<Record<string, Arg>> | ReadonlyArray<readonly [Arg, Arg]>

export const flatten = (fields: Fields): ReadonlyArray<Arg> =>
  (Array.isArray(fields) ? fields : Object.entries(fields)).flat() as ReadonlyArray<Arg>

/** What `scan` and its like may be told. */
export interface ScanOptions {
  /** A glob-style pattern. */
  readonly match?: string | undefined
  /** How much the server looks at in one step. Default: the server's, 10. It does not limit the result. */
  readonly count?: number | undefined
}
