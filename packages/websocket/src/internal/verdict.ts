/**
 * The warning in the health of a pool once the server has refused this client for good.
 */
import type { PoolHealth } from "@effect-pools/core/PoolHealth"
import type { WebSocketError } from "../WebSocketError.ts"

/** Warnings that promise dials. */
const dials: ReadonlySet<string> = new Set(["breaker", "connect"])

/** The health of a pool that opens no connection any more for this reason, if there is one, promises none. */
export const tell = (health: PoolHealth, final: WebSocketError | undefined): PoolHealth =>
  final === undefined ? health : {
    ...health,
    status: "unhealthy",
    warnings: [
      {
        about: "connect",
        level: "critical",
        value: 0,
        message: `no connection is opened any more: ${final.message}`,
        remedy: "Mend what the server objects to and make a new pool, or give closeCodes another verdict."
      },
      ...health.warnings.filter(({ about }) => !dials.has(about))
    ]
  }
