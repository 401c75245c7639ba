import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { standIn } from "../voice-terminal/backends/redis.ts"
import { Cache } from "../voice-terminal/Pools.ts"
import { cacheGet, cacheSet } from "../voice-terminal/VoiceTerminal.ts"

describe("the voice terminal without a Redis", () => {
  it.live("keeps in its cache what it is given, until it expires", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* cacheGet("language:1"), undefined)
      yield* cacheSet("language:1", "en", "1 minute")
      yield* cacheSet("language:2", "de", "20 millis")
      assert.strictEqual(yield* cacheGet("language:1"), "en")
      yield* Effect.sleep("50 millis")
      assert.strictEqual(yield* cacheGet("language:2"), undefined)
    }).pipe(Effect.provide(Cache.layerTest(standIn().script))))
})
