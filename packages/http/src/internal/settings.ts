/**
 * The options of an HTTP pool in the form the connector wants: checked, complete, durations in milliseconds.
 */
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import type { HttpOptions } from "../HttpConfig.ts"
import type { Defaults, HealthRequest } from "./optionTable.ts"
import type { Proxy } from "./proxy.ts"

/** Header values by lower-case name. */
type HeaderValues = Readonly<Record<string, string>>

export interface ConnectionSettings extends Omit<Defaults, "strategy" | "userAgent"> {
  /** Scheme, host and port, without a path. */
  readonly origin: string
  /** The beginning of the path of a relative URL: empty, or `/v1` without a slash at its end. */
  readonly basePath: string
  /** The headers of every request. They may hold secrets, so they are never shown. */
  readonly headers: Redacted.Redacted<HeaderValues>
  readonly credentials: HttpOptions["credentials"]
  /** Keys and certificates are in its `secureContext`, which shows nothing of them. */
  readonly tls: ConnectionOptions
  /** Warnings that follow from its options. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly proxy: Proxy | undefined
  readonly healthRequest: HealthRequest | undefined
}
