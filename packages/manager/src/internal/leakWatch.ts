/**
 * Counts the leases of a pool that are held longer than `leakTimeout`.
 *
 * The pool counts suspicions, and this count never falls; nor does it count leases that are meant to be long. So the
 * connections are looked at when the count has risen: what has crossed `leakTimeout` since the look before is what it
 * counted, and stays suspected until it is back.
 */
import type { ConnectionInfo } from "@effect-pools/core/ConnectionPool"
import type { PoolStats } from "@effect-pools/core/PoolStats"
import * as Effect from "effect/Effect"
import type { ManagedPool } from "./managedPool.ts"

export class LeakWatch {
  private readonly pool: ManagedPool
  private seen = 0
  private lastLook: number
  /** When each suspected lease began, by its connection. */
  private readonly suspected = new Map<number, number>()

  constructor(pool: ManagedPool, now: number) {
    this.pool = pool
    this.lastLook = now
  }

  count(stats: PoolStats, now: number): Effect.Effect<number> {
    const risen = stats.counts.leaksSuspected > this.seen
    if (!risen && this.suspected.size === 0) {
      this.lastLook = now
      return Effect.succeed(0)
    }
    return Effect.map(this.pool.connections, (connections) => {
      this.forgetEnded(connections, now)
      if (risen) this.suspect(connections, now)
      this.seen = stats.counts.leaksSuspected
      this.lastLook = now
      return this.suspected.size
    })
  }

  private forgetEnded(connections: ReadonlyArray<ConnectionInfo>, now: number): void {
    const begun = new Map(connections.flatMap((info) => info.state === "used" ? [[info.id, now - info.heldFor]] : []))
    for (const [id, since] of this.suspected) {
      // A later lease of the same connection begins later; the clocks may differ by a little.
      const current = begun.get(id)
      if (current === undefined || current > since + tolerance) this.suspected.delete(id)
    }
  }

  private suspect(connections: ReadonlyArray<ConnectionInfo>, now: number): void {
    const { leakTimeout } = this.pool.config
    for (const { heldFor, id, state } of connections) {
      const hasCrossed = heldFor >= leakTimeout && heldFor <= leakTimeout + (now - this.lastLook) + tolerance
      if (state === "used" && hasCrossed) this.suspected.set(id, now - heldFor)
    }
  }
}

/** ms */
const tolerance = 100
