import type { PoolEvent } from "@effect-pools/core"
import { RedisScript } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Cache } from "./support.ts"

/** A server that answers as the key of a GET says. */
const script = () =>
  RedisScript.make((command, [key]) => {
    if (command === "DEL") return 2
    if (command === "BLPOP") return Effect.delay(Effect.succeed(null), "5 seconds")
    if (command !== "GET" || key === "fine") return "OK"
    return key === "late" ? Effect.delay(Effect.succeed("OK"), "40 millis") : new RedisScript.Failure(String(key))
  })

const ended = Effect.map(Cache.stats, ({ counts }) => counts.operations)

const failing = (...keys: ReadonlyArray<string>) =>
  Effect.forEach(keys, (key) => Effect.flip(Cache.get(key)), { discard: true })

describe("operations", () => {
  it.effect("a command that its caller got wrong is no illness of the pool", () =>
    Effect.gen(function*() {
      yield* Cache.get("fine")
      yield* failing("WRONGTYPE another kind of value", "ERR syntax error", "NOPERM no permissions")
      assert.deepStrictEqual(yield* ended, { success: 1, rejected: 3, failed: 0, interrupted: 0 })
      assert.deepInclude(yield* Cache.health, { status: "healthy", errorRate: 0 })
    }).pipe(Effect.provide(Cache.layerTest(script()))))

  it.effect("one that the server fails for its own sake is", () =>
    Effect.gen(function*() {
      yield* failing("OOM too much", "LOADING its data", "READONLY a replica", "CLUSTERDOWN", "BUSY a script")
      assert.strictEqual((yield* ended).failed, 5)
      const health = yield* Cache.health
      assert.strictEqual(health.errorRate, 1)
      assert.include(health.warnings.map(({ about }) => about), "operations")
    }).pipe(Effect.provide(Cache.layerTest(script()))))

  it.effect("each is told to those who ask, by its name and never with an argument", () =>
    Effect.gen(function*() {
      const seen: Array<PoolEvent.Operated> = []
      yield* Effect.forkChild(
        Stream.runForEach(Cache.eventsWith({ leases: false, operations: true }), (event) =>
          Effect.sync(() => void (event._tag === "Operated" && seen.push(event)))),
        { startImmediately: true }
      )
      const late = yield* Effect.forkChild(Cache.get("late"), { startImmediately: true })
      yield* TestClock.adjust("40 millis")
      yield* Fiber.join(late)
      yield* failing("WRONGTYPE a secret")
      yield* Cache.del("a secret", "another")
      yield* Cache.pipeline((redis) => [redis.set("a secret", "x"), redis.get("fine")])
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(seen.map(({ count, end, kind, status, took }) => [kind, end, status, count, took]), [
        ["GET", "success", undefined, undefined, 40],
        ["GET", "rejected", "WRONGTYPE", undefined, 0],
        ["DEL", "success", undefined, 2, 0],
        ["SET", "success", undefined, undefined, 0],
        ["GET", "success", undefined, undefined, 0]
      ])
      assert.notInclude(JSON.stringify(seen), "secret")
      assert.strictEqual((yield* Cache.stats).avgQueryTime, 8)
      assert.deepInclude((yield* Cache.stats).operations.slowest[0], { kind: "GET", text: "GET", took: 40 })
    }).pipe(Effect.provide(Cache.layerTest(script()))))

  it.effect("what waits for something, and what the pool asks itself, is none of them", () =>
    Effect.gen(function*() {
      const waiting = yield* Effect.forkChild(Cache.blpop(["list"], "5 seconds"), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(waiting)
      const left = yield* Effect.forkChild(Cache.blpop(["list"], "Infinity"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(left)
      assert.deepStrictEqual(yield* ended, { success: 0, rejected: 0, failed: 0, interrupted: 0 })
    }).pipe(Effect.provide(Cache.layerTest(script()))))
})
