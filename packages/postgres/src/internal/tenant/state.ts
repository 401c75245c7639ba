/**
 * The settings of a session for the callers of a key.
 */
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"

export interface SessionTenant {
  /** The state as a text; `undefined` when nobody knows. */
  text: string | undefined
  names: ReadonlyArray<string>
  hasRole: boolean
}

/** Runs a statement of the pool's own in the session. */
export type Pin = (text: string, params: ReadonlyArray<string>) => Effect.Effect<unknown, SqlError>
