/** What the program tells: a line a second while it runs, and one line of JSON at the end. */
import type { ConnectionPool, PoolEvent } from "@effect-pools/core"
import type { PostgresConnector } from "@effect-pools/postgres"
import { Console, Effect, Stream } from "effect"

export type Pool = ConnectionPool.ConnectionPool<PostgresConnector.PostgresConnection>

/** What is counted while the program runs; it outlives the pool. */
export class Tally {
  pool: Pool | undefined = undefined
  failures = 0
  live = 0
  peak = 0

  /** Counts open connections by the pool's own events. */
  watch(pool: Pool): Effect.Effect<void> {
    return Stream.runForEach(pool.events, (event) => Effect.sync(() => this.note(event)))
  }

  private note(event: PoolEvent.PoolEvent): void {
    if (event._tag === "Opened") this.peak = Math.max(this.peak, ++this.live)
    if (event._tag === "Closed") this.live--
  }
}

export const progress = Effect.fnUntraced(function*(tally: Tally, pool: Pool) {
  const { counts, idle, opening, pending, used, wait } = yield* pool.stats
  const leases = counts.acquiredAtOnce + counts.acquiredAfterWaiting
  yield* Console.log(
    [
      `leases ${leases}`,
      `failures ${tally.failures}`,
      `used ${used}`,
      `idle ${idle}`,
      `opening ${opening}`,
      `pending ${pending}`,
      `wait p95 ${wait.p95.toFixed(1)} ms`,
      `opened ${counts.opened}`,
      `closed ${counts.closed}`
    ].join("  ")
  )
})

/** The last line. A pool that is closed answers as before, and a drain that has ended tells its report again. */
export const summary = Effect.fnUntraced(function*(tally: Tally) {
  const counts = tally.pool === undefined ? undefined : (yield* tally.pool.stats).counts
  const drainMillis = tally.pool === undefined ? 0 : (yield* tally.pool.drain).took
  yield* Console.log(JSON.stringify({
    leases: counts === undefined ? 0 : counts.acquiredAtOnce + counts.acquiredAfterWaiting,
    failures: tally.failures,
    opened: counts?.opened ?? 0,
    closed: counts?.closed ?? 0,
    peakConnections: tally.peak,
    drainMillis
  }))
})
