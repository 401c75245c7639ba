import type { PoolDiagnosis } from "@effect-pools/core"
import type { PostgresConfig } from "@effect-pools/postgres"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule } from "effect"
import { Db, eventually, withDb } from "./support.ts"

const quick: PostgresConfig.PostgresOptions = {
  minConnections: 1,
  maxConnections: 4,
  acquireTimeout: "1 second",
  slowAcquireTimeout: "200 millis",
  validateTimeout: "300 millis",
  retry: Schedule.spaced("100 millis"),
  breaker: { minimumDials: 100 },
  healthCheck: "1 hour"
}

/** Waits until the pool says what is wrong. */
const diagnosed = (cause: PoolDiagnosis.Cause) =>
  Effect.gen(function*() {
    yield* eventually(cause, Effect.map(Db.health, ({ diagnosis }) => diagnosis?.cause === cause))
    const { diagnosis, isServing, warnings } = yield* Db.health
    return { ...diagnosis!, isServing, abouts: warnings.map(({ about }) => about) }
  })

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("what is wrong", (it) => {
  it.effect("a report that holds everything is named with its statement, in the error of a caller too", () =>
    withDb(
      { ...quick, maxConnections: 3, leakTimeout: "1 minute" },
      Effect.gen(function*() {
        const report = Db.withConnection((sql) => sql`SELECT pg_sleep(4) /* nightly report */`, {
          label: "nightly-report"
        })
        const reports = yield* Effect.forkScoped(Effect.all([report, report, report], { concurrency: 3 }))
        yield* eventually("all are lent", Effect.map(Db.stats, ({ used }) => used === 3))
        const caller = yield* Effect.forkScoped(Effect.flip(Db.query`SELECT 1`))
        const { abouts, text } = yield* diagnosed("oneHolder")
        assert.match(
          text,
          /^nightly-report holds 3 of 3 connections, the longest for .*, running: SELECT pg_sleep\(.+\).*; 1 caller waits$/
        )
        assert.deepStrictEqual(abouts, ["oneHolder"])
        const { message } = yield* Fiber.join(caller)
        assert.include(message, "nightly-report holds 3 of 3 connections")
        assert.isFalse((yield* Db.health).isServing)
        yield* Fiber.interrupt(reports)
      }).pipe(Effect.scoped)
    ))

  it.effect("a server that refuses more connections is quoted, and a larger maxConnections is not advised", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const limited = (limit: number) =>
        Effect.orDie(server.query(`ALTER ROLE "${server.user}" CONNECTION LIMIT ${limit}`))
      yield* withDb(
        quick,
        Effect.gen(function*() {
          yield* limited(1)
          yield* Db.acquire
          yield* Effect.forkScoped(Effect.exit(Db.query`SELECT 1`))
          const { isServing, remedy, text } = yield* diagnosed("serverFull")
          assert.match(
            text,
            /^the server has no room for more connections: .*too many connections for role.*; 1 of at most 4 are open here$/
          )
          assert.match(remedy, /^Lower maxConnections/)
          assert.isTrue(isServing)
        }).pipe(Effect.scoped)
      ).pipe(Effect.ensuring(limited(-1)))
    }))

  it.effect("rotated credentials that are refused are told, while open connections still serve", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const password = (value: string) => Effect.orDie(server.query(`ALTER ROLE "${server.user}" PASSWORD '${value}'`))
      yield* withDb(
        quick,
        Effect.gen(function*() {
          yield* password("next")
          yield* Db.acquire
          yield* Effect.forkScoped(Effect.exit(Db.query`SELECT 1`))
          const { abouts, text } = yield* diagnosed("credentialsRefused")
          assert.match(
            text,
            /^the server refuses the credentials: .*password authentication failed.*; 1 open connection still serves$/
          )
          assert.deepStrictEqual(abouts, ["credentialsRefused"])
        }).pipe(Effect.scoped)
      ).pipe(Effect.ensuring(password(Redacted.value(server.password))))
    }))

  it.effect("a server that was down for a moment is told as that, with what the last dial said", () =>
    withDb(
      quick,
      Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.EmbeddedPostgres
        yield* server.kill9
        yield* Effect.exit(Db.query`SELECT 1`)
        const { level, text } = yield* diagnosed("backendDown")
        assert.match(
          text,
          /^the backend is down: no connection is open and \d+ attempts? to connect failed within .*, the last with: .*ECONNREFUSED/
        )
        assert.strictEqual(level, "critical")
        yield* Effect.orDie(server.start)
        const past = yield* diagnosed("backendWasDown")
        assert.match(
          past.text,
          /^the backend was down for .*the last with: .*(ECONNREFUSED|starting up|accepting).*callers? failed meanwhile$/
        )
        assert.deepStrictEqual(past.abouts, [])
      })
    ))
})
