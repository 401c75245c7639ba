/**
 * The subscribers of each topic, and the topics that the server has confirmed on the connection of the moment.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Cause from "effect/Cause"
import type { RedisError } from "../RedisError.ts"
import type { Message } from "../RedisSubscription.ts"
import type { Inbox } from "./inbox.ts"
import { keyOf, type Topic } from "./topic.ts"

interface Wanted {
  readonly topic: Topic
  readonly inboxes: Set<Inbox>
}

export class Registry {
  private readonly inboxes = new Set<Inbox>()
  private readonly wanted = new Map<string, Wanted>()
  private readonly confirmed = new Map<string, Topic>()

  add(inbox: Inbox): void {
    this.inboxes.add(inbox)
    for (const topic of inbox.topics) {
      const key = keyOf(topic)
      const wanted = this.wanted.get(key)
      if (wanted === undefined) this.wanted.set(key, { topic, inboxes: new Set([inbox]) })
      else wanted.inboxes.add(inbox)
    }
  }

  remove(inbox: Inbox): void {
    if (!this.inboxes.delete(inbox)) return
    for (const topic of inbox.topics) {
      const key = keyOf(topic)
      const wanted = this.wanted.get(key)
      wanted?.inboxes.delete(inbox)
      if (wanted?.inboxes.size === 0) this.wanted.delete(key)
    }
  }

  /** Wanted by somebody and not confirmed. */
  missing(): ReadonlyArray<Topic> {
    return Array.from(this.wanted).filter(([key]) => !this.confirmed.has(key)).map(([, { topic }]) => topic)
  }

  /** Confirmed and wanted by nobody any more. */
  surplus(): ReadonlyArray<Topic> {
    return Array.from(this.confirmed).filter(([key]) => !this.wanted.has(key)).map(([, topic]) => topic)
  }

  confirm(topic: Topic): void {
    this.confirmed.set(keyOf(topic), topic)
  }

  forget(topic: Topic): void {
    this.confirmed.delete(keyOf(topic))
  }

  /** Tells those whose topics are all confirmed that they miss nothing from now on. */
  announce(now: number): void {
    for (const inbox of this.inboxes) {
      if (!inbox.isLive && inbox.topics.every((topic) => this.confirmed.has(keyOf(topic)))) inbox.live(now)
    }
  }

  deliver(topic: Topic, message: Message, now: number): void {
    const wanted = this.wanted.get(keyOf(topic))
    if (wanted !== undefined) { for (const inbox of wanted.inboxes) inbox.offer(message, now) }
  }

  /** The server serves a topic no more. Whether it had confirmed it. */
  drop(topic: Topic, now: number): boolean {
    const key = keyOf(topic)
    if (!this.confirmed.delete(key)) return false
    for (const inbox of this.wanted.get(key)?.inboxes ?? []) inbox.lose(now)
    return true
  }

  /** The connection is lost, and with it everything that was confirmed on it. */
  dropAll(now: number): void {
    this.confirmed.clear()
    for (const inbox of this.inboxes) inbox.lose(now)
  }

  /** The server refuses a topic: those who want it get nothing, be it that they want others as well. */
  refuse(topic: Topic, cause: Cause.Cause<RedisError>): void {
    for (const inbox of this.wanted.get(keyOf(topic))?.inboxes ?? []) this.fail(inbox, cause)
  }

  failAll(cause: Cause.Cause<PoolError | RedisError>): void {
    for (const inbox of this.inboxes) this.fail(inbox, cause)
  }

  /** Those who have begun wait for better times. */
  failBeginners(cause: Cause.Cause<PoolError | RedisError>): void {
    for (const inbox of this.inboxes) if (!inbox.hasBegun) this.fail(inbox, cause)
  }

  private fail(inbox: Inbox, cause: Cause.Cause<PoolError | RedisError>): void {
    inbox.fail(cause)
    this.remove(inbox)
  }
}
