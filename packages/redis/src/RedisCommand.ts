/**
 * Commands as values: a name, arguments, and how the answer is read.
 *
 * Most programs call the methods of a connection or of the pool's class, which make and run them in one step. As values
 * they go into pipelines and transactions, and a module of the server that is not known here can be given types:
 *
 * ```ts
 * import { RedisCommand } from "@effect-pools/redis"
 *
 * const jsonGet = (key: string) => RedisCommand.make("JSON.GET", [key], RedisCommand.orUndefined(RedisCommand.text))
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { isUtf8 } from "node:buffer"
import * as AsText from "./internal/asText.ts"
import { capitals } from "./internal/name.ts"

/**
 * One argument of a command. It is sent as bytes with their length, so nothing in it can be mistaken for protocol.
 *
 * @category models
 * @since 0.1.0
 */
export type Arg = string | number | bigint | Uint8Array

/**
 * A duration that says its unit: `"10 seconds"`, `{ seconds: 10 }`. Redis has commands that take seconds, and others that
 * take milliseconds, so a bare number is refused.
 *
 * @category models
 * @since 0.1.0
 */
export type Span = Exclude<Duration.Input, number | bigint>

/**
 * An answer as it came: texts are bytes until a decoder reads them.
 *
 * @category models
 * @since 0.1.0
 */
export type RawReply = Buffer | string | number | bigint | boolean | null | Error | ReadonlyArray<RawReply>

/**
 * An answer with its texts decoded, for commands without a type of their own.
 *
 * @category models
 * @since 0.1.0
 */
export type Reply = string | number | boolean | null | ReadonlyArray<Reply>

/**
 * An answer is not what it must be: the command fails with `UnexpectedReply`. It might be the answer of another command,
 * so its connection is replaced after the lease. What is merely unwelcome in an answer is better told by `map`.
 *
 * @category models
 * @since 0.1.0
 */
export class Mismatch {
  /** The expected form: `"a text"`. */
  readonly expected: string
  /** Whether it is an answer of the command all the same, which only this decoder can't read: its connection is kept. */
  readonly isAnswer: boolean
  /** An integer that no number holds exactly. */
  readonly integer: bigint | undefined

  constructor(expected: string, isAnswer: boolean = false, integer?: bigint) {
    this.expected = expected
    this.isAnswer = isAnswer
    this.integer = integer
  }
}

/**
 * Reads an answer, or says that it is not what it must be.
 *
 * @category models
 * @since 0.1.0
 */
export type Decoder<A> = (reply: RawReply) => A | Mismatch

/**
 * A command and how its answer is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Command<out A> {
  /** In capitals. */
  readonly name: string
  readonly args: ReadonlyArray<Arg>
  readonly decode: Decoder<A>
  /** Why it can't be sent, where something is missing: it fails with `InvalidCommand`. */
  readonly refusal?: string | undefined
}

/**
 * Makes a command. Its name is one word, and may be written in small letters; a subcommand is its first argument.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A>(name: string, args: ReadonlyArray<Arg>, decode: Decoder<A>): Command<A> => ({
  name: capitals(name),
  args,
  decode
})

/**
 * A text, in UTF-8. Bytes that are none are refused, and not changed: `bytes` reads them.
 *
 * @category decoders
 * @since 0.1.0
 */
export const text: Decoder<string> = AsText.add((reply) =>
  Buffer.isBuffer(reply) ? textOf(reply) : typeof reply === "string" ? reply : notText
)

/** Only what has a sign of replacement in it may have had something else there. */
const textOf = (bytes: Buffer): string | Mismatch => {
  const text = bytes.toString()
  return text.includes("\ufffd") && !isUtf8(bytes) ? notUtf8 : text
}

/**
 * Bytes as they are stored.
 *
 * @category decoders
 * @since 0.1.0
 */
export const bytes: Decoder<Buffer> = (reply) =>
  Buffer.isBuffer(reply) ? alone(reply) : typeof reply === "string" ? Buffer.from(reply) : notText

