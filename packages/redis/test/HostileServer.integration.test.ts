import { type RedisConfig, type RedisSubscription } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Schedule, Stream } from "effect"
import { inspect } from "node:util"
import type * as FakeServer from "./fixtures/fakeServer.ts"
import { Cache, eventually, onFakeServer } from "./support.ts"

const canary = "canary-5d2e"

/** A pool on a fake server, and all that it tells. */
const on = <A, E, R>(
  answers: Readonly<Record<string, FakeServer.Answer>>,
  test: (server: FakeServer.FakeServer, events: ReadonlyArray<unknown>) => Effect.Effect<A, E, R | Cache>,
  options?: RedisConfig.RedisOptions
) =>
  onFakeServer(answers, (server) =>
    Effect.gen(function*() {
      const { events } = yield* Cache
      const told: Array<unknown> = []
      const listening = Stream.runForEach(events, (event) => Effect.sync(() => told.push(event)))
      yield* Effect.forkScoped(listening, { startImmediately: true })
      return yield* test(server, told)
    }), options)

const closed = (times: number) =>
  eventually("it is closed", Effect.map(Cache.stats, ({ counts }) => counts.closed === times))

const mustNotShow = (what: unknown): void => assert.notInclude(inspect(what, { depth: 20, showHidden: true }), canary)

/** Everything a subscription tells. */
const follow = Effect.fnUntraced(function*(channel: string) {
  const told = yield* Queue.unbounded<RedisSubscription.Element>()
  yield* Effect.forkScoped(Stream.runForEach(Cache.subscribe(channel), (element) => Queue.offer(told, element)))
  return Queue.take(told)
})

const subscribed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"

describe("a hostile server", () => {
  for (const unasked of ["$-1\r\n", `+${canary}\r\n`, `-ERR ${canary}\r\n`, "*0\r\n", ">1\r\n$-1\r\n"]) {
    it.live(`can't end the process, nor put anything in a log, by ${JSON.stringify(unasked)} out of the blue`, () =>
      on({ "GET two": `+a\r\n${unasked}` }, (server, events) =>
        Effect.gen(function*() {
          yield* Cache.ping()
          server.say(unasked)
          yield* closed(1)
          assert.strictEqual(yield* Cache.get("two"), "a")
          yield* closed(2)
          assert.strictEqual(yield* Cache.ping(), "PONG")
          mustNotShow(events)
        })))
  }

  it.live("can't begin to answer before it is asked", () =>
    on({ "GET one": "+a\r\n$4\r\nfor", "GET two": "e\r\n" }, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Cache.get("one"), "a")
        const error = yield* Effect.flip(Cache.get("two"))
        assert(error._tag === "RedisError" && error.reason._tag === "ConnectionLost")
      })))

  it.live("can't fill the memory with an answer that nobody asked for", () =>
    on({}, (server) =>
      Effect.gen(function*() {
        yield* Cache.ping()
        server.say("$500000000\r\nbeginning")
        yield* closed(1)
        assert.strictEqual(yield* Cache.ping(), "PONG")
      })))

  for (
    const push of [
      ">1\r\n$-1\r\n+a\r\n",
      ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n",
      "%1\r\n+a\r\n+b\r\n",
      "_\r\n"
    ]
  ) {
    it.live(`can't answer in a protocol that was not asked for: ${JSON.stringify(push)}`, () =>
      on({ "GET a": push }, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Cache.get("a"))
          assert(error._tag === "RedisError" && error.reason._tag === "ConnectionLost")
          assert.include(error.message, "RESP2")
          assert.strictEqual(yield* Cache.ping(), "PONG")
        })))
  }

  for (
    const message of [
      "*1\r\n$-1\r\n",
      "*0\r\n",
      "*3\r\n$7\r\nmessage\r\n$-1\r\n$-1\r\n",
      "*2\r\n$8\r\npmessage\r\n$-1\r\n",
      "*3\r\n$9\r\nsubscribe\r\n$-1\r\n:1\r\n",
      "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n",
      `$-1\r\n`
    ]
  ) {
    it.live(`can't end the process by a message without a form: ${JSON.stringify(message)}`, () =>
      on(
        { "SUBSCRIBE c": subscribed },
        (server) =>
          Effect.gen(function*() {
            const next = yield* follow("c")
            assert.strictEqual((yield* next)._tag, "Subscribed")
            server.say(message)
            assert.strictEqual((yield* next)._tag, "Gap")
            server.say("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n")
            const element = yield* next
            assert.strictEqual(element._tag === "Message" ? element.message : element._tag, "hi")
            assert.strictEqual(server.accepted(), 2)
          }).pipe(Effect.scoped),
        { retry: Schedule.spaced("20 millis") }
      ))
  }

  it.live("can't fill the memory with a message", () =>
    on({ "SUBSCRIBE c": subscribed }, (server) =>
      Effect.gen(function*() {
        const next = yield* follow("c")
        assert.strictEqual((yield* next)._tag, "Subscribed")
        server.say("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$500000000\r\nbeginning")
        assert.strictEqual((yield* next)._tag, "Gap")
      }).pipe(Effect.scoped), { maxReplySize: 65_536 }))

  it.live("can't make a transaction look accepted", () =>
    on({ MULTI: "+OK\r\n", "SET a b": "+OK\r\n", EXEC: "*1\r\n+OK\r\n" }, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Cache.multi((redis) => [redis.set("a", "b")]))
        assert(error._tag === "RedisError" && error.reason._tag === "UnexpectedReply")
        yield* closed(1)
      })))

  it.live("can't fill the memory by taking nothing, while callers give up and others come", () =>
    on({}, (server) =>
      Effect.gen(function*() {
        const value = Buffer.alloc(1024 * 1024, "x")
        yield* Cache.ping()
        server.pause()
        const before = process.memoryUsage().arrayBuffers
        // So many that the connection is never without a caller.
        const caller = Effect.repeat(Effect.timeoutOption(Cache.set("large", value), "20 millis"), { times: 40 })
        yield* Effect.all(
          Array.from({ length: 8 }, (_, i) => Effect.delay(caller, i * 5)),
          { concurrency: "unbounded" }
        )
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 120 * 1024 * 1024)
      }), { commandTimeout: "1 minute" }))

  it.live("a caller that gave up leaves a healthy connection as it was", () =>
    on({ "GET a": (socket) => setTimeout(() => socket.write("$1\r\na\r\n"), 50) }, (server) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Cache.get("a"), { startImmediately: true })
        yield* eventually("it is connected", Effect.sync(() => server.accepted() === 1))
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* Cache.ping(), "PONG")
        assert.strictEqual(server.accepted(), 1)
      })))
})
