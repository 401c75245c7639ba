/** A Redis, or where none can be started a stand-in that keeps its data in this process. */
import { RedisScript } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { Console, Effect } from "effect"
import type { Redacted } from "effect"
import MockRedis from "ioredis-mock"
import type { Backend } from "./Backend.ts"

export type CacheServer =
  | { readonly _tag: "Redis"; readonly url: Redacted.Redacted; readonly backend: Backend }
  /** It answers commands like a server; there is nothing to kill. */
  | { readonly _tag: "Mock"; readonly script: RedisScript.Script }

export const make = Effect.map(EmbeddedRedis.make(), ({ kill9, start, url }): CacheServer => ({
  _tag: "Redis",
  url,
  backend: { name: "cache", kill: kill9, revive: Effect.orDie(start) }
})).pipe(
  Effect.catchTag("EmbeddedRedisError", (error) =>
    Effect.as(
      Console.log(`-- no Redis can be started here, a mock takes its place (${error.message})`),
      standIn()
    ))
)

export function standIn(): CacheServer & { readonly _tag: "Mock" } {
  return { _tag: "Mock", script: RedisScript.fromClient(new MockRedis()) }
}
