import { ConnectionPool, type Connector, ResourcePool } from "@effect-pools/core"
import * as FakeConnector from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import { advance, captureLogs, isGone, type Log, settle } from "./utils/bench.ts"

type Options = Parameters<typeof ConnectionPool.make>[1]
type Part = Partial<Connector.Connector<FakeConnector.FakeConnection>>

/** A pool, and the signals of its connections in the order in which they were opened. Nothing may be logged. */
const onSignals = (
  options: Options,
  part: Part,
  body: (bench: {
    readonly pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>
    readonly fake: FakeConnector.FakeConnector
    readonly signals: ReadonlyArray<Connector.Signals>
  }) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  Effect.gen(function*() {
    const logs: Array<Log> = []
    const fake = FakeConnector.make()
    const signals: Array<Connector.Signals> = []
    const connector = {
      ...fake.connector,
      connect: (given: Connector.Signals) => {
        signals.push(given)
        return fake.connector.connect(given)
      },
      ...part
    }
    const pool = yield* Effect.scoped(Effect.gen(function*() {
      const pool = yield* ConnectionPool.make(connector, { minConnections: 0, metrics: false, ...options })
      yield* body({ pool, fake, signals })
      return pool
    })).pipe(Effect.provide(captureLogs(logs)))
    yield* isGone(pool)
    assert.strictEqual(fake.leaked, 0)
    assert.deepStrictEqual(logs, [])
  })

const id = ({ id }: { readonly id: number }) => Effect.succeed(id)

describe("A connection that is over in good order", () => {
  it.effect("is retired at once when it is idle, and no other must prove itself for it", () =>
    onSignals({ minConnections: 2, maxConnections: 2 }, {}, ({ fake, pool, signals }) =>
      Effect.gen(function*() {
        signals[0]!.onEnded()
        const { counts, idle } = yield* pool.stats
        assert.deepInclude(counts.retired, { ended: 1, broken: 0 })
        assert.strictEqual(idle, 1)
        assert.strictEqual(yield* pool.withConnection(id), 2)
        assert.strictEqual(fake.validated, 0)
        yield* settle
        assert.strictEqual((yield* pool.stats).idle, 2)
      })))

  it.effect("is retired when it comes back, whatever it reports meanwhile", () =>
    onSignals(
      { maxConnections: 2 },
      { isBroken: () => true, reset: () => Effect.die("nobody asks") },
      (bench) =>
        Effect.gen(function*() {
          const { pool, signals } = bench
          yield* pool.withConnection(() =>
            Effect.gen(function*() {
              yield* pool.withConnection(({ id }) => {
                signals[id - 1]!.onEnded()
                signals[id - 1]!.onEnded()
                signals[id - 1]!.onBroken(new Error("closed"))
                return Effect.void
              })
              assert.deepInclude((yield* pool.stats).counts.retired, { ended: 1, broken: 0 })
              assert.strictEqual((yield* pool.stats).used, 1)
              signals[0]!.onEnded()
            })
          )
          assert.deepInclude((yield* pool.stats).counts.retired, { ended: 2, broken: 0 })
        })
    ))

  it.effect("is shared with nobody new", () =>
    onSignals(
      { maxConnections: 2 },
      { sharers: 9 },
      ({ pool, signals }) =>
        pool.withShared((first) =>
          Effect.gen(function*() {
            signals[0]!.onEnded()
            assert.notStrictEqual(yield* pool.withShared(id), first.id)
          })
        )
    ))

  it.effect("may end while it is checked, and no other is doubted", () => {
    const ending: Array<() => void> = []
    return onSignals({ maxConnections: 1, freshnessWindow: "1 second" }, {
      validate: () => Effect.suspend(() => Effect.fail(ending[0]!()))
    }, ({ pool, signals }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* pool.withConnection(id), 1)
        yield* advance("10 seconds")
        ending.push(signals[0]!.onEnded)
        assert.strictEqual(yield* pool.withConnection(id), 2)
        assert.deepInclude((yield* pool.stats).counts.retired, { ended: 1, broken: 0, invalid: 0 })
      }))
  })

  it.effect("has failed to open if it ends before it is open", () =>
    Effect.gen(function*() {
      const connect = ({ onEnded }: Connector.Signals) => Effect.sync(onEnded)
      const pool = yield* ConnectionPool.make({ connect: (signals) => Effect.as(connect(signals), { id: 1 }) }, {
        minConnections: 0,
        retry: Schedule.recurs(0)
      })
      const error = yield* Effect.flip(pool.withConnection(id))
      assert.strictEqual(error.reason._tag, "ConnectFailed")
    }).pipe(Effect.provide(captureLogs([]))))

  it.effect("can be a resource", () =>
    Effect.gen(function*() {
      const ends: Array<() => void> = []
      let opened = 0
      const pool = yield* ResourcePool.make({
        minConnections: 0,
        acquire: ({ onEnded }) => Effect.sync(() => (ends.push(onEnded), { id: ++opened }))
      })
      assert.strictEqual(yield* pool.withConnection(id), 1)
      ends[0]!()
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual((yield* pool.stats).counts.retired.ended, 1)
    }))
})
