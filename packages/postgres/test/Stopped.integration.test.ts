import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import type { PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import * as PgBouncer from "./fixtures/pgBouncer.ts"
import { active, Db, eventually, type Services, withDb } from "./support.ts"

const rows = (n: number) => Db.stream((sql) => sql<{ i: number }>`SELECT i FROM generate_series(1, ${n}::int) i`.stream)

/** A cancellation that comes late would hit one of these, which follow at once on the only connection. */
const next = Effect.map(
  Effect.forEach([0, 1, 2], (i) => Db.query<{ i: number }>`SELECT ${i}::int AS i, pg_sleep(0.001) IS NULL AS slept`),
  (answers) => assert.deepStrictEqual(answers.flat().map(({ i }) => i), [0, 1, 2])
)

const keepsItsConnection = <E, R>(test: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    yield* test
    assert.strictEqual(yield* active, 0)
    const { counts, used } = yield* Db.stats
    assert.deepStrictEqual([used, counts.opened, counts.failedToReset], [0, 1, 0])
  })

/** Ways to the server: straight, and through a pooler that passes cancellations on. */
const ways: Record<
  string,
  <A, E>(
    options: PostgresConfig.PostgresOptions,
    test: Effect.Effect<A, E, Services | EmbeddedPostgres.EmbeddedPostgres>
  ) => Effect.Effect<A, unknown, EmbeddedPostgres.EmbeddedPostgres>
> = {
  "the server": withDb,
  "PgBouncer": (options, test) =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const bouncer = yield* PgBouncer.make(server, { pool_mode: "transaction", default_pool_size: 3 })
      const { database, password, user: username } = server
      const to = { host: "127.0.0.1", port: bouncer.port, database, username, password }
      return yield* withDb({ ...to, ...options, prepare: false }, test)
    }).pipe(Effect.scoped)
}

const servers = Layer.merge(EmbeddedPostgres.layer(), PgBouncer.installed)

layer(servers, { excludeTestServices: true, timeout: "2 minutes" })("over a connection to", (it) => {
  for (const [way, within] of Object.entries(ways)) {
    for (const sharing of way === "the server" ? [1, 8] : [1]) {
      const options = { maxConnections: 1, minConnections: 1, sharing }
      const kind = sharing === 1 ? "" : " that is shared"

      it.effect(`${way}${kind}, rows that nobody wants any more cost nothing, however many are left`, () =>
        within(
          options,
          keepsItsConnection(Effect.gen(function*() {
            for (const [all, taken] of [[600, 513], [10_000, 1], [20_000, 1], [60_000, 1000]] as const) {
              for (let round = 0; round < 8; round++) {
                yield* Stream.runDrain(Stream.take(rows(all), taken))
                yield* next
              }
            }
          }))
        ))

      it.effect(`${way}${kind}, a reader that is interrupted at any moment costs nothing`, () =>
        within(
          options,
          keepsItsConnection(Effect.gen(function*() {
            for (let round = 0; round < 15; round++) {
              const slowly = Stream.runForEachArray(rows(30_000), () => Effect.sleep(1))
              yield* Effect.timeoutOption(slowly, 2 * round)
              yield* next
            }
          }))
        ))

      it.effect(`${way}${kind}, a statement that ends just as it is cancelled costs nothing`, () =>
        within(
          options,
          keepsItsConnection(Effect.gen(function*() {
            for (let round = 0; round < 25; round++) {
              // The driver cancels what has not ended 10 ms after it was left.
              yield* Effect.timeoutOption(Db.query`SELECT pg_sleep(${(10 + round / 2) / 1000}::float8)`, 4)
              yield* next
            }
          }))
        ))
    }
  }

  it.effect("the server, a stream that its program forgets in a transaction lets the transaction go on", () =>
    withDb(
      { maxConnections: 1 },
      keepsItsConnection(Effect.gen(function*() {
        for (let round = 0; round < 10; round++) {
          yield* Db.transaction((sql) =>
            Effect.gen(function*() {
              const has = yield* Deferred.make<void>()
              const reader = yield* Effect.forkChild(Stream.runForEach(
                sql`SELECT i FROM generate_series(1, 20000) i`.stream,
                () => Deferred.succeed(has, undefined)
              ))
              yield* Deferred.await(has)
              yield* Fiber.interrupt(reader)
              return yield* Effect.exit(sql`SELECT 1 AS one`)
            })
          ).pipe(Effect.exit)
          yield* next
        }
        yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
      }))
    ))
})
