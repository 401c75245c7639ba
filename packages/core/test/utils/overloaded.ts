/**
 * A pool of ten connections that is asked for more than it has, by callers that give up after a second, in a simulated
 * world. Work is useful if it ends before its caller has given up.
 */
import { ConnectionPool, type PoolConfig, Traffic } from "@effect-pools/core"
import { Context, Effect, Exit, Logger, Scope } from "effect"
import { Dice } from "../../../fuzz/src/Dice.ts"
import { World } from "./simulated.ts"

/** How the pool learns of the second: from the caller, from its own options, or not at all. */
export type Told = "deadline" | "acquireTimeout" | "Effect.timeout"

export interface Scene {
  readonly told: Told
  /** How many times the capacity is asked for. */
  readonly load: number
  readonly seconds: number
  readonly traffic?: PoolConfig.PoolOptions["traffic"]
  /** How long the process stalls now and then, in milliseconds, and about how often in a second. */
  readonly stalls?: { readonly millis: number; readonly perSecond: number }
  /** How much shorter or longer than the mean a lease may be, as a part of it. */
  readonly spread?: number
  readonly seed?: number
}

export interface Outcome {
  /** The part of the connections' time that went into work somebody still waited for. */
  readonly useful: number
  readonly high: { readonly asked: number; readonly inTime: number; readonly waitP99: number }
}

const size = 10
const lease = 100
const patience = 1000
const warmUp = 2000

const makePool = (told: Told, traffic: Scene["traffic"]) =>
  ConnectionPool.make({ connect: () => Effect.succeed({}), validate: () => Effect.void, reset: () => undefined }, {
    name: "pool",
    minConnections: size,
    maxConnections: size,
    pendingLimit: 10_000,
    acquireTimeout: told === "acquireTimeout" ? patience : "30 seconds",
    slowAcquireTimeout: told === "acquireTimeout" ? patience / 2 : "20 seconds",
    metrics: false,
    traffic: traffic ?? { shedAfter: "20 millis" }
  })

const priorityOf = (chance: number): Traffic.Priority => chance < 0.1 ? "high" : chance < 0.7 ? "normal" : "low"

class Tally {
  useful = 0
  asked = 0
  inTime = 0
  readonly waits: Array<number> = []
}

/** One caller: it asks now, and its outcome is noted. */
const caller = (
  world: World,
  pool: ConnectionPool.ConnectionPool<object>,
  { spread = 0, told }: Scene,
  { random, tally, until }: { readonly random: () => number; readonly tally: Tally; readonly until: number }
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const at = world.now
    const priority = priorityOf(random())
    const fairKey = `caller ${random()}`
    const millis = lease * (1 - spread + 2 * spread * random())
    const isCountedHigh = at > warmUp && priority === "high"
    if (isCountedHigh) tally.asked++
    let begun = 0
    const work = pool.withConnection(() => {
      begun = world.now
      if (isCountedHigh) tally.waits.push(begun - at)
      return Effect.sleep(millis)
    })
    const whole = told === "Effect.timeout" ? Effect.timeout(work, patience) : work
    const deadline = told === "deadline" ? patience : undefined
    return Effect.map(Effect.exit(Traffic.with(whole, { priority, fairKey, deadline })), (exit) => {
      if (Exit.isFailure(exit) || world.now - at > patience) return
      tally.useful += Math.max(0, Math.min(world.now, until) - Math.max(begun, warmUp))
      if (isCountedHigh) tally.inTime++
    })
  })

export const play = (scene: Scene): Outcome => {
  const { load, seconds, stalls, told, traffic } = scene
  const world = new World()
  const dice = new Dice(scene.seed ?? 42)
  const random = () => dice.next()
  const chance = new Dice(7)
  if (stalls !== undefined) {
    let next = 1000 / stalls.perSecond
    world.stallBefore = (at) => {
      if (at < next) return 0
      next = at - 1000 / stalls.perSecond * Math.log(1 - chance.next())
      return Math.round(stalls.millis * 2 * chance.next())
    }
  }
  const context = Context.make(Logger.CurrentLoggers, new Set())
  const until = warmUp + seconds * 1000
  const tally = new Tally()
  const program = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const pool = yield* Scope.provide(makePool(told, traffic), scope)
    const one = caller(world, pool, scene, { random, tally, until })
    const gap = lease / size / load
    let next = world.now
    while (next < until) {
      if (next > world.now) yield* Effect.sleep(Math.ceil(next - world.now))
      for (; next <= world.now; next -= gap * Math.log(1 - random())) yield* Effect.forkDetach(one)
    }
    yield* Effect.sleep("3 seconds")
    yield* Scope.close(scope, Exit.void)
  })
  world.run(program, context)
  const sorted = tally.waits.toSorted((a, b) => a - b)
  return {
    useful: tally.useful / (size * seconds * 1000),
    high: {
      asked: tally.asked,
      inTime: tally.inTime,
      waitP99: sorted[Math.floor(0.99 * sorted.length)] ?? 0
    }
  }
}
