/**
 * Reads what a server answers: the second version of the Redis protocol, from pieces cut anywhere.
 *
 * A server is trusted with nothing. A length reserves no memory, an answer has a limit, lists in lists are no recursion,
 * and whatever is not the protocol to the letter is a fault, since what follows it can't be told apart any more.
 */
import * as ByteChunks from "@effect-pools/core/ByteChunks"
import { type RawReply, text as decodeText } from "../RedisCommand.ts"

/** An error that the server answered. */
class ReplyError extends Error {
  // The name by which errors of the server are known.
  override readonly name = "ReplyError"
}

/** Takes an answer, and says what is wrong with it: then nothing more is read. */
type OnReply = (reply: RawReply) => string | undefined

/** A list that is not complete yet. */
interface Level {
  readonly items: Array<RawReply>
  readonly length: number
  readonly depth: number
  readonly outer: Level | undefined
}

/** No command of the server nests its answer a tenth as deep. */
const maxDepth = 256

/**
 * Bytes of memory that a value has besides those that came for it, its place in a list included, as measured with V8: an
 * answer of twelve million empty texts is one of 36 megabytes on the wire, and of two gigabytes here.
 */
const cost = { nothing: 8, number: 24, list: 80, bytes: 180, error: 400 } as const

/** Bytes of an error that are read: the code and what it is about stand first. */
const mostOfError = 1024

const lineFeed = 10
const carriageReturn = 13
const text = 43 // +
const error = 45 // -
const integer = 58 // :
const bulk = 36 // $
const array = 42 // *
const kinds: ReadonlySet<number> = new Set([text, error, integer, bulk, array])

export class Parser {
  private readonly maxReplySize: number
  private readonly onReply: OnReply
  private readonly wantsText: () => boolean
  private at = 0
  /** Bytes of memory that the answer takes that is being read. */
  private size = 0
  /** The bytes of a bulk that are still to come, with the line break behind it. */
  private missing = 0
  /** The beginning of a line or of a bulk whose end is still to come. */
  private held: Array<Buffer> = []
  private level: Level | undefined
  private fault: string | undefined

  /** `wantsText` tells of the answer that comes next whether a text is as good as its bytes. */
  constructor(maxReplySize: number, onReply: OnReply, wantsText: () => boolean) {
    this.maxReplySize = maxReplySize
    this.onReply = onReply
    this.wantsText = wantsText
  }

  /** Whether an answer has begun whose end is still to come. */
  get isInside(): boolean {
    return this.size > 0
  }

  /** Reads on. Gives what is wrong, if anything is. */
  write(chunk: Buffer): string | undefined {
    this.at = 0
    while (this.at < chunk.length && this.fault === undefined) {
      if (this.missing > 0) this.readBulk(chunk)
      else this.readLine(chunk)
    }
    return this.fault
  }

  private readLine(chunk: Buffer): void {
    const start = this.at
    if (this.held.length === 0 && !kinds.has(chunk[start]!)) return this.fail(malformed)
    let end = start
    while (end < chunk.length && chunk[end] !== lineFeed) end++
    if (end === chunk.length) return this.hold(chunk)
    this.at = end + 1
    if (!this.hasRoom(end + 1 - start)) return
    if (this.held.length === 0) return this.line(chunk, start, end)
    const line = Buffer.concat(this.release(chunk.subarray(start, end + 1)))
    this.line(line, 0, line.length - 1)
  }

  private readBulk(chunk: Buffer): void {
    const start = this.at
    const end = start + this.missing
    if (end > chunk.length) {
      this.missing = end - chunk.length
      return this.hold(chunk)
    }
    this.at = end
    this.missing = 0
    if (!this.hasRoom(end - start)) return
    if (this.held.length === 0) return this.bulk(chunk, start, end)
    const pieces = this.release(chunk.subarray(start, end))
    const isText = this.level === undefined && this.wantsText()
    const bytes = isText ? ByteChunks.joinForNow(pieces) : Buffer.concat(pieces)
    this.bulk(bytes as Buffer, 0, bytes.length, isText)
  }

