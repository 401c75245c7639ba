/** The pools that were made by name, as classes: each is a service with its own layer. */
import { PoolConfig, PoolSizing, ResourcePool } from "@effect-pools/core"
import { HttpPool } from "@effect-pools/http"
import { ConnectionManager } from "@effect-pools/manager"
import { PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool, WebSocketProtocol } from "@effect-pools/websocket"
import { Effect, Layer, Schedule, Schema } from "effect"
import { Servers } from "./Servers.ts"

export const Message = Schema.Struct({ type: Schema.String, text: Schema.optionalKey(Schema.String) })
export type Message = typeof Message.Type

/** `createDatabasePool("primary-db", ...)`, `new ManagedPool(config)`. */
export class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("primary-db") {}
/** `createRedisPool("cache", ...)`. */
export class Cache extends RedisPool.Service<Cache>()("cache") {}
/** `createHTTPPool("voice-api", ...)`. */
export class VoiceApi extends HttpPool.Service<VoiceApi>()("voice-api") {}
/** `createWebSocketPool("realtime", ...)`. */
export class Realtime extends WebSocketPool.Service<Realtime, Message>()("realtime") {}

/** `new GenericResourcePool({ create, destroy, validate })`. */
export interface Session {
  readonly id: number
}
export class Sessions extends ResourcePool.Service<Sessions, Session>()("sessions") {}

/** `calculateOptimalPoolSize(...)`. */
export const size = PoolSizing.recommend({
  cores: 4,
  memory: 8192,
  serverMaxConnections: 100,
  meanQueryTime: "20 millis",
  targetRate: 200
})

/** `createPoolConfig("production", overrides)`: the preset, the environment over it, and then one's own. */
const database = Effect.gen(function*() {
  const environment = yield* PostgresConfig.fromEnv
  const { databaseUrl } = yield* Servers
  const { description, name } = PoolConfig.presetTexts.production
  yield* Effect.logDebug(`${name}: ${description}`)
  return PrimaryDb.layer({
    ...PostgresConfig.presets.production,
    ...environment,
    url: databaseUrl,
    minConnections: 2,
    maxConnections: size.maxConnections,
    acquireTimeout: "30 seconds",
    connectTimeout: "10 seconds",
    idleTimeout: "5 minutes",
    maxLifetime: "1 hour",
    maxLifetimeJitter: 0.1,
    retry: Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 })),
    breaker: { failureRate: 0.5 },
    healthCheck: "30 seconds",
    statementTimeout: "1 minute",
    idleInTransactionTimeout: "1 minute",
    applicationName: "voice-terminal",
    ssl: false,
    metrics: true
  })
})

const others = Effect.map(Servers, ({ apiOrigin, cacheUrl, realtimeUrl }) =>
  Layer.mergeAll(
    Cache.layerPoolOnly({ url: cacheUrl, minConnections: 1, maxConnections: 15 }),
    VoiceApi.layerPoolOnly({
      origin: apiOrigin,
      basePath: "/v1",
      headers: { "x-client": "voice-terminal" },
      userAgent: "VoiceTerminal/1.0",
      headersTimeout: "30 seconds",
      healthRequest: { path: "/health" },
      maxConnections: 8
    }),
    Realtime.layerPoolOnly({
      url: realtimeUrl,
      ...WebSocketProtocol.json({ messages: Message, protocol: "voice-terminal-protocol" }),
      pingInterval: "30 seconds",
      pongTimeout: "5 seconds",
      reconnectDelay: "2 seconds",
      maxConnections: 5
    })
  ))

let created = 0

const sessions = Sessions.layer({
  acquire: Effect.acquireRelease(Effect.sync((): Session => ({ id: ++created })), () => Effect.void),
  validate: () => Effect.void,
  reset: () => undefined,
  minConnections: 2,
  maxConnections: 5
})

const pools = Layer.mergeAll(Layer.unwrap(database), Layer.unwrap(others), sessions)

/** `new ConnectionPoolManager()`, and `registerPool` for each. */
export const layer = ConnectionManager.layer({ pools: [PrimaryDb, Cache, VoiceApi, Realtime, Sessions] }).pipe(
  Layer.provideMerge(pools),
  Layer.provideMerge(Servers.layer)
)
