/** A real Redis, with the keys that are read. */
import { EmbeddedRedis } from "@effect-pools/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Started } from "../started.ts"
import { keys, readKey, valueOf } from "./data.ts"

export const start: Started = Effect.gen(function*() {
  const server = yield* EmbeddedRedis.make()
  yield* server.command("MSET", ...Array.from({ length: keys }, (_, i) => [readKey(i), valueOf(i)]).flat())
  return { url: Redacted.value(server.url), connections: Effect.map(server.clients, (clients) => clients.length) }
})
