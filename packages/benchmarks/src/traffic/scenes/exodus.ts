/** Ten thousand waiters whose time is up at once, or that are interrupted at once: how long it takes, and the longest stall. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import { Pool as TarnPool } from "tarn"
import { openPool, poolSize } from "./clients.ts"

export interface Exodus {
  readonly _tag: "exodus"
  readonly contender: string
  readonly waiters: number
}

export interface Outcome {
  /** Milliseconds from the moment when the time of the last is up until it has left. */
  readonly took: number
  /** The longest time for which the event loop did not turn meanwhile. */
  readonly stall: number
}

/** When their time is up. */
const timeout = 3000

/** Notes the longest time between two turns of the event loop. */
const watchLoop = () => {
  let last = performance.now()
  let stall = 0
  let isWatching = true
  const look = (): void => {
    const now = performance.now()
    stall = Math.max(stall, now - last)
    last = now
    if (isWatching) setImmediate(look)
  }
  setImmediate(look)
  return () => {
    isWatching = false
    return stall
  }
}

/** Looks from shortly before they leave until all have left. */
const watch = async (left: Promise<unknown>, leavesAt: number): Promise<Outcome> => {
  await new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, leavesAt - performance.now() - 200)))
  const stop = watchLoop()
  await left
  const took = performance.now() - leavesAt
  await new Promise<void>((resolve) => setImmediate(resolve))
  return { took, stall: stop() }
}

const makePool = (scope: Scope.Closeable) => openPool(scope, { pendingLimit: 100_000, acquireTimeout: timeout })

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
  "generic-pool, time out": genericTimesOut,
  "tarn, time out": tarnTimesOut,
  "ours, interrupted": oursInterrupted,
  "Effect alone, interrupted": (waiters) => interrupted(waiters, Effect.never)
}

export const contenders: ReadonlyArray<string> = Object.keys(ways)

export const run = ({ contender, waiters }: Exodus): Promise<Outcome> => ways[contender]!(waiters)
