import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { RedisConfig, RedisConnector } from "@effect-pools/redis"
import { Effect } from "effect"

// The contract is the engine's, held over real connections: as the server counts them, and with leases that end.
ConnectionPoolContract.suite("Redis", {
  layer: EmbeddedRedis.layer(),
  make: Effect.fnUntraced(function*(options) {
    const server = yield* EmbeddedRedis.EmbeddedRedis
    const connector = yield* RedisConnector.make({ url: server.url, clientName: "contract" })
    return yield* ConnectionPool.make(connector, { ...options, kind: RedisConfig.kind })
  }),
  use: (redis: RedisConnector.RedisConnection) => Effect.map(redis.ping(), () => redis.clientId),
  revokes: true,
  live: Effect.gen(function*() {
    const server = yield* EmbeddedRedis.EmbeddedRedis
    return (yield* server.clients).filter(({ name }) => name === "contract").length
  })
})
