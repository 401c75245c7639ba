/**
 * Subscriptions of a pool as streams.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
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
    const refused = (reason: InvalidOption): PoolError => new PoolError({ pool: pool.name, reason })
    yield* Effect.mapError(Effect.fromResult(OptionRules.check(rules, options)), refused)
    const topics = Array.from(new Set(typeof names === "string" ? [names] : names), (name) => ({ kind, name }))
    if (topics.length === 0) {
      return yield* refused(new InvalidOption({ option: "channels", rule: "must name at least one" }))
    }
    const { bufferBytes = 16 * 1024 * 1024, bufferSize = 1024 } = options
    const inbox = yield* subscriberOf(pool).join(topics, bufferSize, bufferBytes)
    return Stream.fromPull(Effect.succeed(inbox.take))
  }))

const rules: OptionRules.Rules<SubscribeOptions> = {
  bufferSize: OptionRules.count(1),
  bufferBytes: OptionRules.count(1024)
}
