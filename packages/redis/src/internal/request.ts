/**
 * One command on its way: encoded, sent, and answered.
 *
 * It takes the place of ioredis's own `Command`: it makes no promise and no closures, keeps arguments out of errors, and
 * its answer stays as it came.
 */
import type { RawReply } from "../RedisCommand.ts"
import * as AsText from "./asText.ts"
import type { Batch } from "./batch.ts"

export type EncodedArg = string | Buffer

/** Called once: with an answer, or with the error that took its place. */
export type OnDone = (request: Request, reply: RawReply, error: unknown) => void

/** A line that can be ended at once, with all that was sent on it. */
interface Holder {
  readonly destroy: (cause: Error) => void
}

/** Stands for an error that is a bug of the program, and not an answer: who waits for the answer dies of it. */
export class Defect {
  readonly cause: unknown

  constructor(cause: unknown) {
    this.cause = cause
  }
}

export class Request {
  /** In capitals. */
  readonly name: string
  readonly args: ReadonlyArray<EncodedArg>
  /** Set while it is on its way, by who sends it. */
  onDone: OnDone | undefined
  /** When it is given up, by the session's clock; `Infinity` for one that blocks for ever. */
  deadline = Infinity
  /** When it was begun, by the session's clock. */
  sentAt = 0
  isBlocking = false
  /** Reads its answer, if that is known before it comes. */
  decode: object | undefined = undefined
  /** Whether it is none of the program's operations: the pool's own, or ended since its caller was interrupted. */
  isUntold = false
  wasSent = false
  /** The socket it was sent on. */
  holder: Holder | undefined = undefined
  /** The request that was sent to the same server next. */
  behind: Request | undefined = undefined
  private batch: Batch | undefined = undefined
  private flushes = 0
  /** Asked about an error before it is told: whether it sends the request elsewhere instead. */
  onRedirection: ((error: unknown) => boolean) | undefined = undefined
  redirections = 0

  constructor(name: string, args: ReadonlyArray<EncodedArg>, onDone: OnDone) {
    this.name = name
    this.args = args
    this.onDone = onDone
  }

  /** Has it written to the socket together with others. */
  leaveWith(batch: Batch): void {
    this.wasSent = true
    this.batch = batch
    this.flushes = batch.flushes
    batch.write(encode(this.name, this.args))
  }

  /** Whether it was written to the socket before the answers came that are being read: else none of them is its own. */
  get isAnswerable(): boolean {
    return this.batch !== undefined && this.flushes < this.batch.answerable
  }

  /** Whether a text is as good an answer as its bytes. */
  get wantsText(): boolean {
    return this.decode !== undefined && AsText.has(this.decode)
  }

  resolve(reply: RawReply): void {
    const { onDone } = this
    this.onDone = undefined
    onDone?.(this, reply, undefined)
  }

  reject(error: unknown): void {
    if (this.onDone !== undefined && this.onRedirection?.(error) === true) return
    this.fail(error)
  }

  /** Has it answered with an error, wherever it might be sent. */
  fail(error: unknown): void {
    const { onDone } = this
    this.onDone = undefined
    onDone?.(this, null, error ?? new Error("the command failed"))
  }
}

const encode = (name: string, args: ReadonlyArray<EncodedArg>): string | Buffer => {
  let written = `*${args.length + 1}\r\n$${Buffer.byteLength(name)}\r\n${name}\r\n`
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (typeof arg !== "string") return encodeBytes(written, args, i)
    written += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
  }
  return written
}

const crlf = Buffer.from("\r\n")

/** From the first argument that is bytes, everything is. */
const encodeBytes = (written: string, args: ReadonlyArray<EncodedArg>, from: number): Buffer => {
  const parts: Array<Buffer> = [Buffer.from(written)]
  for (let i = from; i < args.length; i++) {
    const arg = args[i]!
    const bytes = typeof arg === "string" ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, crlf)
  }
  return Buffer.concat(parts)
}
