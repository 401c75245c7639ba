import { RedisCommand } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { Batch } from "../src/internal/batch.ts"
import { Request } from "../src/internal/request.ts"
import { Cache, misuseOf } from "./support.ts"

const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it succeeded")

describe("the mistakes of a caller", () => {
  it("a name of several words, or of other letters than Redis has, is refused", () => {
    for (const name of ["CLIENT LIST", "GET\r\n", "GÉT", ""]) {
      assert.throws(() => RedisCommand.make(name, [], RedisCommand.any), "one word")
    }
  })

  it.effect("a command made by hand, with a name that would be one more on the wire, is not sent", () =>
    Effect.gen(function*() {
      const smuggled = { name: `${"É".repeat(20)}\r\n*1\r\n$8\r\nFLUSHALL`, args: [], decode: RedisCommand.raw }
      for (
        const effect of [
          Cache.run(smuggled),
          Cache.pipeline([smuggled]),
          Cache.multi([smuggled]),
          Cache.withConnection((redis) => redis.run(smuggled)),
          Cache.withConnection((redis) => redis.pipeline([smuggled]))
        ]
      ) assert.include(yield* defectOf<unknown, unknown, Cache>(effect), "one word")
      // Nor does one in small letters pass for one that does nothing to its connection.
      const select = { name: "select", args: ["1"], decode: RedisCommand.ok }
      assert.include(misuseOf(yield* Effect.exit(Cache.run(select))), "SELECT has an effect only on")
    }).pipe(Effect.provide(Cache.layerTest(() => "OK"))))

  it("the length of a name on the wire is that of its bytes", () => {
    const written: Array<string> = []
    const socket = { writable: true, write: (chunk: string) => void written.push(chunk) }
    const batch = new Batch(() => socket as never)
    new Request("GÉT", ["é"], () => {}).leaveWith(batch)
    batch.release()
    assert.deepStrictEqual(written, ["*2\r\n$4\r\nGÉT\r\n$2\r\né\r\n"])
  })

  it.effect("an option of another client is refused, and not left out", () =>
    Effect.gen(function*() {
      const ex = { EX: 10 } as object
      for (
        const effect of [
          Cache.set("a", "b", ex),
          Cache.zadd("z", [["m", 1]], ex),
          Cache.zrange("z", 0, -1, ex),
          Cache.xadd("x", { a: 1 }, ex),
          Cache.xread({ x: "0" }, ex)
        ]
      ) assert.include(yield* defectOf<unknown, unknown, Cache>(effect), "EX is not an option here")
    }).pipe(Effect.provide(Cache.layerTest(() => "OK"))))

  it.effect("a wait of nothing, which would be a wait for ever or a busy loop, is refused", () =>
    Effect.gen(function*() {
      for (const timeout of [0 as never, -1 as never, "0 millis", { milliseconds: -1 }] as const) {
        assert.include(yield* defectOf(Cache.blpop(["a"], timeout)), "at least 1 millisecond")
        assert.include(yield* defectOf(Cache.xread({ a: "$" }, { block: timeout })), "at least 1 millisecond")
        assert.include(yield* defectOf(Cache.set("a", "b", { ttl: timeout })), "at least 1 millisecond")
      }
    }).pipe(Effect.provide(Cache.layerTest(() => null))))

  it.effect("a duration without a unit is refused, with both spellings", () =>
    Effect.gen(function*() {
      const bare = 60 as never
      for (
        const effect of [
          Cache.set("a", "b", { ttl: bare }),
          Cache.setGet("a", "b", { ttl: bare }),
          Cache.expire("a", bare),
          Cache.getEx("a", bare),
          Cache.blpop(["a"], bare),
          Cache.blmove("a", "b", "LEFT", "RIGHT", bare),
          Cache.bzpopMin(["a"], bare),
          Cache.xread({ a: "$" }, { block: bare }),
          Cache.xautoClaim("a", "g", "m", bare, "0")
        ]
      ) {
        const told = yield* defectOf<unknown, unknown, Cache>(effect)
        assert.include(told, `"60 seconds"`)
        assert.include(told, `"60 millis"`)
      }
      assert.isTrue(yield* Cache.set("a", "b", { ttl: { seconds: 60 } }))
    }).pipe(Effect.provide(Cache.layerTest((_, args) => args.includes("PX") ? "OK" : null))))

  it.effect("an effect in place of a command is told from one", () =>
    Effect.gen(function*() {
      const effects = [Cache.get("a")] as never
      assert.include(yield* defectOf(Cache.pipeline(effects)), "redis.get(")
      assert.include(yield* defectOf(Cache.multi(effects)), "redis.get(")
      assert.include(yield* defectOf(Cache.withConnection((redis) => redis.pipeline(effects))), "redis.get(")
    }).pipe(Effect.provide(Cache.layerTest(() => null))))

  it.effect("a transaction within a transaction is refused, and so is one that ends by itself", () =>
    Effect.gen(function*() {
      const nested = Cache.withConnection((redis) =>
        Effect.andThen(redis.command("MULTI"), redis.multi((redis) => [redis.get("a")]))
      )
      assert.include(misuseOf(yield* Effect.exit(nested)), "MULTI had begun")
      for (const name of ["MULTI", "EXEC", "DISCARD"]) {
        const exit = yield* Effect.exit(Cache.multi((redis) => [redis.get("a"), redis.command(name)]))
        assert.include(misuseOf(exit), `${name} can't be a part of multi`)
      }
    }).pipe(Effect.provide(Cache.layerTest(() => null))))

  it.effect("a command that only prepares others is refused where none can follow", () =>
    Effect.gen(function*() {
      for (const name of ["WATCH", "UNWATCH", "SELECT", "MULTI", "MONITOR", "AUTH", "SUBSCRIBE", "RESET"]) {
        assert.include(misuseOf(yield* Effect.exit(Cache.command(name, "a"))), "withConnection")
      }
      assert.include(misuseOf(yield* Effect.exit(Cache.command("SUBSCRIBE", "a"))), "use subscribe")
      // However its name is written.
      const select = RedisCommand.make("select", [1], RedisCommand.ok)
      assert.include(misuseOf(yield* Effect.exit(Cache.run(select))), "SELECT has an effect only on")
      assert.strictEqual(yield* Cache.command("CLIENT", "LIST"), "OK")
    }).pipe(Effect.provide(Cache.layerTest(() => "OK"))))
})
