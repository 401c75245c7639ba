import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { PoolError } from "@effect-pools/core"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Redacted, Stream } from "effect"
import { SqlError } from "effect/sql"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Db, eventually, timed, withDb } from "./support.ts"

const at = (server: EmbeddedPostgres.Instance, rest: string, host = `127.0.0.1:${server.port}`) => ({
  url: Redacted.make(`postgres://${server.user}:${Redacted.value(server.password)}@${host}/${rest}`)
})

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("a server", (it) => {
  it.effect("that accepts no writes is refused by a pool that wants a primary, and costs few sessions", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const url = yield* server.createDatabase("frozen")
      const readWrite = { url: Redacted.make(`${Redacted.value(url)}?target_session_attrs=read-write`) }
      const write = Db.query`CREATE TABLE IF NOT EXISTS written (id int)`
      yield* withDb(
        {
          ...readWrite,
          startup: "lazy",
          minConnections: 1,
          maxConnections: 3,
          acquireTimeout: "200 millis",
          healthCheck: "100 millis"
        },
        Effect.gen(function*() {
          // The first dial of a slow machine may take longer than a caller waits.
          yield* Effect.retry(write, { times: 20 })
          yield* server.query("ALTER DATABASE frozen SET default_transaction_read_only = on")
          // One that was open before goes on: what it was given at its start is its own.
          for (const { id } of yield* Db.connections) yield* Db.retire(id)
          const errors = yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.flip(write), {
            concurrency: 10
          })
          assert.isTrue(errors.every((error) => error._tag === "PoolError"))
          const { counts } = yield* Db.stats
          assert.isAtMost(counts.opened, 2)
          assert.match(
            String((yield* Db.health).warnings.map(({ message }) => message)),
            /the backend is down: no connection is open/
          )
          yield* server.query("ALTER DATABASE frozen RESET default_transaction_read_only")
          yield* eventually("it writes again", Effect.map(Effect.result(write), (result) => result._tag === "Success"))
        })
      )
    }))

  it.effect("that turns read-only under its sessions is noticed by the health check", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      yield* withDb(
        {
          role: "primary",
          startup: "lazy",
          minConnections: 2,
          maxConnections: 2,
          healthCheck: "100 millis",
          acquireTimeout: "500 millis"
        },
        Effect.gen(function*() {
          yield* Db.query`SELECT 1`
          yield* server.query("ALTER SYSTEM SET default_transaction_read_only = on")
          yield* server.query("SELECT pg_reload_conf()")
          yield* eventually(
            "it is given up",
            Effect.map(Db.stats, ({ counts }) => counts.failedToValidate > 0)
          )
          // The first one that is found out puts the others in doubt.
          assert.strictEqual((yield* Effect.flip(Db.query`SELECT 1`))._tag, "PoolError")
          yield* server.query("ALTER SYSTEM RESET default_transaction_read_only")
          yield* server.query("SELECT pg_reload_conf()")
          yield* eventually("it is back", Effect.map(Effect.result(Db.query`SELECT 1`), (r) => r._tag === "Success"))
        })
      )
    }))

  it.effect("behind a proxy that keeps the connection of a listener open is asked for a sign of life", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: server.port })
      const { database, password, user: username } = server
      const through = {
        host: "127.0.0.1",
        port: proxy.port,
        username,
        password,
        database,
        closeTimeout: "1 second"
      } as const
      yield* withDb(
        { ...through, minConnections: 0, maxConnections: 3, healthCheck: "500 millis" },
        Effect.gen(function*() {
          const got: Array<string> = []
          const listens = (channel: string) =>
            Effect.forkChild(Effect.exit(
              Stream.runForEach(Db.listen(channel), ({ payload }) => Effect.sync(() => got.push(payload)))
            ))
          const fibers = yield* Effect.all([listens("jobs"), listens("others")])
          yield* eventually("it hears", Effect.andThen(Db.notify("jobs", "1"), Effect.sync(() => got.length > 0)))
          yield* Effect.sleep("2 seconds")
          assert.isUndefined(fibers[0].pollUnsafe())
          yield* proxy.blackhole(true)
          const [took, ends] = yield* timed(Effect.forEach(fibers, Fiber.join))
          assert.isBelow(took, 6000)
          assert.match(String(ends), /no sign of life/)
          yield* proxy.blackhole(false)
          yield* server.terminateBackends()
        })
      )
    })))

  it.effect("is found by the forms of URLs that providers hand out", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const works = (options: { readonly url: Redacted.Redacted }) =>
        withDb({ ...options, maxConnections: 1 }, Db.query`SELECT 1`)
      yield* works(at(server, `app?host=127.0.0.1&port=${server.port}`, ""))
      yield* works(
        at(
          server,
          "app?gssencmode=disable&sslnegotiation=postgres&keepalives=1&keepalives_idle=30&client_encoding=UTF8"
        )
      )
      yield* works(at(server, "app?sslmode=disable&require_auth=scram-sha-256,md5"))
      // A socket's directory takes the place of the host that stands there only to make it a URL.
      const error = yield* Effect.flip(works(at(server, "app?host=/nowhere", "localhost")))
      assert.match(error.message, /nowhere/)
    }))

  it.effect("that proves by another method than requireAuth accepts is refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(withDb({ requireAuth: ["md5"], maxConnections: 1 }, Db.query`SELECT 1`))
      assert.instanceOf(error, PoolError.PoolError)
      assert.isFalse(error.isRetryable)
      assert.match(error.message, /asks for a proof by SCRAM.*requireAuth accepts md5/)
      yield* withDb({ requireAuth: ["scram-sha-256"], maxConnections: 1 }, Db.query`SELECT 1`)
    }))

  it.effect("is sent up to 32767 parameters, and more are an error that keeps the connection", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        const count = (n: number) =>
          Db.query((sql) =>
            sql<{ n: number }>`SELECT count(*)::int AS n FROM generate_series(1, 3) g WHERE g IN ${
              sql.in(Array.from({ length: n }, (_, i) => i + 1))
            }`
          )
        assert.deepStrictEqual(yield* count(32_767), [{ n: 3 }])
        const error = yield* Effect.flip(count(32_768))
        assert.isTrue(SqlError.isSqlError(error))
        assert.isFalse(error.isRetryable)
        assert.match(error.message + String(SqlError.isSqlError(error) ? error.reason.cause : ""), /32768|32767/)
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("whose authority the URL names as a file is asked for TLS", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.EmbeddedPostgres
      const file = join(mkdtempSync(join(tmpdir(), "ca-")), "root.pem")
      writeFileSync(file, "")
      const rule = (rest: string) =>
        Effect.map(Effect.flip(withDb({ ...at(server, rest), maxConnections: 1 }, Db.query`SELECT 1`)), ({ message }) =>
          message)
      assert.match(yield* rule(`app?sslmode=verify-full&sslrootcert=${file}`), /does not support TLS/)
      assert.match(yield* rule("app?sslmode=verify-full&sslrootcert=/nowhere.pem"), /can't be read: ENOENT/)
      assert.match(yield* rule("app?sslrootcert=/nowhere.pem"), /TLS without TLS: add sslmode/)
    }))
})
