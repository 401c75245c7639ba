import { assert, describe, layer } from "@effect/vitest"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Exit, Fiber, Redacted, Schedule } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"

const { EmbeddedPostgres: Postgres } = EmbeddedPostgres

const ask = (url: Redacted.Redacted, sql = "SELECT current_database() AS answer") =>
  PgConnection.make({ url, connectTimeout: "1 second", applicationName: "asker" }).pipe(
    Effect.flatMap((connection) => connection.query(sql)),
    Effect.map((result) => result.rows[0]?.["answer"]),
    Effect.scoped
  )

const directories = () => readdirSync(tmpdir()).filter((name) => name.startsWith("effect-pools-postgres-"))

const server = layer(
  EmbeddedPostgres.layer({
    password: "p@ss/word",
    settings: { max_connections: 7, superuser_reserved_connections: 2 }
  }),
  { excludeTestServices: true, timeout: "2 minutes" }
)

describe("EmbeddedPostgres", () => {
  server((it) => {
    it.effect("is PostgreSQL 18, with the settings given", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        assert.match(String(yield* ask(postgres.url, "SELECT version() AS answer")), /^PostgreSQL 18/)
        const [row] = yield* postgres.query("SHOW max_connections")
        assert.strictEqual(row?.["max_connections"], "7")
        assert.strictEqual(yield* ask(postgres.url), "app")
      }))

    it.effect("refuses a wrong password", () =>
      Effect.gen(function*() {
        const { host, port, user } = yield* Postgres
        const error = yield* Effect.flip(ask(Redacted.make(`postgres://${user}:wrong@${host}:${port}/app`)))
        assert.strictEqual(error.reason._tag, "AuthenticationError")
      }))

    it.effect("tells of sessions and ends them, and lets the administrator in when it is full", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        const open = PgConnection.make({ url: postgres.url, applicationName: "many" })
        // The sessions of the tests before may not have ended on the server yet.
        const patient = Effect.retry(open, { times: 50, schedule: Schedule.spaced("20 millis") })
        const many = yield* Effect.replicateEffect(patient, 5)
        assert(Exit.isFailure(yield* Effect.exit(open)))
        const backends = yield* postgres.backends()
        assert.deepStrictEqual(
          backends.map(({ pid }) => pid).toSorted(),
          many.map(({ processId }) => processId).toSorted()
        )
        assert.deepStrictEqual(yield* postgres.backends({ applicationName: "others" }), [])
        assert.strictEqual(yield* postgres.terminateBackends({ applicationName: "many" }), 5)
        assert.strictEqual(yield* ask(postgres.url), "app")
      }))

    it.effect("makes databases", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        assert.strictEqual(yield* ask(yield* postgres.createDatabase(`an"other`)), `an"other`)
      }))

    it.effect("keeps port and data over a crash", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        const before = yield* postgres.pid
        yield* ask(postgres.url, "CREATE TABLE kept AS SELECT 1 AS answer")
        yield* postgres.restart
        assert.notStrictEqual(yield* postgres.pid, before)
        assert.strictEqual(yield* ask(postgres.url, "SELECT answer FROM kept"), 1)
        yield* ask(postgres.url, "DROP TABLE kept")
      }))

    it.effect("is down between kill9 and start, and between shutDown and start", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        for (const end of [postgres.kill9, postgres.shutDown]) {
          yield* end
          assert.isUndefined(yield* postgres.pid)
          assert(Exit.isFailure(yield* Effect.exit(ask(postgres.url))))
          yield* end
          yield* postgres.start
          yield* postgres.start
          assert.strictEqual(yield* ask(postgres.url), "app")
        }
      }))

    it.effect("answers nothing while it is stopped", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        const connection = yield* PgConnection.make({ url: postgres.url })
        yield* postgres.stop
        const asked = yield* Effect.forkChild(connection.query("SELECT 1"))
        const dialled = yield* Effect.forkChild(Effect.exit(ask(postgres.url)))
        yield* Effect.sleep("200 millis")
        assert.deepStrictEqual([asked.pollUnsafe(), dialled.pollUnsafe()], [undefined, undefined])
        yield* postgres.cont
        assert.strictEqual((yield* Fiber.join(asked)).rowCount, 1)
        assert(Exit.isSuccess(yield* Fiber.join(dialled)))
      }))
  })

  layer(EmbeddedPostgres.layer({ user: "us er", database: "d/b" }), {
    excludeTestServices: true,
    timeout: "2 minutes"
  })(
    (it) => {
      it.effect("takes any user and database name", () =>
        Effect.gen(function*() {
          const { url } = yield* Postgres
          assert.strictEqual(yield* ask(url), "d/b")
          assert.strictEqual(yield* ask(url, "SELECT current_user AS answer"), "us er")
        }))

      it.effect("leaves no process and no directory behind, whatever its state", () =>
        Effect.gen(function*() {
          const before = directories()
          for (const fault of ["none", "kill9", "shutDown", "stop"] as const) {
            const pid = yield* Effect.scoped(Effect.gen(function*() {
              const postgres = yield* EmbeddedPostgres.make()
              const pid = yield* postgres.pid
              assert.strictEqual(directories().length, before.length + 1)
              if (fault !== "none") yield* postgres[fault]
              return pid
            }))
            assert.deepStrictEqual(directories(), before, fault)
            assert.isFalse(existsSync(`/proc/${pid}`), fault)
          }
        }))

      it.effect("fails with what the server said when a setting is wrong, and leaves nothing behind", () =>
        Effect.gen(function*() {
          const before = directories()
          const error = yield* Effect.flip(
            Effect.scoped(EmbeddedPostgres.make({ settings: { max_connections: "many" } }))
          )
          assert.strictEqual(error.step, "start")
          assert.include(error.message, "max_connections")
          assert.deepStrictEqual(directories(), before)
        }))

      it.effect("an interrupted start leaves nothing behind", () =>
        Effect.gen(function*() {
          const before = directories()
          for (const after of [50, 500, 1500]) {
            yield* Effect.scoped(EmbeddedPostgres.make()).pipe(Effect.timeoutOption(after))
            assert.deepStrictEqual(directories(), before)
          }
        }))
    }
  )
})
