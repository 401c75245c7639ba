/**
 * The elements of a subscription: messages, and the gaps where some may be missing.
 *
 * Redis forgets a message when it has sent it, and who is not connected never gets it. So a subscription tells
 * when it began and where it has gaps:
 *
 * ```ts
 * import { RedisPool } from "@effect-pools/redis"
 * import { Effect, Stream } from "effect"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
 *
 * declare const forget: (key: string) => Effect.Effect<void>
 * declare const forgetAll: Effect.Effect<void>
 *
 * // What was changed before the subscription began, or within a gap, nobody told us of.
 * const follow = Stream.runForEach(Cache.subscribe("changed"), (element) =>
 *   element._tag === "Message" ? forget(element.message) : forgetAll
 * )
 * ```
 *
 * Readers that do not care for gaps take `RedisSubscription.messages(Cache.subscribe("changed"))`.
 *
 * @since 0.1.0
 */
import * as Stream from "effect/Stream"

/**
 * The subscription has begun: from here on no message is missed, except where a `Gap` says so. It comes first, once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subscribed {
  readonly _tag: "Subscribed"
  /** Milliseconds since the epoch. */
  readonly at: number
}

/**
 * Somebody published something.
 *
 * @category models
 * @since 0.1.0
 */
export class Message {
  readonly _tag = "Message"
  readonly channel: string
  /** The pattern that the channel matches, where it was a pattern that was subscribed to. */
  readonly pattern: string | undefined
  /** The published bytes, as they came. */
  readonly bytes: Buffer

  constructor(channel: string, pattern: string | undefined, bytes: Buffer) {
    this.channel = channel
    this.pattern = pattern
    this.bytes = bytes
  }

  /** The published bytes, read as UTF-8. */
  get message(): string {
    return this.bytes.toString()
  }
}

/**
 * Messages may be missing here.
 *
 * - `connection`: the connection was lost. What was published until it was replaced is not known.
 * - `buffer`: the reader was slower than the publishers, and the oldest messages were dropped.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gap {
  readonly _tag: "Gap"
  readonly because: "connection" | "buffer"
  /** How many messages were dropped; `undefined` where nobody knows. */
  readonly missed: number | undefined
  /**
   * From when on messages may be missing, in milliseconds since the epoch. For a lost connection this is the last moment
   * at which it was known to be well, since nobody knows when it died.
   */
  readonly lostAt: number
  /** Until when. */
  readonly resumedAt: number
}

/**
 * The elements of a subscription.
 *
 * @category models
 * @since 0.1.0
 */
export type Element = Subscribed | Message | Gap

/**
 * @category models
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /**
   * How many messages may wait for a slow reader, at least 1; beyond that the oldest are dropped and a `Gap` tells how
   * many. Default 1024. Too small: bursts make gaps. Too large: a reader that hangs holds memory.
   */
  readonly bufferSize?: number | undefined
  /**
   * How many bytes of messages may wait for a slow reader, at least 1024; beyond that the oldest are dropped likewise, but
   * never the last. Default 16 MiB. Too small: large messages make gaps. Too large: a reader that hangs holds memory.
   */
  readonly bufferBytes?: number | undefined
}

/**
 * The messages alone: where some are missing is no longer told.
 *
 * @category combinators
 * @since 0.1.0
 */
export const messages = <E, R>(self: Stream.Stream<Element, E, R>): Stream.Stream<Message, E, R> =>
  Stream.filter(self, (element): element is Message => element._tag === "Message")
