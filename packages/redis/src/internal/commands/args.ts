/**
 * Arguments that several families of commands have in common.
 */
import * as Duration from "effect/Duration"
import { type Arg, type Command, type Decoder, make, raw, type Span } from "../../RedisCommand.ts"

const millisOf = (input: Duration.Input, what: string): number => {
  if (typeof input === "number" || typeof input === "bigint") {
    throw new TypeError(
      `a ${what} is no bare number, which would be seconds in some commands of Redis and milliseconds in others: write `
        + `"${input} seconds" or "${input} millis" (at least 1 millisecond)`
    )
  }
  return Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(input)))
}

/** Milliseconds, at least 1: 0 would delete the key, and the server refuses it. */
export const expiry = (input: Span): number => {
  const millis = millisOf(input, "ttl")
  if (!Number.isSafeInteger(millis) || millis < 1) {
    throw new RangeError("a ttl must be finite and at least 1 millisecond")
  }
  return millis
}

/** Milliseconds that a command may block; `"Infinity"` is 0, which waits for ever. */
export const blockMillis = (input: Span): number => {
  const millis = millisOf(input, "timeout")
  if (millis < 1) throw new RangeError("a timeout must be at least 1 millisecond; \"Infinity\" waits for ever")
  return millis === Infinity ? 0 : millis
}

/** Milliseconds since an entry was given to a member. */
export const idleMillis = (input: Span): number => millisOf(input, "time")

/** Seconds of `blockMillis`. */
export const blockSeconds = (input: Span): number => blockMillis(input) / 1000

/** Refuses options that nobody would notice: those of other clients, such as `EX`. */
export const onlyKnown = (options: object | undefined, known: ReadonlyArray<string>): void => {
  for (const option in options) {
    if (!known.includes(option)) throw new TypeError(`${option} is not an option here: there are ${known.join(", ")}`)
  }
}

export type Fields = Readonly<Record<string, Arg>> | ReadonlyArray<readonly [Arg, Arg]>

export const flatten = (fields: Fields): ReadonlyArray<Arg> =>
  (Array.isArray(fields) ? fields : Object.entries(fields)).flat() as ReadonlyArray<Arg>

const refused = (name: string, refusal: string): Command<never> => ({
  name,
  args: [],
  // It is never answered.
  decode: raw as Decoder<never>,
  refusal
})

/** A command that takes at least one of what `list` has: the server would refuse it, and by then others are on their way. */
export const some = <A>(
  name: string,
  before: ReadonlyArray<Arg>,
  list: ReadonlyArray<Arg>,
  what: string,
  decode: Decoder<A>
): Command<A> => list.length === 0 ? refused(name, `has no ${what}`) : make(name, [...before, ...list], decode)

/** A command with an integer that the server would refuse if it were none. */
export const withInteger = <A>(
  name: string,
  before: ReadonlyArray<Arg>,
  integer: number | bigint,
  decode: Decoder<A>
): Command<A> =>
  typeof integer === "bigint" || Number.isSafeInteger(integer)
    ? make(name, [...before, integer], decode)
    : refused(name, "takes an integer, as a number up to 2^53 or as a bigint")

/** A number with a fraction or an exponent, as the server reads it; NaN stays what it is, and is refused. */
export const real = (value: number): Arg =>
  Number.isNaN(value) ? value : value === Infinity ? "+inf" : value === -Infinity ? "-inf" : String(value)
