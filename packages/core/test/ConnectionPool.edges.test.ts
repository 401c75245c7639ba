import { ConnectionPool, type Connector } from "@effect-pools/core"
import * as FakeConnector from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scheduler } from "effect"
import { advance, captureLogs, type Log, settle } from "./utils/bench.ts"

const id = ({ id }: { readonly id: number }) => Effect.succeed(id)

describe("ConnectionPool: at the edges of a lease", () => {
  it.effect("a connection that ends in good order while it is reset alarms nobody", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const logs: Array<Log> = []
      const ends: Array<() => void> = []
      const connector: Connector.Connector<FakeConnector.FakeConnection> = {
        ...fake.connector,
        connect: (signals) => {
          ends.push(signals.onEnded)
          return fake.connector.connect(signals)
        },
        reset: () => Effect.suspend(() => Effect.fail(ends[0]!()))
      }
      const pool = yield* ConnectionPool.make(connector, { minConnections: 0 }).pipe(Effect.provide(captureLogs(logs)))
      yield* pool.withConnection(id)
      yield* settle
      assert.deepInclude((yield* pool.stats).counts.retired, { ended: 1, broken: 0 })
      assert.deepStrictEqual(logs, [])
    }))

  it.effect("a connector may be an object of a class", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      class Own implements Connector.Connector<FakeConnector.FakeConnection> {
        readonly isGone = false
        connect(signals: Connector.Signals) {
          return fake.connector.connect(signals)
        }
        isBroken() {
          return this.isGone
        }
      }
      const pool = yield* ConnectionPool.make(new Own(), { minConnections: 0 })
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))

  it.effect("the end of a lease whose shared connection was reclaimed says nothing of the others", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make({ reset: true })
      let validated = 0
      const connector: Connector.Connector<FakeConnector.FakeConnection> = {
        ...fake.connector,
        sharers: 2,
        joins: "busiest",
        isBroken: (_, exit) => Exit.isFailure(exit),
        validate: () => Effect.sync(() => void validated++)
      }
      const pool = yield* ConnectionPool.make(connector, {
        minConnections: 0,
        maxConnections: 2,
        leakTimeout: 500,
        reclaimTimeout: "1 second",
        freshnessWindow: "1 hour",
        healthCheck: "1 hour"
      }).pipe(Effect.provide(captureLogs([])))
      const cutOff = Effect.andThen(Effect.sleep("2 seconds"), Effect.fail("closed under me"))
      for (let sharer = 0; sharer < 2; sharer++) yield* Effect.forkScoped(Effect.exit(pool.withShared(() => cutOff)))
      yield* settle
      assert.strictEqual(yield* pool.withConnection(id), 2)
      yield* advance("3 seconds")
      yield* pool.withConnection(id)
      assert.strictEqual(validated, 0)
    }))

  it.effect("a caller that gives way before it queues does not wait in a pool that has closed meanwhile", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const context = yield* Effect.context<never>()
      const parent = yield* Scheduler.Scheduler
      const pool = yield* ConnectionPool.make(fake.connector, { minConnections: 0, maxConnections: 1 })
      const end = Deferred.makeUnsafe<void>()
      yield* Effect.forkScoped(pool.withConnection(() => Deferred.await(end)))
      yield* settle
      // The caller's fourth operation and those before ask; the fifth queues.
      let operations = 0
      let isGivingWay = false
      const scheduler: Scheduler.Scheduler = {
        executionMode: parent.executionMode,
        shouldYield: () => isGivingWay = ++operations === 5,
        makeDispatcher: () => {
          const dispatcher = parent.makeDispatcher()
          const scheduleTask: typeof dispatcher.scheduleTask = (task, priority) => {
            if (!isGivingWay) return dispatcher.scheduleTask(task, priority)
            isGivingWay = false
            Effect.runForkWith(context)(pool.drain)
            Deferred.doneUnsafe(end, Exit.void)
            let turns = 30
            const next = (): void => dispatcher.scheduleTask(turns-- > 0 ? next : task, priority)
            next()
          }
          return { scheduleTask, flush: () => dispatcher.flush() }
        }
      }
      const lease = Effect.provideService(Effect.exit(pool.withConnection(id)), Scheduler.Scheduler, scheduler)
      const caller = yield* Effect.forkScoped(lease)
      yield* Effect.repeat(Effect.yieldNow, { times: 200 })
      yield* advance("1 minute")
      assert.isDefined(caller.pollUnsafe())
    }))
})
