/**
 * The settings of a pool: its options with every default in place. Durations are in milliseconds.
 */
import type { Complete } from "@effect-pools/core/OptionRules"
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type { CloseVerdict, ConnectionOptionsOf, MessageSchema } from "./configModel.ts"
import type { Defaults } from "./optionTable.ts"

/** Keys and certificates are in the `secureContext` of its `tls`, which shows nothing of them. */
export interface ConnectionSettings<Message>
  extends Omit<Complete<ConnectionOptionsOf<Message>, Defaults>, "closeCodes">
{
  readonly schema: MessageSchema<Message> | undefined
  readonly closeCodes: (code: number, reason: string) => CloseVerdict
  /** Warnings that follow from its options. */
  readonly warnings: ReadonlyArray<HealthWarning>
  /** How long the server may take to answer a close, which leaves the pool's `closeTimeout` for the rest. */
  readonly goodbyeTimeout: number
}
