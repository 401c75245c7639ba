/** Every server that the voice terminal needs, started for the demonstration. */
import { Context, Effect, Layer } from "effect"
import type { Redacted } from "effect"
import type { Backend } from "./Backend.ts"
import * as Postgres from "./postgres.ts"
import * as Realtime from "./realtime.ts"
import * as Redis from "./redis.ts"
import * as VoiceApi from "./voiceApi.ts"

export class Backends extends Context.Service<Backends, {
  readonly primaryUrl: Redacted.Redacted
  readonly replicaUrl: Redacted.Redacted
  readonly cache: Redis.CacheServer
  readonly voiceApiOrigin: string
  readonly realtimeUrl: string
  /** Those that can be killed, by the name of the pool that needs them. */
  readonly all: ReadonlyArray<Backend>
}>()("voice-terminal/Backends") {}

export const layer = Layer.effect(
  Backends,
  Effect.gen(function*() {
    const [postgres, cache, voiceApi, realtime] = yield* Effect.all(
      [Postgres.make, Redis.make, VoiceApi.make, Realtime.make],
      { concurrency: "unbounded" }
    )
    return {
      primaryUrl: postgres.primary.url,
      replicaUrl: postgres.replica.url,
      cache,
      voiceApiOrigin: `http://127.0.0.1:${voiceApi.port}`,
      realtimeUrl: `ws://127.0.0.1:${realtime.port}/realtime`,
      all: [
        postgres.primary.backend,
        postgres.replica.backend,
        ...(cache._tag === "Redis" ? [cache.backend] : []),
        voiceApi.backend,
        realtime.backend
      ]
    }
  })
)
