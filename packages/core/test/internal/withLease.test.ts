import { ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, type Exit, Fiber } from "effect"
import { install, isCalledOnItsOwn } from "../../src/internal/base/toldOfExit.ts"

describe("a lease as an effect", () => {
  it.effect("that is yielded gives each run a result of its own, also when one effect runs many times at once", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const pool = yield* ConnectionPool.make(fake.connector, { maxConnections: 2 })
      let runs = 0
      const lease = pool.withConnection(() => Effect.sync(() => ++runs))
      const twice = Effect.gen(function*() {
        return [yield* lease, yield* lease] as const
      })
      const all = yield* Effect.all([twice, twice, twice], { concurrency: "unbounded" })
      assert.deepStrictEqual(all.flat().toSorted((a, b) => a - b), [1, 2, 3, 4, 5, 6])
    }))

  it("goes through an iterator that is its own result, so that a yield allocates one object", () => {
    const fake = FakeConnector.make()
    return Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(fake.connector)
      const lease = pool.withConnection(() => Effect.void)
      const iterator = lease[Symbol.iterator]()
      const first = iterator.next()
      assert.strictEqual<unknown>(first, iterator)
      assert.isFalse(first.done)
      assert.strictEqual<unknown>(first.value, lease)
      const last = iterator.next()
      assert.isTrue(last.done)
      assert.isUndefined(last.value)
    })))
  })

  it("costs one step of the run loop before its body, with the check-in installed", () => {
    const fake = FakeConnector.make()
    return Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(fake.connector, { minConnections: 1 })
      const steps = Effect.withFiber((fiber) => Effect.succeed(fiber.currentOpCount))
      const lease = yield* Effect.forkChild(pool.withConnection(() => steps))
      assert.strictEqual(yield* Fiber.join(lease), 2)
      assert.strictEqual((yield* pool.stats).used, 0)
    })))
  })

  it.effect("is told of its exit once, whatever it is, without a closure of its own", () =>
    Effect.gen(function*() {
      assert.isTrue(isCalledOnItsOwn)
      const bodies: ReadonlyArray<Effect.Effect<number, string>> = [
        Effect.succeed(1),
        Effect.fail("no"),
        Effect.die("broken"),
        Effect.interrupt
      ]
      for (const body of bodies) {
        const exits: Array<Exit.Exit<unknown, unknown>> = []
        const lease = Object.assign(Effect.suspend(() => body), {
          onExit: (exit: Exit.Exit<unknown, unknown>) => void exits.push(exit)
        })
        const exit = yield* Effect.exit(Effect.withFiber((fiber) => install(lease, fiber)))
        assert.deepStrictEqual(exits.map((told) => told._tag), [exit._tag])
        assert.deepStrictEqual(exits[0], exit)
      }
    }))

  const others: ReadonlyArray<readonly [string, (effect: typeof Effect) => Partial<typeof Effect>, boolean]> = [
    ["calls it as a function", ({ onExitPrimitive }) => ({
      onExitPrimitive: (self, f, interruptible) => onExitPrimitive(self, (exit) => f(exit), interruptible)
    }), false],
    ["takes steps by another method", () => ({ TypeId: "another" as typeof Effect.TypeId }), true]
  ]
  it.each(others)("is told of its exit where Effect %s", async (_, change, isShared) => {
    vi.resetModules()
    vi.doMock("effect/Effect", async (original) => {
      const effect = await original<typeof Effect>()
      return { ...effect, ...change(effect) }
    })
    const told = await import("../../src/internal/base/toldOfExit.ts").finally(() => vi.doUnmock("effect/Effect"))
    assert.strictEqual(told.isCalledOnItsOwn, isShared)
    const exits: Array<Exit.Exit<unknown, unknown>> = []
    const lease = Object.assign(Effect.suspend(() => Effect.succeed(1)), {
      onExit: (exit: Exit.Exit<unknown, unknown>) => void exits.push(exit)
    })
    const run: Effect.Effect<unknown> = Effect.withFiber((fiber) =>
      told.install(lease, fiber) as Effect.Effect<unknown>
    )
    const exit = await Effect.runPromiseExit(run)
    assert.deepStrictEqual(exits, [exit])
  })
})
