import { ConnectionPool } from "@effect-pools/core"
import { EmbeddedPostgres, FakeConnector, FaultyConnector } from "@effect-pools/testing"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Layer } from "effect"

const suite = (name: string, options: FakeConnector.Options) => {
  const fake = FakeConnector.make(options)
  ConnectionPoolContract.suite(name, {
    layer: Layer.empty,
    make: (options) => ConnectionPool.make(fake.connector, options),
    use: (connection) => Effect.as(fake.use(connection, Effect.yieldNow), connection.id),
    live: Effect.sync(() => fake.live),
    revokes: options.lends
  })
}

suite("a fake that is quick", {})

suite("a fake that is slow, and lends views", { connectDelay: 10, closeDelay: 10, lends: true })

suite("a fake that can neither validate nor reset", { validate: false, reset: false })

const fake = FakeConnector.make()
const slow = FaultyConnector.make(fake.connector, () => ({ outcome: "ok", delay: 3 }))

ConnectionPoolContract.suite("a fake whose every step takes its time", {
  layer: Layer.empty,
  make: (options) => ConnectionPool.make(slow.connector, options),
  use: (connection) => Effect.as(fake.use(connection, Effect.sleep(1)), connection.id),
  live: Effect.sync(() => slow.live)
})

const { EmbeddedPostgres: Postgres } = EmbeddedPostgres

ConnectionPoolContract.suite("a real server", {
  layer: EmbeddedPostgres.layer(),
  make: (options) =>
    Effect.flatMap(Postgres, ({ url }) =>
      ConnectionPool.make({
        connect: () => PgConnection.make({ url }),
        validate: (connection: PgConnection.PgConnection) => connection.query("SELECT 1"),
        reset: (connection) => connection.query("DISCARD ALL")
      }, options)),
  use: (connection) => Effect.as(connection.query("SELECT 1"), connection.processId),
  live: Effect.flatMap(Postgres, (postgres) => Effect.map(postgres.backends(), (backends) => backends.length))
})
