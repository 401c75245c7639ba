import { ConnectionManager } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Feed, type FeedOptions } from "../src/internal/feed.ts"
import { Db, isolated, managed, pools } from "./support.ts"

const options: FeedOptions = { heartbeat: 15_000, streams: 10, streamBuffer: 1024 * 1024, actions: false }

const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })

/** A client that joins and never reads, and the fiber that must end if it is cut. */
const idleClient = (feed: Feed) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkScoped(
      Effect.scoped(Effect.andThen(feed.join({ lastEventId: undefined, leases: false }), Effect.never)),
      { startImmediately: true }
    )
    yield* settle
    return fiber
  })

/** A hundred events, 6 kB of text. */
const burst = Effect.andThen(Effect.repeat(Effect.andThen(Db.pause, Db.resume), { times: 49 }), settle)

const world = managed(pools().layer, { sampleInterval: "1 hour" }).pipe(Layer.provideMerge(isolated))

describe("the feed", () => {
  it.effect("cuts who lags behind by more than the buffer, and nobody else", () =>
    Effect.gen(function*() {
      const narrow = yield* Feed.make(yield* ConnectionManager, { ...options, streamBuffer: 4096 })
      const wide = yield* Feed.make(yield* ConnectionManager, options)
      const cut = yield* idleClient(narrow)
      const kept = yield* idleClient(wide)
      yield* burst
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(cut)))
      assert.isUndefined(kept.pollUnsafe())
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.effect("tells of a gap where a client has missed more than its buffer holds, and does not cut it", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, { ...options, streamBuffer: 4096 })
      yield* Effect.scoped(Effect.asVoid(feed.join({ lastEventId: undefined, leases: false })))
      yield* burst
      const stream = yield* feed.join({ lastEventId: `${feed.instance}.1`, leases: false })
      const text = yield* Stream.runCollect(Stream.take(Stream.decodeText(stream), 2))
      assert.match(text.join(""), /event: Hello.*event: Gap/s)
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.effect("makes room for another when a client has left", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, { ...options, streams: 1 })
      const client = yield* idleClient(feed)
      assert.isTrue(feed.isFull)
      yield* Fiber.interrupt(client)
      assert.isFalse(feed.isFull)
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.effect("listens to the pools while there is a client, and a minute longer", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, options)
      const read = (lastEventId: string | undefined) =>
        Effect.gen(function*() {
          const texts: Array<string> = []
          const stream = yield* feed.join({ lastEventId, leases: false })
          yield* Effect.forkScoped(
            Stream.runForEach(Stream.decodeText(stream), (text) => Effect.sync(() => texts.push(text))),
            { startImmediately: true }
          )
          yield* Db.pause
          yield* Db.resume
          yield* settle
          return texts.join("")
        }).pipe(Effect.scoped)
      const first = yield* read(undefined)
      const id = /^id: (.*)$/m.exec(first)?.[1]
      assert.include(first, "event: Hello")
      yield* TestClock.adjust("59 seconds")
      const again = yield* read(id)
      // The end of the first pause, and then the second.
      assert.deepStrictEqual(again.match(/"(Paused|Resumed)"/g), ["\"Resumed\"", "\"Paused\"", "\"Resumed\""])
      yield* TestClock.adjust("61 seconds")
      assert.include(yield* read(id), "event: Gap")
    }).pipe(Effect.scoped, Effect.provide(world)))
})
