import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Inbox } from "../../src/internal/inbox.ts"
import { Message } from "../../src/RedisSubscription.ts"

const message = (bytes: number) => new Message("a", undefined, Buffer.alloc(bytes))

const offered = (sizes: ReadonlyArray<number>, room?: number) =>
  Effect.gen(function*() {
    const inbox = new Inbox([{ kind: "channel", name: "a" }], 100, room)
    inbox.live(0)
    for (const [i, size] of sizes.entries()) inbox.offer(message(size), i)
    const first = yield* inbox.take
    inbox.offer(message(900), 100)
    return [...first, ...(yield* inbox.take)].map((element) =>
      element._tag === "Gap"
        ? `gap of ${element.missed}`
        : element._tag === "Message"
        ? element.bytes.length
        : element._tag
    )
  })

describe("what a slow reader has not read yet", () => {
  it.effect("is bounded by its bytes, the oldest first, and the last message stays", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* offered([400, 500, 600], 1000), ["Subscribed", "gap of 2", 600, 900])
      assert.deepStrictEqual(yield* offered([1, 5000], 1000), ["Subscribed", "gap of 1", 5000, 900])
      assert.deepStrictEqual(yield* offered([400, 600], 1000), ["Subscribed", 400, 600, 900])
      assert.deepStrictEqual(yield* offered([4000, 6000]), ["Subscribed", 4000, 6000, 900])
    }))
})