/** A few bytes that are kept must not keep the whole chunk alive that they came in. */
const alone = (bytes: Buffer): Buffer => {
  if (bytes.length > 4096 || bytes.buffer.byteLength <= 2 * bytes.length) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/**
 * An integer. One too large for a number is not rounded: the command fails with `IntegerTooLarge`, which tells it.
 *
 * @category decoders
 * @since 0.1.0
 */
export const int: Decoder<number> = (reply) =>
  typeof reply === "number" && Number.isSafeInteger(reply)
    ? reply
    : typeof reply === "bigint"
    ? tooLarge(reply)
    : notInt

const tooLarge = (integer: bigint): Mismatch => new Mismatch("a safe integer", true, integer)

/**
 * An integer of whatever size.
 *
 * @category decoders
 * @since 0.1.0
 */
export const bigint: Decoder<bigint> = (reply) =>
  typeof reply === "bigint" ? reply : typeof reply === "number" && Number.isSafeInteger(reply) ? BigInt(reply) : notInt

/**
 * A number that the server answers as a text: `"3.5"`, `"inf"`.
 *
 * @category decoders
 * @since 0.1.0
 */
export const float: Decoder<number> = (reply) => {
  if (typeof reply === "number" || typeof reply === "bigint") return Number(reply)
  const written = text(reply)
  if (written instanceof Mismatch || written === "") return notNumber
  if (written === "inf") return Infinity
  if (written === "-inf") return -Infinity
  const value = Number(written)
  return Number.isNaN(value) ? notNumber : value
}

/**
 * 1 and 0 as true and false.
 *
 * @category decoders
 * @since 0.1.0
 */
export const flag: Decoder<boolean> = (reply) =>
  reply === 1 || reply === true ? true : reply === 0 || reply === false ? false : notFlag

/**
 * `OK`, which tells nothing more.
 *
 * @category decoders
 * @since 0.1.0
 */
export const ok: Decoder<void> = (reply) => isOk(reply) ? undefined : notOk

/**
 * Whatever another decoder reads, as something else.
 *
 * @category decoders
 * @since 0.1.0
 */
export const map = <A, B>(decode: Decoder<A>, f: (a: A) => B): Decoder<B> =>
  AsText.like(decode, (reply: RawReply) => {
    const value = decode(reply)
    return value instanceof Mismatch ? value : f(value)
  })

/**
 * `undefined` where the server answers null.
 *
 * @category decoders
 * @since 0.1.0
 */
export const orUndefined = <A>(decode: Decoder<A>): Decoder<A | undefined> =>
  AsText.like(decode, (reply: RawReply) => reply === null ? undefined : decode(reply))

/**
 * A list.
 *
 * @category decoders
 * @since 0.1.0
 */
export const list = <A>(decode: Decoder<A>): Decoder<ReadonlyArray<A>> => (reply) => {
  if (!isList(reply)) return notList
  const values: Array<A> = []
  for (const item of reply) {
    const value = decode(item)
    if (value instanceof Mismatch) return value
    values.push(value)
  }
  return values
}

/**
 * A list of two.
 *
 * @category decoders
 * @since 0.1.0
 */
export const pair = <A, B>(first: Decoder<A>, second: Decoder<B>): Decoder<readonly [A, B]> => (reply) => {
  if (!isList(reply) || reply.length !== 2) return notPair
  const a = first(reply[0]!)
  if (a instanceof Mismatch) return a
  const b = second(reply[1]!)
  return b instanceof Mismatch ? b : [a, b]
}

/**
 * Names and values one after the other, as a list of pairs.
 *
 * @category decoders
 * @since 0.1.0
 */
export const pairs = <A, B>(first: Decoder<A>, second: Decoder<B>): Decoder<ReadonlyArray<readonly [A, B]>> => {
  const nested = list(pair(first, second))
  return (reply) => {
    if (!isList(reply) || reply.length === 0) return nested(reply)
    if (isList(reply[0]!)) return nested(reply)
    if (reply.length % 2 !== 0) return notPairs
    return nested(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i]!, reply[2 * i + 1]!]))
  }
}

/**
 * Names and values one after the other, as an object without a prototype.
 *
 * @category decoders
 * @since 0.1.0
 */
export const record = <A>(decode: Decoder<A>): Decoder<Readonly<Record<string, A>>> =>
  map(pairs(text, decode), (entries) => {
    const result: Record<string, A> = Object.create(null)
    for (const [name, value] of entries) result[name] = value
    return result
  })

/**
 * Whatever the answer is, with its texts decoded.
 *
 * @category decoders
 * @since 0.1.0
 */
export const any: Decoder<Reply> = (reply) => {
  if (Buffer.isBuffer(reply)) return textOf(reply)
  if (isList(reply)) return list(any)(reply)
  if (typeof reply === "bigint") return String(reply)
  return reply instanceof Error ? notSuccess : reply
}

/**
 * Whatever the answer is, as it came.
 *
 * @category decoders
 * @since 0.1.0
 */
export const raw: Decoder<RawReply> = (reply) => reply

/** No answer is more common, so its bytes are compared and not made a text. */
const isOk = (reply: RawReply): boolean =>
  Buffer.isBuffer(reply) ? reply.length === 2 && reply[0] === letterO && reply[1] === letterK : reply === "OK"

const letterO = 79
const letterK = 75

const notUtf8 = new Mismatch(
  "a text in UTF-8: read it as bytes, with getBuffer, scanBuffer or RedisCommand.bytes",
  true
)
const notText = new Mismatch("a text")
const notInt = new Mismatch("a safe integer")
const notNumber = new Mismatch("a number")
const notFlag = new Mismatch("0 or 1")
const notOk = new Mismatch("OK")
const notList = new Mismatch("a list")
const notPair = new Mismatch("a pair")
const notPairs = new Mismatch("a list of pairs")
const notSuccess = new Mismatch("free of errors")

const isList = (reply: RawReply): reply is ReadonlyArray<RawReply> => Array.isArray(reply)
