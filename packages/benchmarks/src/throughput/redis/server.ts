/** A real Redis, with the keys that are read. */
import { EmbeddedRedis } from "@effect-pools/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Started } from "../started.ts"
import { keys, largeKey, largeKeys, largeValueOf, readKey, valueOf } from "./data.ts"

const pairs = Array.from({ length: keys }, (_, i) => [readKey(i), valueOf(i)])
  .concat(Array.from({ length: largeKeys }, (_, i) => [largeKey(i), largeValueOf(i)]))

const started = (tls: boolean): Started =>
  Effect.gen(function*() {
    const server = yield* EmbeddedRedis.make({ tls })
    yield* server.command("MSET", ...pairs.flat())
    const url = tls ? `rediss://localhost:${server.tlsPort}` : Redacted.value(server.url)
    return { url, connections: Effect.map(server.clients, (clients) => clients.length) }
  })

export const start: Started = started(false)

export const startWithTls: Started = started(true)
