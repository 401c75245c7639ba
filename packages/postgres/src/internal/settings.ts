/**
 * The options of a PostgreSQL pool, checked and sorted: what the connector needs, and what the pool does.
 */
import type { PgConnection } from "@effect/sql-pg"
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import type { SessionOf } from "./tenant/model.ts"
import type { HeavyRules } from "./cost/model.ts"
import type { PrewarmOptions } from "./prewarm.ts"
import type { PoolerOptions } from "./pooler/model.ts"
import type { AuthMethod, SessionReset, SessionRole } from "../PostgresConfig.ts"

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  readonly database: string | undefined
  readonly username: string | undefined
  readonly password: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Sealed: its keys and authorities are in a secure context. */
  readonly ssl: boolean | ConnectionOptions
  /** Warnings of what it leaves unverified. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  readonly applicationName: string
  /** Given to the server in the start-up message. */
  readonly startupParameters: Readonly<Record<string, string>>
  readonly startupOptions: string | undefined
  readonly role: SessionRole
  readonly sessionReset: SessionReset
  /** How many single statements may be on one connection at once. */
  readonly sharing: number
  /** The PgBouncer in between, if there is one. */
  readonly pooler: PoolerOptions | undefined
  readonly session: SessionOf | undefined
  readonly prewarm: PrewarmOptions | undefined
  readonly heavy: HeavyRules | undefined
  /** Options that the driver gets as they are. */
  readonly driver: Pick<
    PgConnection.Config,
    "keepAlive" | "types" | "prepare" | "preparedStatementCacheSize" | "maxMessageSize"
  >
  readonly spanAttributes: Readonly<Record<string, unknown>> | undefined
  readonly transformResultNames: ((name: string) => string) | undefined
  readonly transformQueryNames: ((name: string) => string) | undefined
  readonly transformJson: boolean | undefined
}
