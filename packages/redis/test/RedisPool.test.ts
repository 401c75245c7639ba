import type { PoolError } from "@effect-pools/core/PoolError"
import { RedisCommand, type RedisError, RedisPool, RedisScript } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Cache, misuseOf } from "./support.ts"

class Other extends RedisPool.Service<Other>()("app/Other") {}

/** A server with nothing but strings. */
const strings = (): RedisScript.ScriptInput => {
  const values = new Map<string, RedisScript.SentArg>()
  return (command, [key, value]) => {
    switch (command) {
      case "GET":
        return values.get(String(key)) ?? null
      case "SET":
        values.set(String(key), value!)
        return "OK"
      case "INCR": {
        const next = Number(values.get(String(key)) ?? 0) + 1
        if (Number.isNaN(next)) return RedisScript.failure("ERR", "value is not an integer or out of range")
        values.set(String(key), String(next))
        return next
      }
      default:
        return undefined
    }
  }
}

const codeOf = (error: RedisError.RedisError): string =>
  error.reason._tag === "CommandFailed" ? error.reason.code : error.reason._tag

describe("layerTest", () => {
  it.effect("answers commands by a function, and records them", () => {
    const script = RedisScript.make(strings())
    return Effect.gen(function*() {
      yield* Cache.set("a", 1)
      assert.strictEqual(yield* Cache.get("a"), "1")
      assert.deepStrictEqual(yield* Cache.pipeline((redis) => [redis.incr("a"), redis.get("none")]), [
        Result.succeed(2),
        Result.succeed(undefined)
      ])
      assert.deepStrictEqual(script.commands, [
        { connection: 1, command: "SET", args: ["a", "1"] },
        { connection: 1, command: "GET", args: ["a"] },
        { connection: 1, command: "INCR", args: ["a"] },
        { connection: 1, command: "GET", args: ["none"] }
      ])
    }).pipe(Effect.provide(Cache.layerTest(script)))
  })

  it.effect("answers with errors of the server", () =>
    Effect.gen(function*() {
      yield* Cache.set("a", "x")
      const error = yield* Effect.flip(Cache.incr("a"))
      assert.isTrue(error._tag === "RedisError" && codeOf(error) === "ERR")
      assert.strictEqual(error.message, "INCR: ERR value is not an integer or out of range")
    }).pipe(Effect.provide(Cache.layerTest(strings()))))

  it.effect("answers by effects, such as those of another client", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Cache.get("slow"), "later")
      const error = yield* Effect.flip(Cache.get("bad"))
      assert.isTrue(error._tag === "RedisError" && codeOf(error) === "OOM")
    }).pipe(Effect.provide(Cache.layerTest((_, [key]) =>
      key === "slow" ? Effect.delay(Effect.succeed("later"), 0) : Effect.fail(RedisScript.failure("OOM", "no room"))
    ))))

  it.effect("a command without an answer is a defect, and so is a script that throws", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.del("a"))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.pipeline((redis) => [redis.del("a")]))))
      assert.isTrue(yield* Cache.set("a", "1"))
    }).pipe(Effect.provide(Cache.layerTest(strings()))))

  it.effect("keeps the commands of a transaction until EXEC", () => {
    const script = RedisScript.make(strings())
    return Effect.gen(function*() {
      yield* Cache.set("text", "x")
      const [a, text] = yield* Cache.multi((redis) => [redis.incr("a"), redis.incr("text")])
      assert.deepStrictEqual(a, Result.succeed(1))
      assert.isTrue(Result.isFailure(text) && codeOf(text.failure) === "ERR")
      assert.deepStrictEqual(script.commands.map(({ command }) => command), ["SET", "MULTI", "INCR", "INCR", "EXEC"])
      const error = yield* Effect.flip(Cache.withConnection((redis) => redis.command("EXEC")))
      assert.strictEqual(error.message, "EXEC: ERR EXEC without MULTI")
    }).pipe(Effect.provide(Cache.layerTest(script)))
  })

  it.effect("an open transaction is discarded at the end of its lease", () => {
    const script = RedisScript.make(strings())
    return Effect.gen(function*() {
      yield* Cache.withConnection((redis) => Effect.andThen(redis.command("MULTI"), redis.command("SET", "a", "1")))
      assert.strictEqual(yield* Cache.get("a"), undefined)
      assert.deepStrictEqual(script.commands.map(({ command }) => command), ["MULTI", "SET", "DISCARD", "GET"])
    }).pipe(Effect.provide(Cache.layerTest(script)))
  })
})

