import { ConnectionPool } from "@effect-pools/core"
import * as FakeConnector from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, type Fiber, Scheduler } from "effect"
import { advance, captureLogs, isGone, settle } from "./utils/bench.ts"

type Pool = ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>

/** Fibers give way once armed, before the operation with this number, to something and all that comes of it. */
const givingWay = (parent: Scheduler.Scheduler, before: number, to: () => void) => {
  let operations = 0
  let isArmed = false
  let isGivingWay = false
  const scheduler: Scheduler.Scheduler = {
    executionMode: parent.executionMode,
    shouldYield: (fiber) => {
      if (!isArmed || ++operations !== before) return parent.shouldYield(fiber)
      isGivingWay = true
      return true
    },
    makeDispatcher: () => {
      const dispatcher = parent.makeDispatcher()
      const scheduleTask: typeof dispatcher.scheduleTask = (task, priority) => {
        if (!isGivingWay) return dispatcher.scheduleTask(task, priority)
        isGivingWay = false
        let turns = 30
        const next = (): void => dispatcher.scheduleTask(turns-- > 0 ? next : task, priority)
        dispatcher.scheduleTask(to, priority)
        next()
      }
      return { scheduleTask, flush: () => dispatcher.flush() }
    }
  }
  const arm = (): void => {
    isArmed = true
  }
  /** Tells whether there were so many operations. */
  const disarm = (): boolean => {
    isArmed = false
    return operations >= before
  }
  return { arm, disarm, scheduler }
}

/** A health check of two idle connections that gives way once; tells whether it had so many operations. */
const checkThatGivesWay = (before: number, to: (pool: Pool, fake: FakeConnector.FakeConnector) => void) =>
  Effect.gen(function*() {
    const fake = FakeConnector.make()
    const way = givingWay(yield* Scheduler.Scheduler, before, () => to(pool, fake))
    // A check that sees nothing, like that of a protocol which knows its socket alone.
    const connector = { ...fake.connector, validate: () => Effect.void }
    const pool: Pool = yield* ConnectionPool.make(connector, {
      minConnections: 2,
      maxConnections: 2,
      healthCheck: "1 minute",
      freshnessWindow: "1 hour"
    }).pipe(Effect.provideService(Scheduler.Scheduler, way.scheduler), Effect.provide(captureLogs([])))
    way.arm()
    yield* advance("1 minute")
    const wasReached = way.disarm()
    const { checking, closing, idle, opening, total, used } = yield* pool.stats
    assert.strictEqual(idle + used + opening + checking + closing, total, `before operation ${before}`)
    yield* advance(1000)
    assert.include(yield* pool.stats, { idle: 2, total: 2 }, `before operation ${before}`)
    yield* pool.drain
    yield* isGone(pool)
    assert.strictEqual(fake.leaked, 0)
    return wasReached
  }).pipe(Effect.scoped)

const beforeEachOperation = (to: (pool: Pool, fake: FakeConnector.FakeConnector) => void) =>
  Effect.gen(function*() {
    let before = 1
    while (yield* checkThatGivesWay(before, to)) before++
    assert.isAbove(before, 50)
  })

describe("ConnectionPool: a health check that gives way before any of its operations", () => {
  it.effect("shares no connection with a borrower", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const leases: Array<Fiber.Fiber<unknown, unknown>> = []
      yield* beforeEachOperation((pool, fake) => {
        const lease = pool.withConnection((connection) => fake.use(connection, Effect.sleep(100)))
        for (let caller = 0; caller < 3; caller++) leases.push(Effect.runForkWith(context)(lease))
      })
      yield* settle
      for (const lease of leases) assert.deepStrictEqual(lease.pollUnsafe(), Exit.void)
    }))

  it.effect("keeps none that is retired", () => beforeEachOperation((pool) => Effect.runSync(pool.retireAll)))

  it.effect("keeps none that breaks", () =>
    beforeEachOperation((_, fake) => {
      for (const connection of fake.connections) fake.break(connection)
    }))
})

describe("ConnectionPool: a warm-up that gives way before any of its operations", () => {
  /** As many as a fiber is held up, and some more. */
  const turns = Effect.repeat(Effect.yieldNow, { times: 100 })

  const warmUpThatGivesWay = (before: number, to: (pool: Pool, arrive: () => void) => void) =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const gate = Deferred.makeUnsafe<void>()
      const connect: typeof fake.connector.connect = (signals) =>
        Effect.andThen(Deferred.await(gate), fake.connector.connect(signals))
      const pool = yield* ConnectionPool.make({ ...fake.connector, connect }, { minConnections: 1, startup: "lazy" })
      const way = givingWay(
        yield* Scheduler.Scheduler,
        before,
        () => to(pool, () => Deferred.doneUnsafe(gate, Exit.void))
      )
      yield* settle
      way.arm()
      const warmUp = yield* Effect.forkScoped(
        Effect.provideService(Effect.exit(pool.warmUp(1)), Scheduler.Scheduler, way.scheduler)
      )
      yield* turns
      const wasReached = way.disarm()
      Deferred.doneUnsafe(gate, Exit.void)
      yield* turns
      assert.isDefined(warmUp.pollUnsafe(), `before operation ${before}`)
      return wasReached
    }).pipe(Effect.scoped)

  const beforeEachOperation = (to: (pool: Pool, arrive: () => void) => void) =>
    Effect.gen(function*() {
      let before = 1
      while (yield* warmUpThatGivesWay(before, to)) before++
      assert.isAbove(before, 3)
    })

  it.effect("ends when the connection has arrived meanwhile", () => beforeEachOperation((_, arrive) => arrive()))

  it.effect("ends when the pool has closed meanwhile", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      yield* beforeEachOperation((pool) => void Effect.runForkWith(context)(pool.drain))
    }))
})
