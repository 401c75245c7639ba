/**
 * Where the connections of one pool meet: who is open, what nobody has leased, and what is counted.
 */
import { steadyMillis } from "@effect-pools/core/TimeLimit"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scheduler from "effect/Scheduler"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Inbound, Traffic } from "../WebSocketInbound.ts"
import * as Codec from "./codec.ts"
import { Inbox } from "./inbox.ts"
import type { ConnectionSettings } from "./settings.ts"
import { Stability } from "./stability.ts"
import { Turn } from "./turn.ts"

const done = Exit.fail(Cause.Done())

/** One reader of `inbound`. */
export class Subscriber<Message> {
  readonly inbox = new Inbox<Inbound<Message>, Cause.Done>()
  /** How many it lost of each connection since it was last told. */
  readonly lost = new Map<number, number>()
}

/** A connection of the pool, as the others meet it. */
interface Member<Message> {
  readonly id: number
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  /** Reads on, if whoever the messages are for has caught up. */
  readonly resume: () => void
}

export class Hub<Message> {
  readonly pool: string
  readonly settings: ConnectionSettings<Message>
  readonly codec: Codec.Codec<Message>
  readonly stability: Stability
  readonly clock: Clock.Clock
  readonly turn: Turn
  readonly counts = { sent: 0, received: 0, undecodable: 0, dropped: 0, unread: 0 }
  /** The connections that are open and can be used. */
  readonly sessions = new Set<Member<Message>>()
  readonly subscribers = new Set<Subscriber<Message>>()
  /** Requests that wait for their replies, on all connections. */
  underWay = 0
  isDraining = false
  private readonly context: Context.Context<never>
  /** Keeps what comes before the first reader, who takes it over. */
  private early: Subscriber<Message> | undefined = new Subscriber()
  private nextSession = 1
  private nextRequest = 1
  private isEnded = false
  private warnedAt = -Infinity

  constructor(pool: string, settings: ConnectionSettings<Message>, context: Context.Context<never>) {
    this.pool = pool
    this.settings = settings
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.turn = new Turn(Context.get(context, Scheduler.Scheduler))
    this.codec = Codec.make(settings.schema)
    this.stability = new Stability(settings)
  }

  /** The monotonic time in milliseconds. */
  now(): number {
    return steadyMillis(this.clock)
  }

  sessionId(): number {
    return this.nextSession++
  }

  /** Never given twice, so that a late reply is nobody's. */
  readonly requestId = (): string => String(this.nextRequest++)

  /** Whether some reader of the pool's messages is so far behind that connections wait for it. */
  isFull(times = 1): boolean {
    for (const { inbox } of this.subscribers) {
      if (inbox.size >= times * this.settings.inboundCapacity) return true
    }
    return false
  }

  subscribe(): Subscriber<Message> {
    const subscriber = this.early ?? new Subscriber<Message>()
    this.early = undefined
    this.subscribers.add(subscriber)
    if (this.isEnded) subscriber.inbox.finish(done)
    return subscriber
  }

  unsubscribe(subscriber: Subscriber<Message>): void {
    this.subscribers.delete(subscriber)
    this.resume()
  }

  /** A reader has taken what waited for it. */
  resume(): void {
    for (const session of this.sessions) session.resume()
  }

  /** Tells the readers of a connection that came or went. There are few of those, so a reader far behind loses the oldest. */
  tell(item: Inbound<Message>): void {
    const most = 2 * this.settings.inboundCapacity
    if (this.early !== undefined) push(this.early, item, most)
    for (const subscriber of this.subscribers) push(subscriber, item, most)
  }

  /** Gives what no borrower claims to all readers, and tells whether its connection must be held, by the policy. */
  deliver(item: Inbound<Message>): "fine" | "full" {
    const { inboundCapacity, inboundPolicy } = this.settings
    if (this.subscribers.size === 0) {
      if (this.early === undefined || push(this.early, item, inboundCapacity)) this.counts.unread++
      return "fine"
    }
    let isFull = false
    for (const subscriber of this.subscribers) {
      if (inboundPolicy === "dropOldest") {
        if (push(subscriber, item, inboundCapacity)) this.dropped(item.connection)
        continue
      }
      // Messages received before the connection was held are still kept.
      subscriber.inbox.push(item)
      if (subscriber.inbox.size >= inboundCapacity) isFull = true
    }
    return isFull ? "full" : "fine"
  }

  dropped(connection: number): void {
    this.counts.dropped++
    this.warn(`messages of connection ${connection} are dropped, since they are not read fast enough (inboundCapacity)`)
  }

  undecodable(connection: number, issue: string): "fine" | "full" {
    this.counts.undecodable++
    this.warn(`a message of connection ${connection} does not fit the schema and is dropped: ${issue}`)
    return this.deliver({ _tag: "Undecodable", connection, issue })
  }

  end(): void {
    this.isEnded = true
    for (const { inbox } of this.subscribers) inbox.finish(done)
  }

  /** Logs what went wrong beside every caller; one line a second is enough. */
  warn(message: string): void {
    const now = this.now()
    if (now < this.warnedAt + 1000) return
    this.warnedAt = now
    Effect.runForkWith(this.context)(Effect.annotateLogs(Effect.logWarning(message), { pool: this.pool }))
  }

  get traffic(): Traffic {
    return { ...this.counts }
  }
}

/** Adds an item; `true` if another had to go for it. */
const push = <Message>({ inbox, lost }: Subscriber<Message>, item: Inbound<Message>, capacity: number): boolean => {
  const oldest = inbox.size >= capacity ? inbox.dropOldest() : undefined
  if (oldest !== undefined) {
    lost.set(oldest.connection, (lost.get(oldest.connection) ?? 0) + 1)
    // Connections come and go while nobody reads: of those long gone nothing is told.
    if (lost.size > capacity) lost.delete(lost.keys().next().value!)
  }
  inbox.push(item)
  return oldest !== undefined
}

export const make = <Message>(pool: string, settings: ConnectionSettings<Message>): Effect.Effect<Hub<Message>> =>
  Effect.map(Effect.context<never>(), (context) => new Hub(pool, settings, context))