describe("a connection", () => {
  it.effect("ends with its lease", () =>
    Effect.gen(function*() {
      const kept = yield* Cache.withConnection(Effect.succeed)
      assert.include(misuseOf(yield* Effect.exit(kept.get("a"))) ?? "", "after its lease ended")
      const scanned = yield* Effect.exit(Stream.runDrain(kept.scan()))
      assert.include(misuseOf(scanned) ?? "", "after its lease ended")
    }).pipe(Effect.provide(Cache.layerTest(strings()))))

  it.effect("of a command that blocks is its own", () => {
    const script = RedisScript.make((command) => command === "BLPOP" ? Effect.never : "x")
    return Effect.gen(function*() {
      const waiting = yield* Effect.forkChild(Cache.blpop(["a"], "Infinity"), { startImmediately: true })
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* Cache.get("a"), "x")
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(script.commands.map(({ connection }) => connection), [1, 2])
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(Cache.layerTest(script)))
  })

  it.effect("of a command that blocks is given up when its own timeout is over and commandTimeout besides", () =>
    Effect.gen(function*() {
      const waiting = yield* Effect.forkChild(Effect.flip(Cache.blpop(["a"], "5 seconds")), { startImmediately: true })
      yield* TestClock.adjust("14999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(waiting)).message, "BLPOP: no answer came within 10000 ms (commandTimeout)")
    }).pipe(Effect.provide(Cache.layerTest(() => Effect.never))))

  it.effect("is given up when an answer does not come within commandTimeout, and only then", () => {
    let isSlow = true
    const script = RedisScript.make(() => isSlow ? Effect.never : "x")
    return Effect.gen(function*() {
      const slow = yield* Effect.forkChild(Effect.flip(Cache.get("a")), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(slow)
      assert.strictEqual(error.message, "GET: no answer came within 10000 ms (commandTimeout)")
      assert.isTrue(error.isRetryable)
      isSlow = false
      assert.strictEqual(yield* Cache.get("a"), "x")
      assert.strictEqual(script.commands.at(-1)?.connection, 2)
      // Later ones have their own time, however long the connection has been in use.
      yield* TestClock.adjust("9 seconds")
      isSlow = true
      const other = yield* Effect.forkChild(Effect.flip(Cache.get("b")), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(other.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(other))._tag, "RedisError")
    }).pipe(Effect.provide(Cache.layerTest(script)))
  })

  it.effect("an argument that is neither text, number nor bytes is a defect", () =>
    Effect.gen(function*() {
      const bad = { secret: 1 } as unknown as string
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.set("a", bad))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.set("a", "1", { ttl: "0 millis" }))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.command("two words"))))
      assert.isTrue(yield* Cache.set("a", 12n))
    }).pipe(Effect.provide(Cache.layerTest(strings()))))

  it.effect("a decoder that throws is a defect of who runs it, and of nobody else", () =>
    Effect.gen(function*() {
      const bad = RedisCommand.make("GET", ["a"], (): string => {
        throw new Error("a bug")
      })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.run(bad))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Cache.pipeline([bad]))))
      assert.isUndefined(yield* Cache.get("a"))
    }).pipe(Effect.provide(Cache.layerTest(strings()))))
})

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const isType = <T extends true>(is: T): void => assert.isTrue(is)
type Outcome<A> = Result.Result<A, RedisError.RedisError>

describe("types", () => {
  it("results are inferred for each command, and services and errors for each call", () => {
    const piped = Cache.pipeline((redis) => [redis.get("a"), redis.incr("b")])
    isType<Equal<Effect.Success<typeof piped>, readonly [Outcome<string | undefined>, Outcome<number>]>>(true)
    isType<Equal<Effect.Services<typeof piped>, Cache>>(true)
    isType<Equal<Effect.Error<typeof piped>, PoolError>>(true)
    const own = RedisCommand.make("X", [], RedisCommand.flag)
    const transaction = Cache.withConnection((redis) => redis.multi([own]))
    isType<Equal<Effect.Success<typeof transaction>, readonly [Outcome<boolean>]>>(true)
    isType<Equal<Effect.Error<typeof transaction>, PoolError | RedisError.RedisError>>(true)
    const got = Cache.get("a")
    isType<Equal<typeof got, Effect.Effect<string | undefined, PoolError | RedisError.RedisError, Cache>>>(true)
    const missing = Effect.provide(got, Other.layerTest(strings()))
    isType<Equal<Effect.Services<typeof missing>, Cache>>(true)
  })
})
