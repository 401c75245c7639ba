/** Ten thousand waiters whose time is up at once, or that are interrupted at once: how long it takes, and the longest stall. */
import * as Traffic from "@effect-pools/core/Traffic"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import { Pool as TarnPool } from "tarn"
import { openPool, poolSize } from "./clients.ts"
import { threadMillis } from "./numbers.ts"

export interface Exodus {
  readonly _tag: "exodus"
  readonly contender: string
  readonly waiters: number
}

export interface Outcome {
  /** Milliseconds from the moment when the time of the last is up until it has left. */
  readonly took: number
  /** Milliseconds of processor time of the thread meanwhile. */
  readonly cpu: number
  /** The longest time for which the event loop did not turn meanwhile. */
  readonly stall: number
  /** The most processor time of the thread between two turns: what others take from the processor is not in it. */
  readonly stallCpu: number
}

/** When their time is up. */
const timeout = 3000

/** Notes the longest time between two turns of the event loop, and the processor time of the thread from a moment on. */
const watchLoop = (from: number) => {
  let last = performance.now()
  let lastCpu = threadMillis()
  let before = lastCpu
  let stall = 0
  let stallCpu = 0
  let isOver = false
  let isWatching = true
  const look = (): void => {
    const now = performance.now()
    const cpu = threadMillis()
    stall = Math.max(stall, now - last)
    stallCpu = Math.max(stallCpu, cpu - lastCpu)
    last = now
    // Read anew, since a turn begins after this look.
    lastCpu = threadMillis()
    // The last turn before it: what begins at that moment is counted.
    if (!isOver) before = lastCpu
    isOver ||= now >= from
    if (isWatching) setImmediate(look)
  }
  setImmediate(look)
  return {
    cpu: () => threadMillis() - before,
    stop: () => {
      isWatching = false
      return { stall, stallCpu }
    }
  }
}

/** How long before they leave it begins to look: a busy machine must not make it begin after them. */
const ahead = 1000

/** Looks from before they leave until all have left. */
const watch = async (left: Promise<unknown>, leavesAt: number): Promise<Outcome> => {
  await new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, leavesAt - performance.now() - ahead)))
  const loop = watchLoop(leavesAt)
  await left
  // Nothing is left to wait for where the last leaves the moment its time is up, by a clock of whole milliseconds.
  const took = Math.max(0, performance.now() - leavesAt)
  const cpu = loop.cpu()
  await new Promise<void>((resolve) => setImmediate(resolve))
  return { took, cpu, ...loop.stop() }
}

const makePool = (scope: Scope.Closeable, acquireTimeout: Duration.Input = timeout) =>
  openPool(scope, { pendingLimit: 100_000, acquireTimeout })

/** Their time is up one after another, as fast as they came. */
const oursTimesOut = async (waiters: number): Promise<Outcome> => {
  const scope = Scope.makeUnsafe()
  const pool = await makePool(scope)
  const holders = Array.from({ length: poolSize }, () => Effect.runFork(pool.withConnection(() => Effect.never)))
  const lease = pool.withConnection(() => Effect.void)
  const fibers = Array.from({ length: waiters }, () => Effect.runFork(lease))
  const leavesAt = performance.now() + timeout
  const outcome = await watch(Effect.runPromise(Fiber.awaitAll(fibers)), leavesAt)
  holders.forEach((fiber) => fiber.interruptUnsafe())
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return outcome
}

/** As many fibers of one request, and how each of them ends. */
const crowd = (waiters: number, each: Effect.Effect<unknown, unknown>): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: waiters }), () => Effect.exit(each), { concurrency: "unbounded", discard: true })

/** Ten connections on loan, and a crowd that waits for one of them and ends before anybody gets it. */
const oursWithin = async (
  begin: (lease: Effect.Effect<void, unknown>) => Fiber.Fiber<unknown>
): Promise<Outcome> => {
  const scope = Scope.makeUnsafe()
  const pool = await makePool(scope, "30 seconds")
  const holders = Array.from({ length: poolSize }, () => Effect.runFork(pool.withConnection(() => Effect.never)))
  // The deadline of the first, which says it as soon as it begins.
  const leavesAt = performance.now() + timeout
  const all = begin(pool.withConnection(() => Effect.void))
  const outcome = await watch(Effect.runPromise(Fiber.await(all)), leavesAt)
  holders.forEach((fiber) => fiber.interruptUnsafe())
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return outcome
}

