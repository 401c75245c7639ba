/**
 * Gives each answer of a server to the request that it belongs to, and tells of messages.
 *
 * It takes the place of what ioredis reads with, which trusts the server: there a null that nobody asked for ends the
 * process, and a list reserves the memory that its length asks for.
 */
import type { RawReply } from "../RedisCommand.ts"
import type { Batch } from "./batch.ts"
import type { Request } from "./request.ts"
import type { RequestQueue } from "./requestQueue.ts"
import { Parser } from "./resp.ts"
import type { SubscriptionKind, Subscriptions } from "./subscriptions.ts"
import type { Redis } from "ioredis"

/** A connection to a server, as its reader needs it. */
interface Read {
  readonly redis: Redis
  readonly batch: Batch
  readonly unanswered: RequestQueue
  readonly subscriptions: Subscriptions
  readonly destroy: (cause: Error) => void
}

const unasked = "the server gave an answer that nobody asked for"
const misshapen = "the server gave an answer that no subscription has"

/** Reads in place of ioredis from now on. */
export const attach = (node: Read, maxReplySize: number): void => {
  const reader = new Reader(node)
  const parser = new Parser(maxReplySize, (reply) => reader.take(reply), () => reader.wantsText)
  const { stream } = node.redis
  stream.removeAllListeners("data")
  stream.on("data", (chunk: Buffer) => {
    const { batch, unanswered } = node
    batch.hold(unanswered.size)
    let fault = reader.isExpecting ? parser.write(chunk) : unasked
    // An answer that begins before its request would be taken for that of the next request.
    if (parser.isInside && !reader.isExpecting) fault ??= unasked
    if (fault !== undefined) node.destroy(new Error(fault))
    // A chunk ends one large answer or none. With a write for each, the kernel would take longer than the reading.
    if (chunk.length >= fullChunk && reader.isExpecting) batch.releaseLater()
    else batch.release()
  })
}

/** Bytes that a socket is read into at once: behind a chunk of this size more are waiting. */
const fullChunk = 65_536

class Reader {
  private readonly node: Read
  /** How many answers the first request has still to get; 0 if it got none yet. */
  private left = 0

  constructor(node: Read) {
    this.node = node
  }

  get isExpecting(): boolean {
    return this.awaited !== undefined || this.isListening
  }

  /** Whether a text is as good as its bytes for the answer that comes next. */
  get wantsText(): boolean {
    return this.awaited?.wantsText === true
  }

  private get isListening(): boolean {
    return this.node.subscriptions.isListening
  }

  /** The request whose answer comes next: it was sent, and not just made by somebody who got the answer before. */
  private get awaited(): Request | undefined {
    const request = this.node.unanswered.first
    return request?.isAnswerable === true ? request : undefined
  }

  /** Takes one answer, and says what is wrong with it. */
  take(reply: RawReply): string | undefined {
    const request = this.awaited
    const isSubscribing = request !== undefined && verbs.has(request.name)
    if (reply instanceof Error) return this.refused(reply, request)
    if (this.isListening || isSubscribing) {
      const kind = kindOf(reply)
      if (messages.has(kind)) return this.push(kind, reply as ReadonlyArray<RawReply>)
      if (verbs.has(kind.toUpperCase())) return this.confirmed(kind, reply as ReadonlyArray<RawReply>, request)
      if (isSubscribing) return misshapen
    }
    if (request === undefined) return unasked
    this.node.unanswered.shift()
    request.resolve(reply)
    return undefined
  }

  private refused(error: Error, request: Request | undefined): string | undefined {
    if (request === undefined) return unasked
    this.node.unanswered.shift()
    this.left = 0
    if (request.name === "SSUBSCRIBE" && error.message.startsWith("MOVED ")) this.emit("moved")
    request.reject(error)
    return undefined
  }

  private push(kind: string, items: ReadonlyArray<RawReply>): string | undefined {
    if (items.length !== messages.get(kind) || !items.every(Buffer.isBuffer)) return misshapen
    const [, ...rest] = items
    this.emit(`${kind}Buffer`, ...(kind === "pmessage" ? [String(rest[0]), ...rest.slice(1)] : rest))
    return undefined
  }

  /** One topic more, or one less. */
  private confirmed(verb: string, items: ReadonlyArray<RawReply>, request: Request | undefined): string | undefined {
    const [, topic, count] = items
    const isAnswer = request?.name === verb.toUpperCase()
    // Only a slot that has left the node ends something that nobody asked to end.
    if (!isAnswer && verb !== "sunsubscribe") return unasked
    if (items.length !== 3 || typeof count !== "number") return misshapen
    const before = this.account(verb, topic!)
    if (before === undefined) return misshapen
    if (!isAnswer) {
      this.emit("moved")
      return undefined
    }
    // Without names, it ends all there are, one by one.
    if (this.left === 0) this.left = Math.max(1, request.args.length || before)
    if (--this.left > 0) return undefined
    this.node.unanswered.shift()
    request.resolve(count)
    return undefined
  }

  /** Keeps account of a topic, and tells how many of its kind there were before. */
  private account(verb: string, topic: RawReply): number | undefined {
    const isEnd = verb.includes("unsubscribe")
    const kind = verb.replace("un", "") as SubscriptionKind
    const { subscriptions } = this.node
    const before = subscriptions.of(kind).size
    if (Buffer.isBuffer(topic)) {
      if (isEnd) subscriptions.delete(kind, topic.toString())
      else subscriptions.add(kind, topic.toString())
    } else if (!isEnd || topic !== null) return undefined
    return before
  }

  /** The types know none of these events. */
  private emit(event: string, ...args: ReadonlyArray<unknown>): void {
    this.node.redis.emit(event as "error", ...args)
  }
}

/** How many parts each message has. */
const messages: ReadonlyMap<string, number> = new Map([["message", 3], ["smessage", 3], ["pmessage", 4]])

const verbs: ReadonlySet<string> = new Set([
  "SUBSCRIBE",
  "PSUBSCRIBE",
  "SSUBSCRIBE",
  "UNSUBSCRIBE",
  "PUNSUBSCRIBE",
  "SUNSUBSCRIBE"
])

const kindOf = (reply: RawReply): string => Array.isArray(reply) && Buffer.isBuffer(reply[0]) ? String(reply[0]) : ""
