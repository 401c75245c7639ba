import { Traffic } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Random } from "effect"
import { Db, withDb } from "./support.ts"

const tenants = 50

/** Rows of each tenant, which only its own setting shows, and a role that policies hold for. */
const prepared = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.EmbeddedPostgres
  yield* withDb(
    { maxConnections: 1 },
    Db.withConnection((sql) =>
      Effect.gen(function*() {
        yield* sql`CREATE TABLE IF NOT EXISTS note (tenant text, text text)`
        yield* sql`ALTER TABLE note ENABLE ROW LEVEL SECURITY`
        yield* sql`DROP POLICY IF EXISTS own ON note`
        yield* sql`CREATE POLICY own ON note USING (tenant = current_setting('app.tenant', true))`
        yield* sql`TRUNCATE note`
        yield* sql`INSERT INTO note SELECT 't''' || n, 'of ' || n FROM generate_series(0, ${tenants - 1}::int) n`
      })
    )
  )
  yield* server.query("DO $$ BEGIN CREATE ROLE tenant; EXCEPTION WHEN duplicate_object THEN END $$")
  yield* server.query(`GRANT tenant TO "${server.user}"`)
  const [row] = yield* server.query("SELECT current_database() AS name")
  assert.isDefined(row)
  yield* withDb({ maxConnections: 1 }, Db.query`GRANT SELECT, INSERT ON note TO tenant`)
})

/** A key with a quote in it, which must not get into any text. */
const keyOf = (n: number) => `t'${n}`

const options: PostgresConfig.PostgresOptions = {
  maxConnections: 10,
  minConnections: 10,
  traffic: { affinity: true },
  session: (key) => ({ role: "tenant", settings: { "app.tenant": key } })
}

const seen = Db.query<{ tenant: string; role: string }>`SELECT tenant, current_user::text AS role FROM note`

const seenBy = Db.query<{ tenant: string; role: string; pid: number }>`
  SELECT tenant, current_user::text AS role, pg_backend_pid() AS pid FROM note`

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
            const count = Number(process.env["TENANT_LEASES"] ?? 3000)
            let leaks = 0
            let done = 0
            let hits = 0
            let byChance = 0
            const last = new Map<number, number>()
            const one = Effect.gen(function*() {
              // Most calls are those of a few tenants at a time.
              const n = Math.floor((yield* Random.next) ** 3 * tenants)
              const work = (yield* Random.next) < 0.2
              const lease = Effect.gen(function*() {
                const rows = work
                  ? yield* Db.transaction((sql) => Effect.andThen(sql`SELECT pg_sleep(0.002)`, seenBy))
                  : yield* seenBy
                if (rows.length !== 1 || rows[0]?.tenant !== keyOf(n) || rows[0].role !== "tenant") leaks++
                const others = Array.from(last.values())
                if (others[Math.floor((yield* Random.next) * others.length)] === n) byChance++
                const pid = rows[0]?.pid ?? 0
                if (last.get(pid) === n) hits++
                last.set(pid, n)
              }).pipe(Traffic.with({ affinity: keyOf(n) }))
              const isCut = (yield* Random.next) < 0.33
              const exit = yield* Effect.exit(isCut ? Effect.timeoutOption(lease, (yield* Random.next) * 3) : lease)
              if (Exit.isSuccess(exit)) done++
            })
            yield* Effect.forEach(Array.from({ length: count }), () => one, { concurrency: 4, discard: true })
            assert.strictEqual(leaks, 0)
            assert.isAbove(done, count * 0.9)
            assert.isAtLeast(hits, 2 * byChance, `${hits} of ${done} hits, ${byChance} by chance`)
          })
        )
      ),
    30_000
  )
})
