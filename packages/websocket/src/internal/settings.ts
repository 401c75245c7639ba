/**
 * The settings of a pool: its options with every default in place. Durations are in milliseconds.
 */
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import type {
  CloseVerdict,
  ControlMessages,
  Correlation,
  Headers,
  InboundPolicy,
  KeepAlive,
  MessageSchema,
  SendPolicy
} from "./configModel.ts"
import type { WebSocketConnection } from "./connectionModel.ts"

export interface ConnectionSettings<Message> {
  readonly url: string | Redacted.Redacted | Effect.Effect<string | Redacted.Redacted, unknown>
  readonly protocols: ReadonlyArray<string>
  readonly headers: Headers | Effect.Effect<Headers, unknown>
  /** Keys and certificates are in its `secureContext`, which shows nothing of them. */
  readonly tls: ConnectionOptions | undefined
  /** Warnings that follow from its options. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly pingInterval: number
  readonly pongTimeout: number
  readonly keepAlive: KeepAlive<Message> | undefined
  readonly control: ControlMessages | undefined
  readonly maxPayload: number
  readonly maxFragments: number
  readonly perMessageDeflate: boolean
  readonly sendBufferLimit: number
  readonly sendPolicy: SendPolicy
  readonly sendTimeout: number
  readonly requestTimeout: number
  readonly inboundCapacity: number
  readonly inboundPolicy: InboundPolicy
  readonly schema: MessageSchema<Message> | undefined
  readonly correlation: Correlation<Message> | undefined
  readonly sharing: number
  readonly closeCodes: (code: number, reason: string) => CloseVerdict
  readonly stableAfter: number
  readonly reconnectDelay: number
  readonly maxRetryAfter: number
  readonly onOpen: ((connection: WebSocketConnection<Message>) => Effect.Effect<unknown, unknown>) | undefined
  /** How long the server may take to answer a close, which leaves the pool's `closeTimeout` for the rest. */
  readonly goodbyeTimeout: number
}
