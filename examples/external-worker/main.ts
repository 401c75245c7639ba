/**
 * A pool of what one makes oneself: worker threads, which search a list of words by patterns that users give. Work that
 * would block the program runs beside it; a search that never ends is stopped with its thread; and each user has a
 * limit of their own. Then the list of words is lost, so that no thread can start, and comes back.
 *
 * node --conditions=@effect-pools/source examples/external-worker/main.ts
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { search, Searchers } from "./Searchers.ts"

const words = [...Array.from({ length: 20_000 }, (_, n) => `word${n}`), "supercalifragilisticexpialidocious"]

/** It tries all ways to part a word, and of a long one there are more than anybody has time for. */
const endless = /^(\w+\w*)+!$/

const searches = Effect.gen(function*() {
  const found = yield* Effect.forEach(
    Array.from({ length: 40 }, (_, n) => n),
    (n) => search(`user${n % 10}`, new RegExp(`${n}$`)),
    { concurrency: "unbounded" }
  )
  yield* Console.log(`${found.flat().length} words found in ${found.length} searches`)
  const error = yield* Effect.flip(search("mallory", endless, "300 millis"))
  const { counts } = yield* Searchers.stats
  yield* Console.log(`${error._tag}: ${counts.retired.broken} thread was stopped`)
  const refused = yield* Effect.flip(Effect.forever(search("mallory", /0/)))
  yield* Console.log(`${refused._tag}: ${refused.message}`)
})

const outage = Effect.fnUntraced(function*(list: string) {
  const files = yield* FileSystem.FileSystem
  yield* files.rename(list, `${list}.lost`)
  for (const { id } of yield* Searchers.connections) yield* Searchers.retire(id)
  yield* Console.log("-- the list is lost, and no thread can start")
  const attempt = Effect.tap(Effect.flip(search("ada", /0/)), ({ message }) => Console.log(message))
  yield* Effect.repeat(attempt, {
    until: (error) => error._tag === "PoolError" && error.reason._tag === "BreakerOpen"
  })
  yield* files.rename(`${list}.lost`, list)
  yield* Console.log("-- the list is back")
  const found = yield* Effect.retry(search("grace", /0/), { schedule: Schedule.spaced("300 millis"), times: 100 })
  yield* Console.log(`${found.length} words found`)
})

const program = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const list = `${yield* files.makeTempDirectoryScoped()}/words`
  yield* files.writeFileString(list, words.join("\n"))
  const threads = Searchers.over(list, {
    maxConnections: 2,
    retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 2 })),
    breaker: { minimumDials: 3, openDuration: "500 millis" }
  })
  yield* Effect.gen(function*() {
    yield* searches
    yield* outage(list)
    yield* Searchers.drain
    const { counts } = yield* Searchers.stats
    yield* Console.log(`drained: ${counts.opened} threads started, ${counts.opened - counts.closed} left running`)
  }).pipe(Effect.provide(threads))
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory), NodeServices.layer))
)

NodeRuntime.runMain(program)
