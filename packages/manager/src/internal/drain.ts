/**
 * Drains pools, group after group, within one deadline for all.
 *
 * A pool that is stuck must not use up the time of those after it: each group gets an equal share of what is left, and
 * what it does not need goes to the next. Whoever was not done in time goes on beside the others, and is looked at
 * again at the end.
 */
import type { DrainReport } from "@effect-pools/core/ConnectionPool"
import { DrainWithin } from "@effect-pools/core/ConnectionPool"
import { describeHolder } from "@effect-pools/core/Describe"
import type { Holder } from "@effect-pools/core/PoolError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ManagedPool } from "./managedPool.ts"

/** The outcome for one pool. */
export interface DrainedPool {
  readonly pool: string
  /** The pool's report of its drain; `undefined` if it was not done at the deadline. */
  readonly report: DrainReport | undefined
  /** The callers that still held a connection when it was closed under them, or at the deadline, longest first. */
  readonly held: ReadonlyArray<Holder>
}

/** The report of a drain of several pools. Durations are in milliseconds. */
export interface ManagerDrainReport {
  readonly took: number
  /** Whether every pool was done before the deadline. */
  readonly isComplete: boolean
  /** In the order in which they were drained. */
  readonly pools: ReadonlyArray<DrainedPool>
}

/** Drained one after the other, the pools of each at once. */
export type Groups = ReadonlyArray<ReadonlyArray<ManagedPool>>

/**
 * In a fiber of its own, because a finalizer can't wait with a limit by itself: there nothing can be interrupted, the
 * wait included.
 */
export const drainAll = (groups: Groups, timeout: number): Effect.Effect<ManagerDrainReport> =>
  Effect.flatMap(Effect.forkDetach(run(groups, timeout), { startImmediately: true }), Fiber.join)

const run = Effect.fnUntraced(
  function*(groups: Groups, timeout: number): Effect.fn.Return<ManagerDrainReport> {
    const begin = yield* now
    const deadline = begin + timeout
    const running: Array<{ readonly pool: ManagedPool; readonly fiber: Fiber.Fiber<DrainReport> }> = []
    for (const [index, group] of groups.entries()) {
      const started = yield* Effect.forEach(group, (pool) =>
        // Detached: who waits for the report may be gone before a pool that is stuck.
        Effect.map(Effect.forkDetach(pool.drain, { startImmediately: true }), (fiber) => ({ pool, fiber })))
      running.push(...started)
      const left = deadline - (yield* now)
      yield* settled(started.map(({ fiber }) => fiber), left / (groups.length - index))
    }
    yield* settled(running.map(({ fiber }) => fiber), deadline - (yield* now))
    const pools = yield* Effect.forEach(running, ({ fiber, pool }) => outcomeOf(pool, fiber))
    // One deadline for all: without this the pools' layers, released next, would wait for what is left once more.
    yield* Effect.forEach(running, ({ fiber, pool }) => fiber.pollUnsafe() === undefined ? cut(pool) : Effect.void)
    const took = (yield* now) - begin
    return { took, isComplete: pools.every(({ report }) => report !== undefined), pools }
  }
)

const cut = (pool: ManagedPool): Effect.Effect<unknown> =>
  Effect.forkDetach(Effect.provideService(pool.drain, DrainWithin, 0), { startImmediately: true })

/** In milliseconds, whatever is done to the wall clock meanwhile. */
const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const settled = (fibers: ReadonlyArray<Fiber.Fiber<DrainReport>>, millis: number): Effect.Effect<unknown> =>
  Effect.raceFirst(Fiber.awaitAll(fibers), Effect.sleep(Math.max(0, millis)))

const outcomeOf = (pool: ManagedPool, fiber: Fiber.Fiber<DrainReport>): Effect.Effect<DrainedPool> => {
  const exit = fiber.pollUnsafe()
  if (exit !== undefined && exit._tag === "Success") {
    return Effect.succeed({ pool: pool.name, report: exit.value, held: exit.value.abandoned })
  }
  return Effect.map(pool.connections, (connections) => ({
    pool: pool.name,
    report: undefined,
    held: connections
      .filter(({ state }) => state === "used" || state === "draining")
      .map(({ heldFor, id, label }) => ({ connection: id, label, held: heldFor }))
      .toSorted((a, b) => b.held - a.held)
  }))
}

/** Tells the log what the drain did, and who held what where it had to cut somebody off. */
export const logDrain = ({ isComplete, pools, took }: ManagerDrainReport): Effect.Effect<void> => {
  const cut = pools.filter(({ held, report }) => report === undefined || held.length > 0)
  const summary = `drained ${pools.length} ${pools.length === 1 ? "pool" : "pools"} in ${Math.round(took)} ms`
  if (isComplete && cut.length === 0) return Effect.logInfo(summary)
  return Effect.logWarning([`${summary}, but not all in peace:`, ...cut.map(describe)].join(" "))
}

const describe = ({ held, pool, report }: DrainedPool): string => {
  const holders = held.map((holder) => describeHolder({ ...holder, label: holder.label?.slice(0, 300) }))
  const who = holders.length === 0 ? "nobody held a connection" : `held by ${holders.slice(0, 10).join(", ")}`
  return `${pool}: ${report === undefined ? "not done at drainTimeout, " : ""}${who};`
}
