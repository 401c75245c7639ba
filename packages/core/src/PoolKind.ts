/**
 * Kinds of pool. A kind is what a backend hands over: what its pools are called in metrics and on pages, their defaults,
 * and whether they are databases. The core has a list of none.
 *
 * ```ts
 * import { ConnectionPool, type Connector, type PoolKind } from "@effect-pools/core"
 *
 * const smtp: PoolKind.PoolKind = { name: "smtp", defaults: { maxConnections: 4, idleTimeout: "1 minute" } }
 *
 * declare const connector: Connector.Connector<{ readonly send: (text: string) => void }>
 *
 * const pool = ConnectionPool.make(connector, { kind: smtp })
 * ```
 *
 * @since 0.1.0
 */
import type { PoolOptions } from "./internal/model/config.ts"

/**
 * A kind of pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolKind {
  /**
   * The first word of the metrics' names, as in `smtp_pool_connections_idle`, and what pages call the kind: small letters,
   * digits and underscores.
   */
  readonly name: string
  /** The options that differ by default from those of any service. */
  readonly defaults?: Omit<PoolOptions, "name"> | undefined
  /** Whether OpenTelemetry's metrics of database clients are published for its pools as well. Default false. */
  readonly isDatabase?: boolean | undefined
}

/**
 * Any resource: the kind of a pool that says nothing else.
 *
 * @category kinds
 * @since 0.1.0
 */
export const service: PoolKind = Object.freeze({ name: "service" })
