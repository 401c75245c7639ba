import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Db, withDb } from "./support.ts"

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("what is no answer", (it) => {
  it.effect("notices of all connections are a stream, from the moment it runs", () =>
    withDb(
      { maxConnections: 2 },
      Effect.gen(function*() {
        const raise = (text: string) =>
          Db.query((sql) => sql.unsafe(`DO $$ BEGIN RAISE WARNING '${text}' USING HINT = 'none'; END $$`))
        yield* raise("before")
        const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(Db.notices, 2)), {
          startImmediately: true
        })
        yield* Effect.scoped(Effect.andThen(Db.acquire, raise("first")))
        yield* raise("second")
        const notices = yield* Fiber.join(reading)
        assert.deepStrictEqual(notices.map(({ code, hint, message, severity }) => [severity, code, message, hint]), [
          ["WARNING", "01000", "first", "none"],
          ["WARNING", "01000", "second", "none"]
        ])
      })
    ))

  it.effect("COPY from and to the client is refused by name, and keeps the connection", () =>
    withDb(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE IF NOT EXISTS copied (n int)`
        for (const direction of ["FROM STDIN", "TO STDOUT"]) {
          const error = yield* Effect.flip(Db.query((sql) => sql.unsafe(`COPY copied ${direction}`)))
          assert.match(
            String((error as { readonly reason: { readonly cause?: unknown } }).reason.cause),
            /COPY from or to the client is not supported/
          )
        }
        assert.deepStrictEqual(yield* Db.query`SELECT 1 AS one`, [{ one: 1 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))
})
