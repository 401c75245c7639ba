import { ConnectionManager } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Feed, type FeedOptions, type Subscription } from "../src/internal/feed.ts"
import { Db, isolated, managed, pools } from "./support.ts"

const options: FeedOptions = { heartbeat: 15_000, streams: 10, streamBuffer: 1024 * 1024, actions: false }

const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })

/** A client that joins and never reads, and the fiber that must end if it is cut. */
const idleClient = (feed: Feed) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkScoped(
      Effect.scoped(Effect.andThen(feed.join({ lastEventId: undefined, last: 0, leases: false }), Effect.never)),
      { startImmediately: true }
    )
    yield* settle
    return fiber
  })

/** A hundred events, 6 kB of text. */
const burst = Effect.andThen(Effect.repeat(Effect.andThen(Db.pause, Db.resume), { times: 49 }), settle)

/** Nothing happens by itself. */
const world = managed(pools({ db: { healthCheck: "1 day" }, cache: { healthCheck: "1 day" } }).layer, {
  sampleInterval: "1 hour"
}).pipe(Layer.provideMerge(isolated))

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
      yield* Effect.scoped(Effect.asVoid(feed.join({ lastEventId: undefined, last: 0, leases: false })))
      yield* burst
      const stream = yield* feed.join({ lastEventId: `${feed.instance}.1`, last: 0, leases: false })
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

  it.effect("keeps nobody who joins when it has ended: a client that comes back at once would hold up the server", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, options)
      feed.end()
      const stream = yield* feed.join({ lastEventId: undefined, last: 0, leases: false })
      const reader = yield* Effect.forkScoped(Stream.runDrain(stream))
      yield* settle
      assert.isDefined(reader.pollUnsafe())
      assert.isFalse(feed.isFull)
    }).pipe(Effect.scoped, Effect.provide(world)))

  /** What a client is sent that stays for a moment, in the words of the events. */
  const read = (feed: Feed, subscription: Partial<Subscription>) =>
    Effect.gen(function*() {
      const texts: Array<string> = []
      const stream = yield* feed.join({ lastEventId: undefined, last: 0, leases: false, ...subscription })
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.decodeText(stream), (text) => Effect.sync(() => texts.push(text)))
      )
      yield* settle
      const text = texts.join("")
      return {
        ids: Array.from(text.matchAll(/^id: (.*)$/gm), ([, id]) => id),
        tags: text.match(/Hello|Gap|Paused|Resumed/g)
      }
    }).pipe(Effect.scoped)

  it.effect("keeps what happens while there is no client, for who comes back or comes late", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, options)
      yield* settle
      yield* Db.pause
      yield* Db.resume
      yield* TestClock.adjust("2 minutes")
      yield* Db.pause
      yield* settle
      const late = yield* read(feed, { last: 2 })
      assert.deepStrictEqual(late.tags, ["Hello", "Hello", "Resumed", "Paused"])
      assert.deepStrictEqual((yield* read(feed, { last: 1000 })).ids.length, 3)
      assert.deepStrictEqual((yield* read(feed, {})).ids, [])
      const back = yield* read(feed, { lastEventId: late.ids[0], last: 1000 })
      assert.deepStrictEqual(back.ids, late.ids.slice(1))
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.effect("sends of the latest events no more than the buffer of a client bears", () =>
    Effect.gen(function*() {
      const feed = yield* Feed.make(yield* ConnectionManager, { ...options, streamBuffer: 4096 })
      yield* settle
      yield* burst
      const { ids } = yield* read(feed, { last: 1000 })
      assert.isAbove(ids.length, 10)
      assert.isBelow(ids.length, 100)
      assert.strictEqual(ids.at(-1), `${feed.instance}.100`)
    }).pipe(Effect.scoped, Effect.provide(world)))
})