/** Their time is up in the same millisecond: all are of one request, which has a deadline. */
const oursPastDeadline = (waiters: number): Promise<Outcome> =>
  oursWithin((lease) => Effect.runFork(Traffic.with(crowd(waiters, lease), { deadline: timeout })))

/**
 * Each says its deadline when it begins, so that their time is up one after another, as fast as they came: how long they took
 * to come is in how long they take.
 */
const oursPastDeadlines = (waiters: number): Promise<Outcome> =>
  oursWithin((lease) => Effect.runFork(crowd(waiters, Traffic.with(lease, { deadline: timeout }))))

/** Without a pool: each fiber waits for a value that never comes, with a limit of its own. */
const effectTimesOut = async (waiters: number): Promise<Outcome> => {
  const wait = Effect.timeout(Deferred.await(Deferred.makeUnsafe<void>()), timeout)
  const all = Effect.runFork(crowd(waiters, wait))
  const leavesAt = performance.now() + timeout
  return watch(Effect.runPromise(Fiber.await(all)), leavesAt)
}

/** Without a pool: all fibers are failed in one turn. */
const effectFails = async (waiters: number): Promise<Outcome> => {
  const never = Deferred.makeUnsafe<void, string>()
  const all = Effect.runFork(crowd(waiters, Deferred.await(never)))
  const leavesAt = performance.now() + 300
  setTimeout(() => Deferred.doneUnsafe(never, Exit.fail("late")), 300)
  return watch(Effect.runPromise(Fiber.await(all)), leavesAt)
}

const interrupted = async (waiters: number, lease: Effect.Effect<unknown, unknown>): Promise<Outcome> => {
  const all = Effect.runFork(Effect.forEach(Array.from({ length: waiters }), () => lease, { concurrency: "unbounded" }))
  await new Promise<void>((resolve) => setTimeout(resolve, 1000))
  const leavesAt = performance.now() + 60
  const left = new Promise<void>((resolve) =>
    setTimeout(() => void Effect.runPromise(Effect.asVoid(Fiber.interrupt(all))).then(resolve), 60)
  )
  return watch(left, leavesAt)
}

const oursInterrupted = async (waiters: number): Promise<Outcome> => {
  const scope = Scope.makeUnsafe()
  const pool = await makePool(scope)
  const holders = Array.from({ length: poolSize }, () => Effect.runFork(pool.withConnection(() => Effect.never)))
  const outcome = await interrupted(waiters, pool.withConnection(() => Effect.void))
  holders.forEach((fiber) => fiber.interruptUnsafe())
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return outcome
}

const genericTimesOut = async (waiters: number): Promise<Outcome> => {
  const pool = genericPool.createPool<object>({ create: async () => ({}), destroy: async () => {} }, {
    min: poolSize,
    max: poolSize,
    acquireTimeoutMillis: timeout
  })
  await pool.ready()
  const held = await Promise.all(Array.from({ length: poolSize }, () => pool.acquire()))
  const all = Array.from({ length: waiters }, () => pool.acquire().catch(() => {}))
  const leavesAt = performance.now() + timeout
  const outcome = await watch(Promise.all(all), leavesAt)
  held.forEach((each) => void pool.release(each))
  await pool.drain()
  await pool.clear()
  return outcome
}

const tarnTimesOut = async (waiters: number): Promise<Outcome> => {
  const pool = new TarnPool<object>({
    create: async () => ({}),
    destroy: () => {},
    min: poolSize,
    max: poolSize,
    acquireTimeoutMillis: timeout
  })
  const held = await Promise.all(Array.from({ length: poolSize }, () => pool.acquire().promise))
  const all = Array.from({ length: waiters }, () => pool.acquire().promise.catch(() => {}))
  const leavesAt = performance.now() + timeout
  const outcome = await watch(Promise.all(all), leavesAt)
  held.forEach((each) => pool.release(each))
  await pool.destroy()
  return outcome
}

const ways: Readonly<Record<string, (waiters: number) => Promise<Outcome>>> = {
  "ours, time out": oursTimesOut,
  "ours, past one deadline": oursPastDeadline,
  "ours, a deadline each": oursPastDeadlines,
  "Effect alone, time out": effectTimesOut,
  "Effect alone, fail together": effectFails,
  "generic-pool, time out": genericTimesOut,
  "tarn, time out": tarnTimesOut,
  "ours, interrupted": oursInterrupted,
  "Effect alone, interrupted": (waiters) => interrupted(waiters, Effect.never)
}

export const contenders: ReadonlyArray<string> = Object.keys(ways)

export const run = ({ contender, waiters }: Exodus): Promise<Outcome> => ways[contender]!(waiters)
