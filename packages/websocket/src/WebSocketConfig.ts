/**
 * The options of a WebSocket pool, and how they are read from the environment.
 *
 * @since 0.1.0
 */
import * as PoolConfig from "@effect-pools/core/PoolConfig"
import type { PoolKind } from "@effect-pools/core/PoolKind"
import * as Config from "effect/Config"
import type { WebSocketOptions } from "./internal/configModel.ts"

export type {
  CloseVerdict,
  ConnectionOptionsOf,
  Control,
  ControlMessages,
  Correlation,
  Headers,
  InboundPolicy,
  KeepAlive,
  MessageSchema,
  RawMessage,
  SchemaOption,
  SendPolicy,
  WebSocketOptions
} from "./internal/configModel.ts"

/**
 * The kind of WebSocket pools: their name in metrics, and their defaults.
 *
 * @category kinds
 * @since 0.1.0
 */
export const kind: PoolKind = Object.freeze({
  name: "websocket",
  defaults: Object.freeze({
    minConnections: 1,
    maxConnections: 5,
    idleTimeout: "10 minutes",
    maxLifetime: "2 hours",
    healthCheck: "15 seconds"
  })
})

type PresetOptions = PoolConfig.PoolOptions & Pick<WebSocketOptions, "requestTimeout">

/**
 * Options for common situations, to be spread before one's own with the `schema` if there is one. They have fewer
 * connections than `PoolConfig.presets`, which live longer, and a `requestTimeout`. `PoolConfig.presetTexts` says what each
 * is for.
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<Record<PoolConfig.PresetName, PresetOptions>> = PoolConfig.presetsWith<PresetOptions>({
  development: { minConnections: 1, maxConnections: 2, requestTimeout: "30 seconds" },
  production: { minConnections: 1, maxConnections: 8, idleTimeout: "10 minutes", requestTimeout: "30 seconds" },
  highThroughput: { minConnections: 2, maxConnections: 16, idleTimeout: "1 minute", requestTimeout: "15 seconds" },
  lowLatency: { minConnections: 4, maxConnections: 8, idleTimeout: "10 minutes", requestTimeout: "5 seconds" },
  serverless: { maxConnections: 2, requestTimeout: "20 seconds" }
})

/**
 * Reads options from the environment: `WEBSOCKET_URL`, and what `PoolConfig.fromEnv` reads.
 *
 * @category configuration
 * @since 0.1.0
 */
export const fromEnv: Config.Config<WebSocketOptions> = Config.all({
  url: Config.Redacted("WEBSOCKET_URL"),
  pool: PoolConfig.fromEnv
}).pipe(Config.map(({ pool, url }): WebSocketOptions => Object.assign({ url }, pool)))
