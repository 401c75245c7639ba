/** What the program tells: a line a second while it runs, a table of targets at the end, and one line of JSON. */
import type { PoolStats } from "@effect-pools/core"
import { Console, Effect } from "effect"
import type { Observed, Tally } from "./Tally.ts"

export const progress = Effect.fnUntraced(function*(tally: Tally, second: number) {
  const pools = yield* Effect.forEach(
    tally.observed.values(),
    ({ pool }) =>
      Effect.map(
        pool.stats,
        ({ limit, name, pending, used }) => `${name} ${used}/${limit}${pending > 0 ? `+${pending}` : ""}`
      )
  )
  yield* Console.log(
    `${String(second).padStart(3)} s  turns ${String(tally.served).padStart(6)}  lost ${tally.lost}  | ${
      pools.join("  ")
    }`
  )
})

/** What the application was designed for, and what was measured. */
export const targets = Effect.fnUntraced(function*(tally: Tally) {
  yield* Console.log("\n                 acquire p95  validate p95   utilization      lifetime  failed dials")
  yield* Console.log("target               < 10 ms        < 5 ms    60 to 80 %      > 30 min         < 1 %")
  for (const observed of tally.observed.values()) {
    const stats = yield* observed.pool.stats
    yield* Console.log(
      [
        stats.name.padEnd(14),
        cell(`${stats.wait.p95.toFixed(1)} ms`, stats.wait.p95 < 10),
        stats.validate.count === 0
          ? cell("none made", true)
          : cell(`${stats.validate.p95.toFixed(1)} ms`, stats.validate.p95 < 5),
        cell(`${observed.utilization.toFixed(0)} %`, observed.utilization >= 60 && observed.utilization <= 80),
        lifetime(yield* observed.lifetime, stats),
        cell(`${(failedDials(stats) * 100).toFixed(1)} %`, failedDials(stats) < 0.01)
      ].join("")
    )
  }
  yield* Console.log("The lifetime is met where none has ended: the connections are as old as the program.")
})

/** A program that runs for a minute has no connection of half an hour: it shows that none ends before its time. */
const lifetime = (mean: number, { lifetime: { count } }: PoolStats.PoolStats): string =>
  cell(`${(mean / 1000).toFixed(0)} s`, count === 0 || mean > 30 * 60_000)

const cell = (text: string, isMet: boolean): string => `${text}${isMet ? "  " : " !"}`.padStart(14)

const failedDials = ({ counts }: Pick<PoolStats.PoolStats, "counts">): number =>
  counts.failedToOpen / Math.max(1, counts.failedToOpen + counts.opened)

/** The last line: each pool, and all of them together. A pool that is closed answers as before. */
export const summary = Effect.fnUntraced(function*(tally: Tally) {
  const pools = yield* Effect.forEach(
    tally.observed.values(),
    (observed) => Effect.map(observed.pool.stats, (stats) => [stats.name, ofPool(observed, stats)] as const)
  )
  const sum = (of: (pool: PoolSummary) => number) => pools.reduce((total, [, pool]) => total + of(pool), 0)
  yield* Console.log(JSON.stringify({
    leases: sum(({ leases }) => leases),
    failures: tally.lost,
    retried: sum(({ failures }) => failures),
    turns: tally.served,
    opened: sum(({ opened }) => opened),
    closed: sum(({ closed }) => closed),
    peakConnections: sum(({ peakConnections }) => peakConnections),
    drainMillis: tally.drainMillis,
    pools: Object.fromEntries(pools)
  }))
})

type PoolSummary = ReturnType<typeof ofPool>

const ofPool = (
  { failures, peak, utilization }: Observed,
  { avgQueryTime, counts, lifetime, validate, wait }: PoolStats.PoolStats
) => ({
  leases: counts.acquiredAtOnce + counts.acquiredAfterWaiting,
  failures,
  opened: counts.opened,
  closed: counts.closed,
  peakConnections: peak,
  acquireP95: wait.p95,
  validateP95: validate.p95,
  utilization: Math.round(utilization),
  lifetimeSeconds: Math.round(lifetime.mean / 1000),
  failedDials: failedDials({ counts }),
  avgQueryTime
})
