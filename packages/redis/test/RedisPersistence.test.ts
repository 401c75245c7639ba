import type { ConnectionPool } from "@effect-pools/core"
import { type RedisConnector, RedisPersistence } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { Inbox } from "../src/internal/inbox.ts"
import { subscribers } from "../src/internal/subscribe.ts"
import { Message } from "../src/RedisSubscription.ts"

type Pool = ConnectionPool.ConnectionPool<RedisConnector.RedisConnection>

/** A pool that serves nothing but one subscription. */
const poolWith = (inbox: Inbox): Pool => {
  const pool = { name: "cache", acquireWith: () => Effect.never } as unknown as Pool
  return subscribers.attach(pool, { join: () => Effect.succeed(inbox), end: Effect.void })
}

describe("subscribe of the Redis of effect/persistence", () => {
  it.live("begins on a busy channel, whatever has come by then, and loses nothing of it", () =>
    Effect.gen(function*() {
      const inbox = new Inbox([{ kind: "channel", name: "busy" }], 1024)
      inbox.live(0)
      const texts = Array.from({ length: 100 }, (_, n) => String(n))
      for (const text of texts) inbox.offer(new Message("busy", undefined, Buffer.from(text)), 0)
      const queue = yield* RedisPersistence.make(poolWith(inbox)).subscribe("busy").pipe(Effect.timeout("2 seconds"))
      const messages = yield* Effect.replicateEffect(Queue.take(queue), texts.length)
      assert.deepStrictEqual(messages.map(({ message }) => message), texts)
    }).pipe(Effect.scoped))
})
