/**
 * The inbox of one subscriber: bounded, and honest about the messages that it dropped.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { RedisError } from "../RedisError.ts"
import type { Element, Gap, Message } from "../RedisSubscription.ts"
import type { Topic } from "./topic.ts"

type Waiting = readonly [Element, ...Array<Element>]

export class Inbox {
  readonly topics: ReadonlyArray<Topic>
  /** Whether the server has confirmed all topics, so that nothing is missed. */
  isLive = false
  private readonly size: number
  /** Bytes of messages that may wait. */
  private readonly room: number
  private bytes = 0
  private waiting: Array<Message | Gap> = []
  private subscribedAt: number | undefined
  /** Whether it was ever live. */
  hasBegun = false
  private lostAt: number | undefined
  /** Messages dropped in front of everything that waits. */
  private dropped: Gap | undefined
  private failure: Cause.Cause<PoolError | RedisError> | undefined
  private readonly arrived = Latch.makeUnsafe(false)

  constructor(topics: ReadonlyArray<Topic>, size: number, room: number = Infinity) {
    this.topics = topics
    this.size = size
    this.room = room
  }

  /** All topics are confirmed. */
  live(now: number): void {
    if (this.isLive) return
    this.isLive = true
    if (!this.hasBegun) {
      this.hasBegun = true
      this.subscribedAt = now
    } else {
      this.add(
        { _tag: "Gap", because: "connection", missed: undefined, lostAt: this.lostAt ?? now, resumedAt: now },
        now
      )
    }
    this.arrived.openUnsafe()
  }

  /** A topic is no longer served. */
  lose(now: number): void {
    if (!this.isLive) return
    this.isLive = false
    this.lostAt = now
  }

  /** A message that comes before all topics are confirmed is part of the gap, or of the time before the beginning. */
  offer(message: Message, now: number): void {
    if (!this.isLive) return
    this.add(message, now)
    this.arrived.openUnsafe()
  }

  /** Nothing more will come. What waits is read first. */
  fail(cause: Cause.Cause<PoolError | RedisError>): void {
    this.failure ??= cause
    this.arrived.openUnsafe()
  }

  private add(element: Message | Gap, now: number): void {
    this.bytes += bytesOf(element)
    // The one that came last is kept, whatever its size.
    while (this.waiting.length >= this.size || (this.bytes > this.room && this.waiting.length > 0)) {
      this.drop(this.waiting.shift()!, now)
    }
    this.waiting.push(element)
  }

  private drop(element: Message | Gap, now: number): void {
    this.bytes -= bytesOf(element)
    const { dropped } = this
    const isGap = element._tag === "Gap"
    const lostAt = dropped?.lostAt ?? (isGap ? element.lostAt : now)
    const missed = isGap || (dropped !== undefined && dropped.missed === undefined)
      ? undefined
      : (dropped?.missed ?? 0) + 1
    const because = missed === undefined ? "connection" : "buffer"
    this.dropped = { _tag: "Gap", because, missed, lostAt, resumedAt: now }
  }

  /** Everything that waits, at least one. Messages that arrive together are taken together, at a fraction of the cost. */
  readonly take: Effect.Effect<Waiting, PoolError | RedisError> = Effect.suspend(() => {
    const elements = this.takeNow()
    if (isWaiting(elements)) return Effect.succeed(elements)
    if (this.failure !== undefined) return Effect.failCause(this.failure)
    this.arrived.closeUnsafe()
    return Effect.andThen(Effect.andThen(this.arrived.await, Effect.yieldNow), this.take)
  })

  private takeNow(): ReadonlyArray<Element> {
    const { dropped, subscribedAt, waiting } = this
    const elements: Array<Element> = waiting
    this.waiting = []
    this.bytes = 0
    this.dropped = undefined
    this.subscribedAt = undefined
    if (dropped !== undefined) elements.unshift(dropped)
    if (subscribedAt !== undefined) elements.unshift({ _tag: "Subscribed", at: subscribedAt })
    return elements
  }
}

const bytesOf = (element: Message | Gap): number => element._tag === "Message" ? element.bytes.length : 0

const isWaiting = (elements: ReadonlyArray<Element>): elements is Waiting => elements.length > 0
