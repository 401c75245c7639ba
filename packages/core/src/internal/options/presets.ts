/**
 * Options for common situations. Backend packages add what only their kind has.
 */
import type { PoolOptions } from "../model/config.ts"

/**
 * The names of the presets.
 *
 * @category presets
 * @since 0.1.0
 */
export type PresetName = "development" | "production" | "highThroughput" | "lowLatency" | "serverless"

/**
 * How a preset is shown to people, who choose one in a page or a prompt.
 *
 * @category presets
 * @since 0.1.0
 */
export interface PresetText {
  readonly name: string
  readonly description: string
}

/**
 * The presets' names and descriptions as data.
 *
 * @category presets
 * @since 0.1.0
 */
export const presetTexts: Readonly<Record<PresetName, PresetText>> = Object.freeze({
  development: text("Development", "Few connections, quick to fail, for work on one machine"),
  production: text("Production", "Balanced settings for most services"),
  highThroughput: text("High throughput", "Many connections for many callers; those a burst needed go soon after it"),
  lowLatency: text("Low latency", "Many connections kept warm, and short waits"),
  serverless: text("Serverless", "Nothing is kept open between calls")
})

/**
 * Options for common situations, to be spread before one's own: `{ ...presets.production, maxConnections: 30 }`. Their
 * numbers are for a database; each backend package has `presets` of its kind, with its own timeouts.
 *
 * - `development`: few connections, quick to fail
 * - `production`: balanced
 * - `highThroughput`: many connections; those a burst needed go soon after it
 * - `lowLatency`: connections kept warm, short waits
 * - `serverless`: nothing kept open between calls
 *
 * @category presets
 * @since 0.1.0
 */
export const presets: Readonly<Record<PresetName, PoolOptions>> = Object.freeze({
  development: Object.freeze({
    minConnections: 2,
    maxConnections: 10,
    idleTimeout: "1 minute",
    connectTimeout: "5 seconds",
    acquireTimeout: "10 seconds"
  }),
  production: Object.freeze({
    minConnections: 10,
    maxConnections: 50,
    idleTimeout: "30 seconds",
    connectTimeout: "10 seconds",
    acquireTimeout: "30 seconds"
  }),
  highThroughput: Object.freeze({
    minConnections: 20,
    maxConnections: 100,
    idleTimeout: "10 seconds",
    connectTimeout: "5 seconds",
    acquireTimeout: "15 seconds"
  }),
  lowLatency: Object.freeze({
    minConnections: 20,
    maxConnections: 50,
    idleTimeout: "1 minute",
    connectTimeout: "3 seconds",
    acquireTimeout: "5 seconds"
  }),
  serverless: Object.freeze({
    minConnections: 0,
    maxConnections: 10,
    idleTimeout: "5 seconds",
    connectTimeout: "10 seconds",
    acquireTimeout: "20 seconds"
  })
})

/**
 * For authors of backend packages: the presets of a kind, from what differs in it.
 *
 * @category presets
 * @since 0.1.0
 */
export const presetsWith = <Options extends PoolOptions>(
  own: Readonly<Record<PresetName, Options>>
): Readonly<Record<PresetName, Options>> =>
  Object.freeze({
    development: Object.freeze({ ...presets.development, ...own.development }),
    production: Object.freeze({ ...presets.production, ...own.production }),
    highThroughput: Object.freeze({ ...presets.highThroughput, ...own.highThroughput }),
    lowLatency: Object.freeze({ ...presets.lowLatency, ...own.lowLatency }),
    serverless: Object.freeze({ ...presets.serverless, ...own.serverless })
  })

function text(name: string, description: string): PresetText {
  return Object.freeze({ name, description })
}
