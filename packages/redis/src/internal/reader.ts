/**
 * Gives each answer of a server to the request that it belongs to, and tells of messages.
 *
 * It takes the place of what ioredis reads with, which trusts the server: there a null that nobody asked for ends the
 * process, and a list reserves the memory that its length asks for.
 */
import type { Redis } from "ioredis"
import type { RawReply } from "../RedisCommand.ts"
import type { Node } from "./node.ts"
import type { Request } from "./request.ts"
import { Parser } from "./resp.ts"

/** What no public member of ioredis tells. */
interface Internals {
  /** What waits for its answer, oldest first. */
  readonly commandQueue: {
    readonly peekFront: () => { readonly command: Request } | undefined
    readonly shift: () => unknown
  }
  /** What it may send depends on whether the connection listens. */
  readonly condition: { subscriber: false | Subscriptions }
}

type Kind = "subscribe" | "psubscribe" | "ssubscribe"

/** What a connection listens to. */
class Subscriptions {
  private readonly names: Readonly<Record<Kind, Set<string>>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set()
  }

  of(kind: Kind): Set<string> {
    return this.names[kind]
  }

  /** The same as ioredis has it. */
  channels(kind: Kind): ReadonlyArray<string> {
    return Array.from(this.names[kind])
  }

  get isEmpty(): boolean {
    return Object.values(this.names).every((names) => names.size === 0)
  }
}

const unasked = "the server gave an answer that nobody asked for"
const misshapen = "the server gave an answer that no subscription has"

/** Reads in place of ioredis from now on. */
export const attach = (node: Node, maxReplySize: number): void => {
  const reader = new Reader(node.redis)
  const parser = new Parser(maxReplySize, (reply) => reader.take(reply))
  const { stream } = node.redis
  stream.removeAllListeners("data")
  stream.on("data", (chunk: Buffer) => {
    const fault = reader.isExpecting ? parser.write(chunk) : unasked
    if (fault !== undefined) node.destroy(new Error(fault))
  })
}

class Reader {
  private readonly redis: Redis
  private readonly internals: Internals
  private readonly subscriptions = new Subscriptions()
  /** How many answers the first request has still to get; 0 if it got none yet. */
  private left = 0

  constructor(redis: Redis) {
    this.redis = redis
    this.internals = redis as unknown as Internals
  }

  get isExpecting(): boolean {
    return this.awaited !== undefined || this.isListening
  }

  private get isListening(): boolean {
    return this.internals.condition.subscriber !== false
  }

  /** Whose answer comes next: it was sent, and not just made by somebody who got the answer before. */
  private get awaited(): Request | undefined {
    const request = this.internals.commandQueue.peekFront()?.command
    return request?.hasLeft === true ? request : undefined
  }

  /** Takes one answer, and says what is wrong with it. */
  take(reply: RawReply): string | undefined {
    const request = this.awaited
    const isSubscribing = request !== undefined && verbs.has(request.name)
    if (reply instanceof Error) return this.refused(reply, request)
    if (this.isListening || isSubscribing) {
      const kind = kindOf(reply)
      if (messages.has(kind)) return this.push(kind, reply as ReadonlyArray<RawReply>)
      if (verbs.has(kind)) return this.confirmed(kind, reply as ReadonlyArray<RawReply>, request)
      if (isSubscribing) return misshapen
    }
    if (request === undefined) return unasked
    this.internals.commandQueue.shift()
    request.resolve(reply)
    return undefined
  }

  private refused(error: Error, request: Request | undefined): string | undefined {
    if (request === undefined) return unasked
    this.internals.commandQueue.shift()
    this.left = 0
    if (request.name === "ssubscribe" && error.message.startsWith("MOVED ")) this.redis.emit("moved" as "error")
    request.reject(error)
    return undefined
  }

  private push(kind: string, items: ReadonlyArray<RawReply>): string | undefined {
    if (items.length !== messages.get(kind) || !items.every(Buffer.isBuffer)) return misshapen
    const [, ...rest] = items
    this.redis.emit(`${kind}Buffer` as "error", ...(kind === "pmessage" ? [String(rest[0]), ...rest.slice(1)] : rest))
    return undefined
  }

  /** One topic more, or one less. */
  private confirmed(verb: string, items: ReadonlyArray<RawReply>, request: Request | undefined): string | undefined {
    const [, topic, count] = items
    const isAnswer = request?.name === verb
    // Only a slot that has left the node ends something that nobody asked to end.
    if (!isAnswer && verb !== "sunsubscribe") return unasked
    if (items.length !== 3 || typeof count !== "number") return misshapen
    const before = this.account(verb, topic!)
    if (before === undefined) return misshapen
    if (!isAnswer) {
      this.redis.emit("moved" as "error")
      return undefined
    }
    // Without names, it ends all there are, one by one.
    if (this.left === 0) this.left = Math.max(1, request.args.length || before)
    if (--this.left > 0) return undefined
    this.internals.commandQueue.shift()
    request.resolve(count)
    return undefined
  }

  /** Keeps account of a topic, and tells how many of its kind there were before. */
  private account(verb: string, topic: RawReply): number | undefined {
    const isEnd = verb.includes("unsubscribe")
    const names = this.subscriptions.of(verb.replace("un", "") as Kind)
    const before = names.size
    if (Buffer.isBuffer(topic)) {
      if (isEnd) names.delete(topic.toString())
      else names.add(topic.toString())
    } else if (!isEnd || topic !== null) return undefined
    this.internals.condition.subscriber = this.subscriptions.isEmpty ? false : this.subscriptions
    return before
  }
}

/** How many parts each message has. */
const messages: ReadonlyMap<string, number> = new Map([["message", 3], ["smessage", 3], ["pmessage", 4]])

const verbs: ReadonlySet<string> = new Set([
  "subscribe",
  "psubscribe",
  "ssubscribe",
  "unsubscribe",
  "punsubscribe",
  "sunsubscribe"
])

const kindOf = (reply: RawReply): string => Array.isArray(reply) && Buffer.isBuffer(reply[0]) ? String(reply[0]) : ""
