/**
 * One pool for all tenants: the server shows each request the rows of its tenant alone, whatever its statements say.
 *
 * `DATABASE_URL` names the server, else one is started. With `PGBOUNCER_HOST` or `PGBOUNCER_PORT` all of it goes through a
 * PgBouncer, and nothing else changes.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Traffic } from "@effect-pools/core"
import { PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Config, ConfigProvider, Console, Effect, Layer, Redacted } from "effect"

class Db extends PostgresPool.Service<Db>()("app/Db") {
  static readonly live = this.layerConfig(
    Config.map(PostgresConfig.fromEnv, (server): PostgresConfig.PostgresOptions => ({
      ...(server.pooler === undefined ? {} : PostgresConfig.presets.pooler),
      minConnections: 1,
      ...server,
      // Before a connection is lent it is made the tenant's, and a tenant prefers one that is so already. Behind a PgBouncer
      // each transaction is made the tenant's.
      session: (tenant) => ({ settings: { "app.tenant": tenant } }),
      traffic: { affinity: true }
    }))
  )
}

const own = Layer.unwrap(
  Effect.map(
    EmbeddedPostgres.EmbeddedPostgres,
    ({ url }) => ConfigProvider.layerAdd(ConfigProvider.fromEnvRecord({ DATABASE_URL: Redacted.value(url) }))
  )
).pipe(Layer.provide(EmbeddedPostgres.layer()))

const server = Layer.unwrap(
  Effect.map(Config.option(Config.Redacted("DATABASE_URL")), (given) => given._tag === "Some" ? Layer.empty : own)
)

const setUp = Db.withConnection((sql) =>
  Effect.gen(function*() {
    yield* sql`CREATE TABLE note (tenant text NOT NULL DEFAULT current_setting('app.tenant'), text text NOT NULL)`
    yield* sql`ALTER TABLE note ENABLE ROW LEVEL SECURITY`
    // The owner of a table is above its policies unless it is told not to be.
    yield* sql`ALTER TABLE note FORCE ROW LEVEL SECURITY`
    yield* sql`CREATE POLICY own ON note USING (tenant = current_setting('app.tenant', true))`
  })
)

/** Nothing in a request's statements names its tenant. */
const request = (tenant: string, text: string) =>
  Effect.gen(function*() {
    yield* Db.query`INSERT INTO note (text) VALUES (${text})`
    const rows = yield* Db.query<{ text: string }>`SELECT text FROM note ORDER BY text`
    yield* Console.log(`${tenant} sees: ${rows.map((row) => row.text).join(", ")}`)
  }).pipe(Traffic.with({ affinity: tenant, fairKey: tenant, tags: { tenant } }))

const program = Effect.gen(function*() {
  yield* setUp
  yield* request("red", "roses")
  yield* request("blue", "violets")
  yield* request("red", "apples")
  const nobody = yield* Db.query`SELECT text FROM note`
  yield* Console.log(`without a tenant: ${nobody.length} rows`)
})

program.pipe(Effect.provide(Layer.provide(Db.live, server)), NodeRuntime.runMain)
