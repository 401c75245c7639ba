import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool } from "@effect-pools/core"
import { GatedConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Random, References } from "effect"
import { counted } from "./utils/turns.ts"

const options = { metrics: false, minConnections: 0, pendingLimit: 100_000 } as const

/** Asks again a second after each failure, for as long as it takes. */
const insist = <Lent>(pool: ConnectionPool.ConnectionPool<Lent>): Effect.Effect<void> =>
  Effect.catch(pool.withConnection(() => Effect.void), () => Effect.andThen(Effect.sleep(1_000), insist(pool)))

/** How many dials an outage of 60 seconds costs, and whether everybody is served after it. */
const outage = (waiters: number) =>
  counted((turns) =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { connect: "fail" } })
      const pool = yield* ConnectionPool.make(gated.connector, { ...options, maxConnections: 8 })
      const callers = yield* Effect.replicateEffect(Effect.forkDetach(insist(pool)), waiters)
      for (let second = 0; second < 60; second++) yield* turns.advance(1_000)
      const dials = gated.calls("connect")
      gated.set("connect", "ok")
      for (let second = 0; second < 30; second++) yield* turns.advance(1_000)
      const served = callers.filter((caller) => caller.pollUnsafe() !== undefined).length
      assert.strictEqual(served, waiters)
      return dials
    }).pipe(Effect.scoped)
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Random.withSeed("outage"))

describe("a crowd", () => {
  it.effect("of 10,000 cancelled waiters leaves nobody in the queue and no connection behind", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make()
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, maxConnections: 1 })
        const holder = yield* Effect.forkDetach(pool.withConnection(() => Effect.never))
        yield* turns.settle
        const callers = yield* Effect.replicateEffect(
          Effect.forkDetach(pool.withConnection(() => Effect.void)),
          10_000
        )
        yield* turns.settle
        assert.strictEqual((yield* pool.stats).pending, 10_000)
        for (const caller of callers) caller.interruptUnsafe()
        yield* turns.settle
        const { counts, pending, used } = yield* pool.stats
        assert.deepStrictEqual([pending, used, counts.interrupted], [0, 1, 10_000])
        assert.isTrue(callers.every((caller) => caller.pollUnsafe() !== undefined))
        yield* Fiber.interrupt(holder)
        yield* pool.withConnection(() => Effect.void)
        yield* pool.drain
        assert.strictEqual(gated.fake.leaked, 0)
        assert.strictEqual(gated.calls("connect"), 1)
      })
    ))

  it.effect("of 10,000 waiters cancelled while the connection comes back does not lose it", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make({ initial: { connect: "slow" } })
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, maxConnections: 1 })
        const callers = yield* Effect.replicateEffect(
          Effect.forkDetach(pool.withConnection(() => Effect.never)),
          10_000
        )
        const last = yield* Effect.forkDetach(pool.withConnection(() => Effect.succeed("served")))
        yield* turns.settle
        gated.open("connect")
        // Each is cancelled in the same turn in which the connection is handed to it, or before.
        for (const caller of callers) caller.interruptUnsafe()
        yield* turns.settle
        assert.deepStrictEqual(last.pollUnsafe(), Exit.succeed("served"))
        const { idle, pending, used } = yield* pool.stats
        assert.deepStrictEqual([idle, pending, used], [1, 0, 0])
        assert.strictEqual(gated.calls("connect"), 1)
      })
    ))

  it.effect(
    "of waiters in an outage of a minute costs the same dials, however large it is",
    () =>
      Effect.gen(function*() {
        const dials = yield* Effect.forEach([10, 100, 1_000], outage)
        assert.deepStrictEqual(dials, [dials[0], dials[0], dials[0]])
        assert.isBelow(dials[0]!, 60)
      }),
    60_000
  )

  it.live("whose time is up at once does not stall the event loop: it leaves in turns", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ connect: () => Effect.succeed({}) }, {
        ...options,
        maxConnections: 1,
        acquireTimeout: 300,
        slowAcquireTimeout: 200
      })
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      const left: Array<number> = []
      let turn = 0
      const count = (): void => {
        turn++
        if (left.length < 3_000) setImmediate(count)
      }
      setImmediate(count)
      const caller = Effect.ensuring(pool.withConnection(() => Effect.void), Effect.sync(() => left.push(turn)))
      yield* Effect.replicateEffect(Effect.exit(caller), 3_000, { concurrency: "unbounded" })
      const turns = new Map<number, number>()
      for (const each of left) turns.set(each, (turns.get(each) ?? 0) + 1)
      // Those that the timer fails and those that run on in one turn, at most.
      assert.isAtMost(Math.max(...turns.values()), 500)
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
})
