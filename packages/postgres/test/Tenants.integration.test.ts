import { Traffic } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Notes from "./fixtures/notes.ts"
import { Db, withDb } from "./support.ts"

const { keyOf, make: prepared, seen } = Notes

const options: PostgresConfig.PostgresOptions = {
  maxConnections: 10,
  minConnections: 10,
  traffic: { affinity: true },
  session: Notes.session
}

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("tenants", (it) => {
  it.effect("each caller sees the rows of its key alone, on connections new and old, and none without a key", () =>
    Effect.andThen(
      prepared,
      withDb(
        { ...options, maxConnections: 1, minConnections: 1 },
        Effect.gen(function*() {
          for (const n of [1, 2, 1]) {
            const rows = yield* Traffic.with(seen, { affinity: keyOf(n) })
            assert.deepStrictEqual(rows, [{ tenant: keyOf(n), role: "tenant" }])
          }
          const server = yield* EmbeddedPostgres.EmbeddedPostgres
          assert.deepStrictEqual(
            yield* Db
              .query`SELECT current_user::text AS role, coalesce(current_setting('app.tenant', true), '') AS tenant`,
            [{ role: server.user, tenant: "" }]
          )
          // What a caller sets itself is gone for the next, and the key's own comes back.
          yield* Traffic.with(Db.query`SET app.tenant = 'other'`, { affinity: keyOf(3) })
          assert.deepStrictEqual(yield* Traffic.with(seen, { affinity: keyOf(3) }), [{
            tenant: keyOf(3),
            role: "tenant"
          }])
          assert.strictEqual((yield* Db.stats).counts.opened, 1)
        })
      )
    ))

  it.effect("a session that can't be set is replaced, and its caller told why", () =>
    Effect.andThen(
      prepared,
      withDb(
        {
          ...options,
          maxConnections: 1,
          minConnections: 1,
          session: (key) =>
            key === "bad" ? { role: "nobody at all" } : { role: "tenant", settings: { "app.tenant": key } }
        },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Traffic.with(seen, { affinity: "bad" }))
          assert.match(error.message, /nobody at all/)
          assert.strictEqual((yield* Traffic.with(seen, { affinity: keyOf(1) })).length, 1)
          const { retired } = (yield* Db.stats).counts
          assert.strictEqual(retired.invalidated, 1)
        })
      )
    ))

  it.effect(
    "50 tenants on 10 connections, a third interrupted: no row leaks, and most find their own connection",
    () =>
      Effect.andThen(
        prepared,
        withDb(
          options,
          Effect.gen(function*() {
            const tally = yield* Notes.traffic({ length: Notes.lengthOf(1500), interrupted: 0.33 })
            yield* Notes.told("50 tenants on 10 connections", tally)
            assert.strictEqual(tally.foreign, 0)
            assert.deepStrictEqual(tally.wrong, [])
            assert.isAbove(tally.done, tally.leases / 2)
            assert.isAtLeast(
              tally.hits,
              2 * tally.byChance,
              `${tally.hits} of ${tally.done} hits, ${tally.byChance} by chance`
            )
          })
        )
      ),
    Notes.timeout
  )
})
