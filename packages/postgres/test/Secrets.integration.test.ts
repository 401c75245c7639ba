import { PgTypes } from "@effect/sql-pg"
import type { PoolEvent } from "@effect-pools/core"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { type PostgresConfig, PostgresConnector } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import {
  Cause,
  Effect,
  Exit,
  Formatter,
  Logger,
  Metric,
  Redacted,
  References,
  Result,
  Schedule,
  Stream,
  Tracer
} from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { PrometheusMetrics } from "effect/observability"
import { inspect } from "node:util"
import { Db, eventually, withDb } from "./support.ts"

const canary = "c4n ary/s3cret"
const encoded = encodeURIComponent(canary)
const literal = "l1teral-s3cret"

const show = (value: unknown): string => inspect(value, { depth: 12, showHidden: true, getters: false })

/** Everything that an effect let out: its exit, its logs, its spans, its events and its metrics. */
const overheard = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const heard: Array<string> = []
  const logger = Logger.make((entry) => {
    heard.push(show([entry.message, entry.cause, Logger.formatJson.log(entry), Logger.formatStructured.log(entry)]))
  })
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      heard.push(options.name)
      const attribute = span.attribute.bind(span)
      span.attribute = (key, value) => {
        heard.push(show([key, value]))
        attribute(key, value)
      }
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        heard.push(show(exit))
        end(time, exit)
      }
      return span
    }
  })
  const registry = new Map()
  const exit = yield* Effect.exit(effect).pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "All"),
    Effect.provideService(Tracer.Tracer, tracer),
    Effect.provideService(Metric.MetricRegistry, registry)
  )
  const metrics = yield* Effect.provideService(PrometheusMetrics.format(), Metric.MetricRegistry, registry)
  heard.push(metrics, show(registry), show(exit), String(exit), JSON.stringify(exit))
  if (Exit.isFailure(exit)) heard.push(Cause.pretty(exit.cause), String(Cause.squash(exit.cause)))
  return { exit, heard: heard.join("\n") }
})

const isSilent = (heard: string) => {
  for (const secret of [canary, encoded, literal]) assert.notInclude(heard, secret)
}

const options: PostgresConfig.PostgresOptions = {
  minConnections: 1,
  maxConnections: 2,
  acquireTimeout: "600 millis",
  connectTimeout: "300 millis",
  retry: Schedule.recurs(1)
}

