/**
 * The options of a PostgreSQL pool, checked and sorted: what the connector needs, and what the pool does.
 */
import type { PgConnection } from "@effect/sql-pg"
import type { Complete } from "@effect-pools/core/OptionRules"
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type { ConnectionOptions } from "node:tls"
import type { HeavyRules } from "./cost/model.ts"
import type { Defaults, Own } from "./optionTable.ts"

type DriverOptions = "keepAlive" | "types" | "prepare" | "preparedStatementCacheSize" | "maxMessageSize"

export interface ConnectionSettings
  extends Omit<Complete<Own, Defaults>, DriverOptions | "applicationName" | "heavy" | "ssl">
{
  /** Sealed: its keys and authorities are in a secure context. */
  readonly ssl: boolean | ConnectionOptions
  /** Warnings of what it leaves unverified. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly applicationName: string
  /** Given to the server in the start-up message. */
  readonly startupParameters: Readonly<Record<string, string>>
  readonly startupOptions: string | undefined
  readonly heavy: HeavyRules | undefined
  /** Options that the driver gets as they are. */
  readonly driver: Pick<PgConnection.Config, DriverOptions>
}
