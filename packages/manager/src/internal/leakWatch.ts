/**
 * Counts the connections of a pool that are held longer than `leakTimeout`.
 *
 * The pool counts suspicions, and this count never falls: only when it has risen, and as long as any of them lasts, are
 * the connections looked at.
 */
import type { PoolStats } from "@effect-pools/core/PoolStats"
import * as Effect from "effect/Effect"
import type { ManagedPool } from "./managedPool.ts"

export class LeakWatch {
  private readonly pool: ManagedPool
  private seen = 0
  private suspected = 0

  constructor(pool: ManagedPool) {
    this.pool = pool
  }

  count({ counts }: PoolStats): Effect.Effect<number> {
    if (counts.leaksSuspected === this.seen && this.suspected === 0) return Effect.succeed(0)
    this.seen = counts.leaksSuspected
    return Effect.map(this.pool.connections, (connections) => {
      this.suspected = connections.filter(({ isLeakSuspected }) => isLeakSuspected).length
      return this.suspected
    })
  }
}
