/**
 * A pool as the manager sees it: everything but lending, so that it needs not know what is lent.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"

export type ManagedPool = Omit<
  ConnectionPool<never>,
  "withConnection" | "withShared" | "acquire" | "acquireWith" | "invalidate"
>
