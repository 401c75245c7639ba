import { PostgresConfig, PostgresConnector } from "@effect-pools/postgres"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { Effect, Layer } from "effect"
import { Reactivity } from "effect/reactivity"

// The contract is the engine's, held over real connections: as the server counts them, and with leases that end.
ConnectionPoolContract.suite("PostgreSQL", {
  layer: Layer.merge(EmbeddedPostgres.layer({ settings: { max_connections: 60 } }), Reactivity.layer),
  make: Effect.fnUntraced(function*(options) {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const connector = yield* PostgresConnector.make({ url: server.url })
    return yield* ConnectionPool.make(connector, { ...options, kind: PostgresConfig.kind })
  }),
  use: (sql: PostgresConnector.PostgresConnection) => Effect.as(sql`SELECT 1`, sql.processId),
  revokes: true,
  live: Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    return (yield* server.backends()).length
  })
})
