/** The application's work with its connections, one call each. */
import type { RedisCommand } from "@effect-pools/redis"
import { Effect, type Schema } from "effect"
import { HttpBody, HttpClientResponse } from "effect/http"
import { Cache, Database, Realtime, type RealtimeMessage, VoiceApi } from "./Pools.ts"

/** A statement on the primary. */
export const query = Database.query

/** A statement that a replica may answer, as soon as it has what this program has written. */
export const readQuery = Database.read

export const cacheGet = (key: string) => Cache.get(key)

export const cacheSet = (key: string, value: string, ttl: RedisCommand.Span) => Cache.set(key, value, { ttl })

/** Posts bytes to the voice service and reads its answer. */
export const apiRequest = <A>(path: string, answer: Schema.Codec<A, unknown>, bytes: Uint8Array) =>
  VoiceApi.post(path, { body: HttpBody.uint8Array(bytes, "audio/ogg") }).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(answer))
  )

/** Sends a message and waits until the other side has acknowledged it. */
export const realtimeMessage = (message: RealtimeMessage) => Realtime.request(message)
