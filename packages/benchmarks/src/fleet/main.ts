/**
 * Two thousand processes on one budget: `npm run fleet -- --processes 2000 --total 10000`. It says how many calls a second
 * the store has, and how long the shares take to be fair after the load has changed.
 */
import { NodeRuntime } from "@effect/platform-node"
import { EmbeddedRedis } from "@effect-pools/testing"
import { Console, Effect, Random, Redacted } from "effect"
import { Redis as EffectRedis } from "effect/persistence"
import { Redis } from "ioredis"
import { parseArgs } from "node:util"
import { apportion } from "../../../core/src/internal/budget/apportion.ts"
import { make, type World } from "./world.ts"

const { values } = parseArgs({
  options: { processes: { type: "string", default: "2000" }, total: { type: "string", default: "10000" } }
})
const processes = Number(values.processes)
const total = Number(values.total)

const client = Effect.gen(function*() {
  const { url } = yield* EmbeddedRedis.make()
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(Redacted.value(url))),
    (redis) => Effect.sync(() => redis.disconnect())
  )
  return yield* EffectRedis.make({
    send: <A>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.tryPromise({
        try: () => redis.call(command, ...args) as Promise<A>,
        catch: (cause) => new EffectRedis.RedisError({ cause })
      }),
    subscribe: () => Effect.die("subscribe"),
    connect: Effect.die("connect")
  })
})

/** Tells how a change of the load went: calls of the store, a tenth of a second each, and when everybody had its share. */
const phase = Effect.fnUntraced(function*(world: World, what: string, seconds: number) {
  const fair = apportion(
    total,
    world.members.map(({ useful }) => ({ has: 0, floor: 1, wants: Math.max(1, useful) }))
  )
  const calls: Array<number> = []
  let before = world.reports()
  let settledAt = Infinity
  let most = 0
  let passed = 0
  const began = performance.now()
  yield* world.run(seconds * 1000, () => {
    passed += 0.1
    const has = world.members.reduce((sum, member) => sum + Math.max(member.has, member.grant), 0)
    most = Math.max(most, has)
    // Everybody has at least what is fair of what it can use.
    const isFair = world.members.every((member, at) => member.has >= Math.min(member.useful, fair[at]! - 1))
    if (!isFair) settledAt = Infinity
    else if (settledAt === Infinity) settledAt = passed
    calls.push(world.reports() - before)
    before = world.reports()
  })
  const mean = calls.reduce((sum, each) => sum + each, 0) / calls.length
  const peak = Math.max(...calls)
  yield* Console.log(
    `${what}: fair after ${settledAt.toFixed(1)} s; ${
      Math.round(10 * mean)
    } calls of the store a second in the mean, ` +
      `${Math.round(mean)} in 100 ms, ${peak} in the busiest 100 ms (at ${(calls.indexOf(peak) / 10).toFixed(1)} s); ` +
      `${most} of ${total} held at most; ${((performance.now() - began) / 1000).toFixed(0)} s of real time`
  )
})

const program = Effect.gen(function*() {
  const redis = yield* client
  yield* Effect.gen(function*() {
    const world = yield* make(redis, { name: "simulated", processes, total })
    const below = (n: number) => Random.nextIntBetween(0, n - 1)
    const load = Effect.fnUntraced(function*(of: (at: number) => Effect.Effect<number>) {
      for (const [at, member] of world.members.entries()) member.want(yield* of(at), member.ask)
    })
    yield* load(() => Effect.map(below(4), (n) => n + 1))
    yield* phase(world, "all begin at once", 30)
    yield* load(() => Effect.succeed(1))
    yield* phase(world, "all have little to do", 30)
    yield* load((at) => Effect.succeed(at === 0 ? total : 1))
    yield* phase(world, "one is loaded", 30)
    yield* load(() => Effect.succeed(20))
    yield* phase(world, "all are loaded at once", 45)
  }).pipe(Effect.scoped)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
