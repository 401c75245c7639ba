import { BalancedPool, ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import { Effect, Layer, Stream } from "effect"

const fake = FakeConnector.make({ connectDelay: 5, closeDelay: 5, lends: true })

/** The contract asks for the pool's name in every event, where a balanced pool tells its upstream's. */
const named = <Lent>(pool: BalancedPool.BalancedPool<Lent>): ConnectionPool.ConnectionPool<Lent> => ({
  ...pool,
  events: Stream.map(pool.events, (event) => ({ ...event, pool: pool.name }))
})

// The contract counts single connections, so all of them are one upstream's; it is the members that are under test.
ConnectionPoolContract.suite("a balanced pool", {
  layer: Layer.empty,
  make: (options) =>
    Effect.flatMap(
      ConnectionPool.make(fake.connector, { ...options, name: "upstream" }),
      (pool) => Effect.map(BalancedPool.make([{ pool }], { name: options.name }), named)
    ),
  use: (connection) => Effect.as(fake.use(connection, Effect.yieldNow), connection.id),
  live: Effect.sync(() => fake.live),
  revokes: true
})
