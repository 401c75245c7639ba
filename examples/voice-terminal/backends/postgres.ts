/** A PostgreSQL and its streaming replica. */
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Effect } from "effect"
import type { Backend } from "./Backend.ts"

export const make = Effect.gen(function*() {
  const primary = yield* EmbeddedPostgres.make({ settings: { max_connections: 60 } })
  const replica = yield* EmbeddedPostgres.replica(primary, { settings: { max_connections: 60 } })
  const backend = (name: string, server: EmbeddedPostgres.Instance): Backend => ({
    name,
    pool: "database",
    kill: server.kill9,
    revive: Effect.orDie(server.start)
  })
  return {
    primary: { url: primary.url, backend: backend("primary", primary) },
    replica: { url: replica.url, backend: backend("replica", replica) }
  }
})
