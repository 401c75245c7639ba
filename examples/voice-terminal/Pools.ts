/** The connections of the voice terminal: four pools, and the manager that watches them and drains them. */
import { HttpPool } from "@effect-pools/http"
import { ConnectionManager } from "@effect-pools/manager"
import { PostgresCluster } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool, WebSocketProtocol } from "@effect-pools/websocket"
import { Effect, Layer, Schema } from "effect"
import { Backends } from "./backends/all.ts"

/** The messages of the realtime connection, in both directions. */
export const RealtimeMessage = Schema.Struct({
  type: Schema.Literals(["said", "ack", "time"]),
  id: Schema.optionalKey(Schema.String),
  terminal: Schema.optionalKey(Schema.Int),
  text: Schema.optionalKey(Schema.String),
  at: Schema.optionalKey(Schema.String)
})
export type RealtimeMessage = typeof RealtimeMessage.Type

export class Database extends PostgresCluster.Service<Database>()("database") {}
export class Cache extends RedisPool.Service<Cache>()("cache") {}
export class VoiceApi extends HttpPool.Service<VoiceApi>()("voice-api") {}
export class Realtime extends WebSocketPool.Service<Realtime, RealtimeMessage>()("realtime") {}

export const all = [Database, Cache, VoiceApi, Realtime] as const

const pools = Layer.unwrap(Effect.map(Backends, (backends) =>
  Layer.mergeAll(
    Database.layerPoolOnly({
      primary: { url: backends.primaryUrl, minConnections: 5, maxConnections: 25 },
      replicas: [{ url: backends.replicaUrl, minConnections: 2, maxConnections: 10 }]
    }),
    backends.cache._tag === "Redis"
      ? Cache.layerPoolOnly({
        url: backends.cache.url,
        minConnections: 3,
        maxConnections: 15,
        acquireTimeout: "200 millis"
      })
      : Cache.layerTest(backends.cache.script),
    VoiceApi.layerPoolOnly({ origin: backends.voiceApiOrigin, minConnections: 2, maxConnections: 8 }),
    Realtime.layerPoolOnly({
      url: backends.realtimeUrl,
      minConnections: 1,
      maxConnections: 5,
      ...WebSocketProtocol.json({ messages: RealtimeMessage, protocol: "voice-terminal-protocol" }),
      correlation: {
        withId: (message, id) => ({ ...message, id }),
        idOf: (message) => message.type === "ack" ? message.id : undefined
      }
    })
  )))

/** What the users talk to is drained before what it needs. */
const manager = ConnectionManager.layer({
  pools: all,
  drainOrder: [[VoiceApi, Realtime], [Database, Cache]]
})

export const layer = Layer.provideMerge(manager, pools)
