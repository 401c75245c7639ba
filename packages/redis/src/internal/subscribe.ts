/**
 * Subscriptions of a pool as streams.
 */
import { InvalidOption, PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import { type Attachment, makeAttachment } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RedisError } from "../RedisError.ts"
import type { Element, SubscribeOptions } from "../RedisSubscription.ts"
import type { Pool } from "./pool.ts"
import type { Subscriber } from "./subscriber.ts"
import type { TopicKind } from "./topic.ts"

/** The subscriber of a pool. */
export const subscribers: Attachment<Subscriber> = makeAttachment("@effect-pools/redis/Subscriber")

export const subscriberOf = (pool: Pool): Subscriber => {
  const subscriber = subscribers.of(pool)
  if (subscriber !== undefined) return subscriber
  throw new PoolMisuse({ pool: pool.name, rule: "subscribe takes a pool that RedisPool has made" })
}

export const stream = (
  pool: Pool,
  kind: TopicKind,
  names: string | ReadonlyArray<string>,
  options: SubscribeOptions = {}
): Stream.Stream<Element, PoolError | RedisError> =>
  Stream.unwrap(Effect.gen(function*() {
    const { bufferBytes = 16 * 1024 * 1024, bufferSize = 1024, ...unknown } = options
    for (const option of Object.keys(unknown)) return yield* refused(pool, option, "is no option of a subscription")
    const topics = Array.from(new Set(typeof names === "string" ? [names] : names), (name) => ({ kind, name }))
    if (topics.length === 0) return yield* refused(pool, "channels", "must name at least one")
    if (!Number.isSafeInteger(bufferSize) || bufferSize < 1) {
      return yield* refused(pool, "bufferSize", `must be an integer of at least 1, got ${bufferSize}`)
    }
    if (!Number.isSafeInteger(bufferBytes) || bufferBytes < 1024) {
      return yield* refused(pool, "bufferBytes", `must be an integer of at least 1024, got ${bufferBytes}`)
    }
    const inbox = yield* subscriberOf(pool).join(topics, bufferSize, bufferBytes)
    return Stream.fromPull(Effect.succeed(inbox.take))
  }))

const refused = (pool: Pool, option: string, rule: string): PoolError =>
  new PoolError({ pool: pool.name, reason: new InvalidOption({ option, rule }) })
