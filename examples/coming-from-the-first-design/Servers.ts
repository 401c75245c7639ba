/** The servers that the program talks to, started for it. */
import { EmbeddedPostgres, EmbeddedRedis } from "@effect-pools/testing"
import { Context, Effect, Layer, type Redacted } from "effect"
import * as Realtime from "../voice-terminal/backends/realtime.ts"
import * as VoiceApi from "../voice-terminal/backends/voiceApi.ts"

export class Servers extends Context.Service<Servers, {
  readonly databaseUrl: Redacted.Redacted
  readonly cacheUrl: Redacted.Redacted
  readonly apiOrigin: string
  readonly realtimeUrl: string
}>()("first-design/Servers") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function*() {
      const [database, cache, api, realtime] = yield* Effect.all(
        [EmbeddedPostgres.make(), EmbeddedRedis.make(), VoiceApi.make, Realtime.make],
        { concurrency: "unbounded" }
      )
      return {
        databaseUrl: database.url,
        cacheUrl: cache.url,
        apiOrigin: `http://127.0.0.1:${api.port}`,
        realtimeUrl: `ws://127.0.0.1:${realtime.port}/realtime`
      }
    })
  )
}