layer(
  EmbeddedPostgres.layer({ password: canary }),
  { excludeTestServices: true, timeout: "2 minutes" }
)("secrets", (it) => {
  it.effect("no failure to connect tells the password", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const base = `postgres://${server.user}:${encoded}@${server.host}:${server.port}`
      const wrong = `postgres://${server.user}:${encoded}x@${server.host}:${server.port}`
      const servers: ReadonlyArray<PostgresConfig.PostgresOptions> = [
        { url: Redacted.make(`${wrong}/${server.database}`) },
        { url: Redacted.make(`${base}/nowhere`) },
        { url: Redacted.make(`${base}/${server.database}?sslmode=require`) },
        { url: Redacted.make(base.replace(`:${server.port}`, ":1")) },
        { url: Redacted.make(base.replace(server.host, "nowhere.invalid")) },
        { url: Redacted.make(`${base}/${server.database}#${encoded}`) },
        { host: server.host, port: server.port, password: Effect.succeed(Redacted.make(canary)), username: "nobody" },
        { host: server.host, port: server.port, password: Effect.fail({ _tag: "VaultError", token: canary }) },
        { host: server.host, port: 1, password: Redacted.make(canary) }
      ]
      for (const startup of ["failFast", "lazy"] as const) {
        for (const given of servers) {
          const startupTimeout = startup === "lazy" ? undefined : "500 millis"
          const all = { ...options, ...given, startup, startupTimeout } as const
          const watched = withDb(
            all,
            Effect.andThen(
              Effect.exit(Db.query`SELECT 1`),
              Effect.andThen(
                Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.exit(sql`SELECT 1`)),
                Effect.all([Db.stats, Db.health, Db.connections, Db])
              )
            )
          )
          isSilent((yield* overheard(watched)).heard)
        }
      }
    }), 60_000)

  it.effect("what the server says of a statement can't begin a line of a log, paint on a terminal, or be endless", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const raise = (message: string) => `DO $do$ BEGIN RAISE EXCEPTION USING MESSAGE = ${message}; END $do$`
      yield* withDb(
        { url: Redacted.make(`postgres://${server.user}:${encoded}@${server.host}:${server.port}`) },
        Effect.gen(function*() {
          const forged = raise("E'bad \\x1b[2J\\nFORGED line'")
          const painted = yield* Effect.flip(Db.withConnection((sql) => sql.unsafe(forged)))
          assert.include(show(painted), "bad")
          const said: Array<string> = []
          for (let error: unknown = painted; error instanceof Error; error = error.cause) said.push(error.message)
          assert.isAbove(said.length, 1)
          for (const unfit of ["\u001b", "\nFORGED"]) assert.notInclude(said.join(), unfit)
          const long = raise("repeat('x', 1000000)")
          const endless = yield* Effect.flip(Db.withConnection((sql) => sql.unsafe(long)))
          assert.isBelow(show(endless).length, 100_000)
        })
      )
    })))

  it.effect("a pool, and what it lends, are shown in a text of bounded length", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      yield* withDb(
        { url: Redacted.make(`postgres://${server.user}:${encoded}@${server.host}:${server.port}`) },
        Effect.gen(function*() {
          const lent = yield* Db.withConnection(Effect.succeed)
          for (const value of [yield* Db, yield* SqlClient.SqlClient, lent]) {
            // Effect's way to show a value visits all that it holds, however deep.
            for (const text of [Formatter.format(value), Formatter.formatJson(value), inspect(value)]) {
              assert.isBelow(text.length, 50_000)
            }
          }
        })
      )
    }))

  it.effect("nothing that a working pool shows tells the password, a literal or a parameter", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const shown: Array<string> = []
      const events: Array<PoolEvent.PoolEvent> = []
      const { exit, heard } = yield* overheard(withDb(
        {
          ...options,
          password: server.password,
          host: server.host,
          port: server.port,
          username: server.user,
          database: server.database
        },
        Effect.gen(function*() {
          yield* Effect.forkChild(
            Stream.runForEach(Db.eventsWith({ operations: true }), (event) => Effect.sync(() => events.push(event)))
          )
          yield* Db.withConnection((sql) =>
            Effect.gen(function*() {
              shown.push(show(sql), show(sql.config), JSON.stringify(sql.config), String(sql))
              const running = yield* Effect.forkChild(sql`SELECT pg_sleep(1), ${literal}::text, 'plain'`)
              yield* eventually(
                "it runs",
                Effect.map(Db.connections, (all) => all.some(({ activity }) => activity !== undefined))
              )
              shown.push(show(yield* Db.connections))
              yield* Effect.forkChild(Effect.ignore(Db.query`SELECT 1`))
              shown.push(show(yield* Db.stats), show(yield* Db.health))
              yield* Effect.ignore(sql`SELECT ${literal}::int`.pipe(Effect.timeout(10)))
              void running
            })
          )
          yield* server.terminateBackends()
          yield* eventually(
            "it is replaced",
            Effect.map(Db.stats, ({ counts, idle }) => counts.retired.broken > 0 && idle > 0)
          )
          yield* Effect.exit(Db.transaction((sql) => Effect.andThen(sql`SELECT ${1}`, server.terminateBackends())))
          shown.push(show(yield* Db), show((yield* Db).config))
        })
      ))
      assert.isTrue(Exit.isSuccess(exit), heard)
      assert.isNotEmpty(events)
      isSilent([heard, ...shown, show(events)].join("\n"))
    }))
})

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })(
  "what reaches the driver",
  (it) => {
    const session = Effect.fnUntraced(function*(options: PostgresConfig.PostgresOptions) {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const connector = yield* PostgresConnector.make({ url: server.url, ...options })
      return yield* connector.connect({ onBroken: () => {}, onEnded: () => {} })
    }, Effect.provide(Reactivity.layer))

    it.effect("keepAlive, and the limit of time, which is the pool's", () =>
      Effect.gen(function*() {
        const { pg } = yield* session({ keepAlive: "7 seconds" })
        assert.strictEqual(pg.config.keepAlive, 7000)
        assert.strictEqual((yield* session({})).pg.config.keepAlive, 30_000)
      }))

    it.effect("prepare and preparedStatementCacheSize", () =>
      Effect.gen(function*() {
        const prepared = Effect.fnUntraced(function*(options: PostgresConfig.PostgresOptions) {
          return yield* withDb(
            { ...options, maxConnections: 1 },
            Effect.gen(function*() {
              // Each is prepared when it comes again.
              for (const n of [1, 2, 3, 1, 2, 3]) yield* Db.query((sql) => sql.unsafe(`SELECT ${n}`))
              const rows = yield* Db.query((sql) =>
                sql`SELECT count(*)::int AS n FROM pg_prepared_statements`.unprepared
              )
              return rows[0]?.["n"]
            })
          )
        })
        assert.strictEqual(yield* prepared({}), 3)
        assert.strictEqual(yield* prepared({ preparedStatementCacheSize: 2 }), 2)
        assert.strictEqual(yield* prepared({ prepare: false }), 0)
      }))

    it.effect("maxMessageSize", () =>
      withDb(
        { maxMessageSize: 2000 },
        Effect.gen(function*() {
          assert.isTrue(Exit.isFailure(yield* Effect.exit(Db.query`SELECT repeat('x', 3000)`)))
          assert.deepStrictEqual(yield* Db.query`SELECT 1 AS a`, [{ a: 1 }])
        })
      ))

    it.effect("spanAttributes", () =>
      Effect.gen(function*() {
        const { heard } = yield* overheard(withDb({ spanAttributes: { "app.part": "billing" } }, Db.query`SELECT 1`))
        assert.include(heard, "billing")
        assert.include(heard, "postgresql")
      }))

    it.effect("the metric of statements, by their kind, unless metrics are off", () =>
      Effect.gen(function*() {
        const count = Effect.fnUntraced(function*(metrics: boolean) {
          const statements = Effect.andThen(Db.query`SELECT 1`, Effect.exit(Db.query`DELETE FROM x`))
          const heard = yield* withDb({ metrics }, Effect.andThen(statements, PrometheusMetrics.format())).pipe(
            Effect.provideService(Metric.MetricRegistry, new Map())
          )
          return heard.split("\n").filter((line) => line.startsWith("db_pool_query_duration_seconds_count"))
        })
        const lines = (yield* count(true)).toSorted()
        assert.strictEqual(lines.length, 2)
        assert.match(lines[0]!, /query_type="delete".* 1$/)
        assert.match(lines[1]!, /query_type="select".* 1$/)
        assert.deepStrictEqual(yield* count(false), [])
      }))

    it.effect("types", () =>
      Effect.gen(function*() {
        const types = PgTypes.makeRegistry()
        types.register<string>(PgTypes.OID.int4, {
          encode: (value) => Result.succeed(Buffer.from(value)),
          decode: (bytes) => Result.succeed(`int4 ${Buffer.from(bytes).readInt32BE()}`)
        })
        assert.deepStrictEqual(yield* withDb({ types }, Db.query`SELECT 7 AS n`), [{ n: "int4 7" }])
      }))
  }
)
