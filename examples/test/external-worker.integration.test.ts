import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, FileSystem, Layer, Scope } from "effect"
import type { RateLimiter } from "effect/persistence"
import { rate, search, Searchers } from "../external-worker/Searchers.ts"
import { allMeetTheBreaker, eventually, isBreakerOpen, limits, quick, run } from "./external-support.ts"

const endless = /^(\w+\w*)+!$/

/** Runs a test with a list of words and a pool of threads over it, of which none may be left. */
const withSearchers = <A, E>(
  test: (list: string) => Effect.Effect<A, E, Searchers | RateLimiter.RateLimiter | FileSystem.FileSystem>,
  options: Parameters<typeof Searchers.over>[1] = {}
) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const list = `${yield* files.makeTempDirectoryScoped()}/words`
    yield* files.writeFileString(list, "apple\npear\nsupercalifragilisticexpialidocious")
    const scope = yield* Scope.make()
    const threads = Searchers.over(list, { ...quick, maxConnections: 2, ...options })
    const context = yield* Layer.buildWithScope(Layer.merge(threads, limits), scope)
    const exit = yield* Effect.exit(Effect.provideContext(test(list), context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Searchers).stats
    assert.strictEqual(counts.opened - counts.closed, 0)
    return yield* exit
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("external-worker", () => {
  it.live("searches share two threads", () =>
    withSearchers(() =>
      Effect.gen(function*() {
        const users = Array.from({ length: 20 }, (_, n) => search(`user${n}`, /^p/, "5 seconds"))
        const found = yield* Effect.all(users, { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(found.flat()), new Set(["pear"]))
        assert.isAtMost((yield* Searchers.stats).counts.opened, 2)
      })
    ))

  it.live("a search that never ends is stopped with its thread, and another takes its place", () =>
    withSearchers(() =>
      Effect.gen(function*() {
        const late = yield* Effect.flip(search("mallory", endless, "200 millis"))
        assert.strictEqual(late._tag, "TimeoutError")
        const fiber = yield* Effect.forkChild(search("mallory", endless, "1 minute"), { startImmediately: true })
        yield* eventually("it runs", Effect.map(Searchers.stats, ({ used }) => used === 1))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* search("ada", /^a/, "5 seconds"), ["apple"])
        assert.strictEqual((yield* Searchers.stats).counts.retired.broken, 2)
      }), { maxConnections: 1 }))

  it.live("a time limit inside the lease costs the thread as well", () =>
    withSearchers(() =>
      Effect.gen(function*() {
        yield* Effect.flip(Searchers.withConnection((searcher) => Effect.timeout(searcher.search(endless), 200)))
        assert.strictEqual((yield* Searchers.stats).counts.retired.broken, 1)
      })
    ))

  it.live("each user has a limit of their own", () =>
    withSearchers(() =>
      Effect.gen(function*() {
        const greedy = Array.from({ length: rate.limit + 3 }, () => Effect.exit(search("mallory", /a/, "5 seconds")))
        const exits = yield* Effect.all(greedy, { concurrency: "unbounded" })
        assert.strictEqual(exits.filter(Exit.isFailure).length, 3)
        yield* search("ada", /a/, "5 seconds")
      })
    ))

  it.live("threads that can't start are not tried while the breaker is open, and start when they can", () =>
    withSearchers((list) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        yield* files.rename(list, `${list}.lost`)
        for (const { id } of yield* Searchers.connections) yield* Searchers.retire(id)
        const call = Searchers.withConnection((searcher) => searcher.search(/a/))
        yield* eventually("the breaker is open", Effect.map(Effect.flip(call), isBreakerOpen))
        const { failedToOpen } = (yield* Searchers.stats).counts
        assert.isTrue(yield* allMeetTheBreaker(call))
        assert.strictEqual((yield* Searchers.stats).counts.failedToOpen, failedToOpen)
        yield* files.rename(`${list}.lost`, list)
        yield* eventually("the pool has found it", Effect.map(Searchers.stats, ({ idle }) => idle === 1))
        assert.deepStrictEqual(yield* call, ["apple", "pear", "supercalifragilisticexpialidocious"])
      })
    ))

  it.live("the program ends by itself", () =>
    Effect.gen(function*() {
      const output = yield* run("external-worker")
      assert.include(output, "1 thread was stopped")
      assert.include(output, "0 left running")
    }))
})
