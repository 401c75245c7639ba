/**
 * The options of an HTTP pool in the form the connector wants: checked, complete, durations in milliseconds.
 */
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import type { Proxy } from "./proxy.ts"

/** Header values by lower-case name. */
type HeaderValues = Readonly<Record<string, string>>

export interface ConnectionSettings {
  /** Scheme, host and port, without a path. */
  readonly origin: string
  /** The beginning of the path of a relative URL: empty, or `/v1` without a slash at its end. */
  readonly basePath: string
  /** The headers of every request. They may hold secrets, so they are never shown. */
  readonly headers: Redacted.Redacted<HeaderValues>
  readonly credentials: Effect.Effect<Readonly<Record<string, string | Redacted.Redacted>>, unknown> | undefined
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly keepAliveMargin: number
  readonly maxHeaderSize: number
  /** -1 without a limit. */
  readonly maxResponseSize: number
  readonly maxConcurrentStreams: number
  readonly allowH2: boolean
  /** Keys and certificates are in its `secureContext`, which shows nothing of them. */
  readonly tls: ConnectionOptions
  /** Warnings that follow from its options. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly proxy: Proxy | undefined
  readonly healthRequest: HealthRequest | undefined
  /** Whether compressed bodies are asked for, and handed on as they were before. */
  readonly decompress: boolean
  /** Whether queries may be in spans and errors. */
  readonly showQuery: boolean
  /** The longest pause that a server's `Retry-After` may ask for; 0 when it is not heeded. */
  readonly maxRetryAfter: number
}

export interface HealthRequest {
  readonly method: "HEAD" | "GET"
  readonly path: string
}
