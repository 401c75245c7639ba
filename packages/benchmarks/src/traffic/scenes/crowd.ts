/** A hundred waiters and a hundred thousand: what each costs to enter, to be served and to leave, and in memory. */
import type * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { openPool, poolSize } from "./clients.ts"
import { threadMillis } from "./numbers.ts"

export interface Crowd {
  readonly _tag: "crowd"
  readonly waiters: number
  readonly keys: number
  /** How often, so that few waiters take a time that can be measured. */
  readonly times: number
}

export interface Outcome {
  /** Microseconds of the thread's processor time a waiter. */
  readonly enter: number
  readonly serve: number
  readonly leave: number
  /** Bytes a waiter beside those of its fiber. */
  readonly bytes: number
}

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** Rounds of a hundred for the compiler: it would see the code of the first of many for the first time. */
const warmUps = 300

const makePool = (scope: Scope.Closeable) =>
  openPool(scope, {
    pendingLimit: 1_000_000,
    acquireTimeout: "10 minutes",
    leakTimeout: "5 minutes",
    slowAcquireTimeout: "9 minutes",
    traffic: { places: { low: 1, normal: 1, high: 1 } }
  })

const trafficOf = (waiter: number, keys: number) => ({
  priority: Traffic.priorities[waiter % 3]!,
  fairKey: `key ${waiter % keys}`
})

const forkAll = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>) => effects.map((effect) => Effect.runFork(effect))

/** Until so many wait: fibers begin on the scheduler's turns. */
const untilPending = async (pool: ConnectionPool.ConnectionPool<object>, count: number): Promise<void> => {
  for (;;) {
    if (Effect.runSync(pool.stats).pending === count) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

const awaitAll = (fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
  Effect.runPromise(Effect.asVoid(Fiber.awaitAll(fibers)))

interface Times {
  enter: number
  serve: number
  leave: number
}

const round = async ({ keys, waiters }: Crowd, pool: ConnectionPool.ConnectionPool<object>, times: Times) => {
  const lease = pool.withConnection(() => Effect.void)
  const callers = Array.from({ length: waiters }, (_, waiter) => Traffic.with(lease, trafficOf(waiter, keys)))
  for (const way of ["serve", "leave"] as const) {
    const holders = forkAll(Array.from({ length: poolSize }, () => pool.withConnection(() => Effect.never)))
    const start = threadMillis()
    const fibers = forkAll(callers)
    await untilPending(pool, waiters)
    times.enter += (threadMillis() - start) / 2
    const entered = threadMillis()
    const ending = way === "serve" ? holders : fibers
    ending.forEach((fiber) => fiber.interruptUnsafe())
    await awaitAll(fibers)
    times[way] += threadMillis() - entered
    holders.forEach((fiber) => fiber.interruptUnsafe())
    await awaitAll(holders)
  }
}

/** The memory that is left once nothing more can be collected. */
const settledHeap = async (): Promise<number> => {
  for (let time = 0; time < 4; time++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 100))
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}

/** The heap that so many fibers need, each in a wait. */
const heapOf = async (waiters: number, begin: (waiter: number) => Effect.Effect<unknown, unknown>): Promise<number> => {
  const before = await settledHeap()
  const fibers = forkAll(Array.from({ length: waiters }, (_, waiter) => begin(waiter)))
  const bytes = await settledHeap() - before
  fibers.forEach((fiber) => fiber.interruptUnsafe())
  await awaitAll(fibers)
  return bytes / waiters
}

export const run = async (crowd: Crowd): Promise<Outcome> => {
  const scope = Scope.makeUnsafe()
  const pool = await makePool(scope)
  const times = { enter: 0, serve: 0, leave: 0 }
  const few = { ...crowd, waiters: 100, keys: 10 }
  for (let time = 0; time < warmUps; time++) await round(few, pool, { enter: 0, serve: 0, leave: 0 })
  for (let time = 0; time < crowd.times; time++) await round(crowd, pool, times)
  const alone = await heapOf(
    crowd.waiters,
    (waiter) => Traffic.with(Effect.callback<never>(() => {}), trafficOf(waiter, crowd.keys))
  )
  const holders = forkAll(Array.from({ length: poolSize }, () => pool.withConnection(() => Effect.never)))
  const lease = pool.withConnection(() => Effect.void)
  const waiting = await heapOf(crowd.waiters, (waiter) => Traffic.with(lease, trafficOf(waiter, crowd.keys)))
  holders.forEach((fiber) => fiber.interruptUnsafe())
  await Effect.runPromise(Scope.close(scope, Exit.void))
  const each = (millis: number): number => millis * 1000 / (crowd.waiters * crowd.times)
  return { enter: each(times.enter), serve: each(times.serve), leave: each(times.leave), bytes: waiting - alone }
}
