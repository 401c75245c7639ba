/** The program's output: a line a second while it runs, a table of targets at the end, and one line of JSON. */
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

/** The run that the report tells of. */
interface Measured {
  /** ms */
  readonly took: number
  readonly people: number
  readonly isChaotic: boolean
}

/** One objective: what was measured of a pool, whether it is met, and what it means if it is not. */
interface Objective {
  readonly name: string
  readonly target: string
  readonly of: (observed: Observed, stats: PoolStats.PoolStats, lifetime: number) => string
  readonly isMet: (observed: Observed, stats: PoolStats.PoolStats, lifetime: number) => boolean
  readonly miss: (observed: Observed, measured: Measured) => string
}

const included = ({ isChaotic }: Measured): string =>
  isChaotic ? "; the time in which servers were down is included" : ""

const objectives: ReadonlyArray<Objective> = [
  {
    name: "acquire p95",
    target: "< 10 ms",
    of: (_, { wait }) => `${wait.p95.toFixed(1)} ms`,
    isMet: (_, { wait }) => wait.p95 < 10,
    miss: (_, measured) =>
      `callers waited for a connection: the pool is too small for this load, or the machine is busy${
        included(measured)
      }`
  },
  {
    name: "validate p95",
    target: "< 5 ms",
    of: (_, { validate }) => validate.count === 0 ? "none made" : `${validate.p95.toFixed(1)} ms`,
    isMet: (_, { validate }) => validate.count === 0 || validate.p95 < 5,
    miss: (_, measured) => `a bare round trip took that long: the server, or this machine, is busy${included(measured)}`
  },
  {
    name: "utilization",
    target: "60 to 80 %",
    of: ({ utilization }) => `${utilization.toFixed(0)} %`,
    isMet: ({ utilization }) => utilization >= 60 && utilization <= 80,
    miss: ({ utilization }, measured) =>
      (utilization > 80
        ? `too many people for its connections: fewer (--load), or a larger maxConnections`
        : `more connections than this load needs: more people (--load), or a smaller maxConnections`) +
      included(measured)
  },
  {
    name: "lifetime",
    target: "> 30 min",
    of: (_, __, lifetime) => `${(lifetime / 1000).toFixed(0)} s`,
    isMet: (_, stats, lifetime) => isLongLived(lifetime, stats),
    miss: (_, measured) => `connections ended before their time${included(measured)}`
  },
  {
    name: "failed dials",
    target: "< 1 %",
    of: (_, stats) => `${(failedDials(stats) * 100).toFixed(1)} %`,
    isMet: (_, stats) => failedDials(stats) < 0.01,
    miss: (_, measured) => `attempts to connect failed${included(measured)}`
  }
]

/** The targets of the application's design, the numbers that were measured, and the meaning of a miss. */
export const targets = Effect.fnUntraced(function*(tally: Tally, measured: Measured) {
  const { isChaotic, people, took } = measured
  yield* Console.log(
    `\n-- measured over ${
      (took / 1000).toFixed(0)
    } s of ${people} people, without the start of the servers and the end${
      isChaotic ? ", with the time in which servers were down" : ""
    }; ! is a target that was missed`
  )
  yield* Console.log(" ".repeat(14) + objectives.map(({ name }) => name.padStart(14)).join(""))
  yield* Console.log("target".padEnd(14) + objectives.map(({ target }) => target.padStart(14)).join(""))
  const misses: Array<string> = []
  for (const observed of tally.observed.values()) {
    const stats = yield* observed.pool.stats
    const lifetime = yield* observed.lifetime
    const cells = objectives.map(({ isMet, miss, name, of }) => {
      const met = isMet(observed, stats, lifetime)
      if (!met) misses.push(`! ${stats.name}, ${name}: ${miss(observed, measured)}`)
      return `${of(observed, stats, lifetime)}${met ? "" : " !"}`.padStart(14)
    })
    yield* Console.log(stats.name.padEnd(14) + cells.join(""))
  }
  yield* Console.log(misses.length === 0 ? "All targets are met." : misses.join("\n"))
  yield* Console.log("A lifetime is met where no connection has ended: they are as old as the program.")
})

/** A program that runs for a minute has no connection of half an hour: it shows that none ends before its time. */
const isLongLived = (mean: number, { lifetime: { count } }: PoolStats.PoolStats): boolean =>
  count === 0 || mean > 30 * 60_000

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
    failures: sum(({ failures }) => failures),
    turns: tally.served,
    lost: tally.lost,
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
