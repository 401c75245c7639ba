/**
 * Pools of tests, under a clock that only the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool, ResourcePool } from "@effect-pools/core"
import { Clock, Effect, Fiber, type Layer } from "effect"
import { TestClock } from "effect/testing"

interface Session {
  readonly id: number
}

class Backend extends ConnectionPool.Service<Backend, Session>()("test/Backend") {}
class Mail extends ResourcePool.Service<Mail, Session>()("test/Mail") {}
class Hosts extends BalancedPool.Service<Hosts, Session>()("test/Hosts") {}

const kinds = {
  Backend: [Backend, Backend.layerTest((id) => Effect.succeed({ id }))],
  Mail: [Mail, Mail.layerTest({ acquire: Effect.succeed({ id: 1 }) })],
  Hosts: [Hosts, Hosts.layerTest((id) => Effect.succeed({ id }))]
} as const

type Kind = readonly [ConnectionPool.PoolClass<any, string, Session>, Layer.Layer<any>]

describe("the natural test of an exhausted pool", () => {
  it.effect.each(Object.entries<Kind>(kinds))(
    "ends when the test ends: %s",
    ([, [pool, layer]]) =>
      Effect.gen(function*() {
        yield* Effect.forkChild(
          Effect.all(Array.from({ length: 20 }, () => pool.withConnection(() => Effect.never)), { concurrency: 20 })
        )
        yield* TestClock.adjust(0)
        const late = yield* Effect.forkChild(Effect.flip(pool.withConnection(() => Effect.void)))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Fiber.join(late)).reason._tag, "AcquireTimeout")
      }).pipe(Effect.provide(layer))
  )

  it.live("ends at once with the real clock, too", () =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Backend.withConnection(() => Effect.never))
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.strictEqual((yield* Backend.stats).used, 1)
    }).pipe(Effect.provide(kinds.Backend[1]), Effect.timeout("5 seconds")))

  it.effect("waits in a drain that it asks for, as any pool", () =>
    Effect.gen(function*() {
      const borrower = yield* Effect.forkChild(Backend.withConnection(() => Effect.sleep("1 second")))
      yield* TestClock.adjust(0)
      const draining = yield* Effect.forkChild(Backend.drain)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(draining)).returned, 1)
      yield* Fiber.join(borrower)
    }).pipe(Effect.provide(kinds.Backend[1])))
})

describe("a year in a test", () => {
  it.effect.each(Object.entries<Kind>(kinds))(
    "is a matter of few timers for an idle pool: %s",
    ([, [pool, layer]]) =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        let sleeps = 0
        const counting: Clock.Clock = {
          ...clock,
          sleep: (duration) => Effect.andThen(Effect.sync(() => sleeps++), clock.sleep(duration))
        }
        yield* Effect.gen(function*() {
          yield* pool.withConnection(() => Effect.void)
          yield* TestClock.adjust("1 day")
          sleeps = 0
          yield* TestClock.adjust("365 days")
          // The health check of a day is the only one.
          assert.isAtMost(sleeps, 2 * 366)
          // It is awake when it is needed.
          const held = yield* Effect.forkChild(pool.withConnection(() => Effect.never))
          yield* TestClock.adjust("10 minutes")
          assert.strictEqual((yield* pool.stats).overdue, 1)
          yield* Fiber.interrupt(held)
          const { recent } = yield* pool.stats
          assert.isAtMost(recent.span, 3_600_000)
        }).pipe(Effect.provide(layer), Effect.provideService(Clock.Clock, counting))
      }),
    30_000
  )
})
