/** The kinds that the backends hand over. */
import { PoolConfig, type PoolKind } from "@effect-pools/core"
import { HttpConfig, HttpPool } from "@effect-pools/http"
import { PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { RedisConfig, RedisPool } from "@effect-pools/redis"
import { WebSocketConfig, WebSocketPool } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"

const minutes = 60_000

class Db extends PostgresPool.Service<Db>()("app/Db") {}
class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
class Api extends HttpPool.Service<Api>()("app/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}

describe("kinds", () => {
  it.each(
    [
      [PostgresConfig.kind, "db", true, 2, 20, 5, 60],
      [RedisConfig.kind, "redis", true, 2, 15, 5, 45],
      [HttpConfig.kind, "http", false, 1, 10, 2, 30],
      [WebSocketConfig.kind, "websocket", false, 1, 5, 10, 120]
    ] as ReadonlyArray<[PoolKind.PoolKind, string, boolean, number, number, number, number]>
  )("%o has its defaults", (kind, name, isDatabase, minConnections, maxConnections, idle, lifetime) => {
    assert.strictEqual(kind.name, name)
    assert.strictEqual(kind.isDatabase === true, isDatabase)
    const defaults = PoolConfig.defaultsOf(kind)
    assert.deepInclude(defaults, {
      minConnections,
      maxConnections,
      idleTimeout: idle * minutes,
      maxLifetime: lifetime * minutes
    })
  })

  it.effect("a pool of a backend is of the backend's kind", () =>
    Effect.gen(function*() {
      const pools = [yield* Db, yield* Cache, yield* Api, yield* Chat]
      assert.deepStrictEqual(pools.map(({ config: { isDatabase, kind } }) => [kind, isDatabase]), [
        ["db", true],
        ["redis", true],
        ["http", false],
        ["websocket", false]
      ])
    }).pipe(Effect.provide(Layer.mergeAll(
      Db.layerTest(() => []),
      Cache.layerTest(() => null),
      Api.layerTest(() => new Response("")),
      Chat.layerTest(() => [])
    ))))
})