  private hold(chunk: Buffer): void {
    if (!this.hasRoom(chunk.length - this.at)) return
    this.held.push(chunk.subarray(this.at))
    this.at = chunk.length
  }

  private release(last: Buffer): ReadonlyArray<Buffer> {
    const { held } = this
    held.push(last)
    this.held = []
    return held
  }

  /** Counts bytes, and says whether the answer may have them. */
  private hasRoom(bytes: number): boolean {
    this.size += bytes
    return this.mayGrow(0)
  }

  private mayGrow(bytes: number): boolean {
    if (this.size + bytes <= this.maxReplySize) return true
    this.fail(`an answer is larger than ${this.maxReplySize} bytes (maxReplySize)`)
    return false
  }

  private fail(fault: string): void {
    this.fault ??= fault
    this.held = []
    this.level = undefined
  }

  private bulk(bytes: Buffer, start: number, end: number, isText = false): void {
    if (bytes[end - 2] !== carriageReturn || bytes[end - 1] !== lineFeed) return this.fail(malformed)
    const value = bytes.subarray(start, end - 2)
    this.take(isText ? textOf(value) : value, cost.bytes)
  }

  /** Takes a value that has so many bytes besides those that came. */
  private take(value: RawReply, bytes: number): void {
    if (this.hasRoom(bytes)) this.add(value)
  }

  private line(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd - 1
    if (bytes[end] !== carriageReturn) return this.fail(malformed)
    switch (bytes[start]) {
      case text:
        return this.take(bytes.subarray(start + 1, end), cost.bytes)
      case error:
        return this.take(
          new ReplyError(bytes.toString("utf8", start + 1, Math.min(end, start + 1 + mostOfError))),
          cost.error
        )
    }
    const value = integerOf(bytes, start + 1, end)
    if (value === undefined) return this.fail(malformed)
    switch (bytes[start]) {
      case integer:
        return this.take(value, cost.number)
      case bulk:
        if (value === -1) return this.take(null, cost.nothing)
        if (this.isLength(value, 1)) this.missing = value + 2
        return
      case array:
        if (value === -1) return this.take(null, cost.nothing)
        if (this.isLength(value, cost.nothing)) this.open(value)
        return
      default:
        return this.fail(malformed)
    }
  }

  /** An answer that announces too great a length is not waited for. */
  private isLength(value: number | bigint, each: number): value is number {
    if (typeof value === "number" && value >= 0) return this.mayGrow(value * each)
    this.fail(malformed)
    return false
  }

  private open(length: number): void {
    if (!this.hasRoom(cost.list)) return
    if (length === 0) return this.add([])
    const depth = (this.level?.depth ?? 0) + 1
    if (depth > maxDepth) return this.fail("an answer has lists in lists without end")
    this.level = { items: [], length, depth, outer: this.level }
  }

  /** Adds a value to the list that it belongs to. One that belongs to none is the answer. */
  private add(value: RawReply): void {
    let reply = value
    for (let level = this.level; level !== undefined; level = level.outer) {
      level.items.push(reply)
      if (level.items.length < level.length) return void (this.level = level)
      reply = level.items
    }
    this.level = undefined
    this.size = 0
    const fault = this.onReply(reply)
    if (fault !== undefined) this.fail(fault)
  }
}

const malformed = "the server does not keep to the protocol (RESP2)"

/** A text that is none in UTF-8 stays as it came, for whoever reads it to tell. */
const textOf = (bytes: Buffer): RawReply => {
  const read = decodeText(bytes)
  return typeof read === "string" ? read : Buffer.from(bytes)
}

/** The integer that is written there; `undefined` if none is. One too large for a number is not rounded. */
const integerOf = (bytes: Buffer, start: number, end: number): number | bigint | undefined => {
  const isNegative = bytes[start] === error
  const first = isNegative || bytes[start] === text ? start + 1 : start
  if (first >= end || end - first > 20) return undefined
  let value = 0
  for (let i = first; i < end; i++) {
    const digit = bytes[i]! - 48
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  if (value > Number.MAX_SAFE_INTEGER) return BigInt(bytes.toString("latin1", isNegative ? start : first, end))
  return isNegative ? -value : value
}
