import { ConnectionPool, PoolThresholds } from "@effect-pools/core"
import { ConnectionManager, type MonitoringApi } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Data, Deferred, type Duration, Effect, Exit, Layer, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { AlertBoard } from "../src/internal/alertBoard.ts"
import type { Evidence } from "../src/internal/alertRules.ts"
import { Cache, Db, isolated, managed, pools } from "./support.ts"

type ManagerOptions = Parameters<typeof managed>[1]

const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })

const pass = (time: Duration.Input) => Effect.andThen(TestClock.adjust(time), settle)

interface Change {
  readonly _tag: string
  readonly alert: MonitoringApi.Alert
}

/** Runs a test with both pools managed, and all changes of alerts since the start. */
const watched = (
  options: { readonly db?: ConnectionPool.MakeOptions; readonly manager?: ManagerOptions },
  body: (
    changes: ReadonlyArray<Change>
  ) => Effect.Effect<void, unknown, Db | Cache | ConnectionManager | Scope.Scope>
) => {
  const { cache, db, layer } = pools(options.db === undefined ? {} : { db: options.db })
  return Effect.gen(function*() {
    const changes: Array<Change> = []
    yield* Effect.forkScoped(
      Stream.runForEach(ConnectionManager.alertChanges, (change) => Effect.sync(() => changes.push(change)))
    )
    yield* settle
    yield* body(changes)
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.provideMerge(managed(layer, options.manager), isolated)),
    Effect.tap(() => Effect.sync(() => assert.deepStrictEqual([db.fake.leaked, cache.leaked], [0, 0])))
  )
}

/** Holds so many connections, each until it is told to give one back. */
const holdMany = (count: number, options?: ConnectionPool.LeaseOptions) =>
  Effect.gen(function*() {
    const ends = yield* Effect.forEach(Array.from({ length: count }), () => Deferred.make<void>())
    yield* Effect.forEach(ends, (end) => Effect.forkScoped(Db.withConnection(() => Deferred.await(end), options)))
    yield* settle
    return (count: number) =>
      Effect.andThen(Effect.forEach(ends.splice(0, count), (end) => Deferred.succeed(end, undefined)), settle)
  })

const tags = (changes: ReadonlyArray<Change>) => changes.map(({ _tag, alert }) => `${_tag} ${alert.rule}`)

const current = Effect.map(ConnectionManager.alerts, ({ current }) => current)

describe("an alert", () => {
  it.effect("is raised once, with its number and a recommendation, and cleared when it is over", () =>
    watched({ db: { leakTimeout: "1 hour" } }, (changes) =>
      Effect.gen(function*() {
        const giveBack = yield* holdMany(2)
        yield* pass("5 seconds")
        assert.deepStrictEqual(tags(changes), [])
        yield* pass("1 minute")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
        assert.deepStrictEqual(yield* current, [{
          id: 1,
          pool: "app/Db",
          rule: "utilization",
          level: "warning",
          value: 100,
          limit: 90,
          message: "2 of 2 connections are lent: 100 %, above 90 %",
          recommendation: "Nobody suffers yet. See in connections who holds them; if all leases are short, " +
            "raise maxConnections as far as the backend can bear it.",
          since: 2000,
          raisedAt: 6000,
          clearedAt: null
        }])
        yield* giveBack(1)
        yield* pass("9 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
        yield* pass("10 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization", "AlertCleared utilization"])
        assert.deepStrictEqual(yield* current, [])
        const { cleared } = yield* ConnectionManager.alerts
        assert.deepStrictEqual(cleared.map(({ clearedAt, id }) => [id, clearedAt]), [[1, 76_000]])
        yield* giveBack(1)
      })))

  it.effect("does not flap: it stays while its number is near the limit or comes back", () =>
    watched({ db: { maxConnections: 10, leakTimeout: "1 hour" } }, (changes) =>
      Effect.gen(function*() {
        const giveBack = yield* holdMany(10)
        yield* pass("10 seconds")
        yield* giveBack(1)
        // 90 %: not above the limit, not well below it.
        yield* pass("1 minute")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
        assert.strictEqual(
          (yield* current)[0]?.message,
          "was: 10 of 10 connections are lent: 100 %, above 90 %; 90 % now"
        )
        yield* giveBack(9)
        yield* pass("8 seconds")
        const again = yield* holdMany(10)
        yield* pass("8 seconds")
        yield* again(10)
        yield* pass("8 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
        yield* pass("10 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised utilization", "AlertCleared utilization"])
      })))

  it.effect("is not raised by a burst", () =>
    watched({}, (changes) =>
      Effect.gen(function*() {
        for (let burst = 0; burst < 10; burst++) {
          const giveBack = yield* holdMany(2)
          yield* pass("3 seconds")
          yield* giveBack(2)
          yield* pass("3 seconds")
        }
        assert.deepStrictEqual(changes, [])
      })))

  it.effect("is raised and cleared as fast as alertAfter and clearAfter say", () =>
    watched(
      { manager: { sampleInterval: "1 second", alertAfter: 0, clearAfter: "2 seconds" } },
      (changes) =>
        Effect.gen(function*() {
          const giveBack = yield* holdMany(2)
          yield* pass("1 second")
          assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
          yield* giveBack(2)
          yield* pass("3 seconds")
          assert.deepStrictEqual(tags(changes), ["AlertRaised utilization", "AlertCleared utilization"])
        })
    ))
})

describe("what is alerted", () => {
  it.effect("a pool that is unhealthy, as critical and before all warnings", () =>
    watched({}, () =>
      Effect.gen(function*() {
        yield* Effect.forkScoped(Effect.repeat(Effect.scoped(Cache.acquire), { times: 1 }))
        const giveBack = yield* holdMany(2)
        yield* pass("10 seconds")
        yield* ConnectionManager.drain([Cache])
        yield* pass("10 seconds")
        assert.deepStrictEqual(
          (yield* current).map(({ level, message, pool, rule }) => [level, rule, pool, message]),
          [
            ["critical", "unhealthy", "app/Cache", "the pool is unhealthy: the pool is closed and has 0 connections"],
            ["warning", "utilization", "app/Db", "2 of 2 connections are lent: 100 %, above 90 %"]
          ]
        )
        yield* giveBack(2)
      })))

  const failing = (count: number) =>
    Effect.andThen(
      Db.pause,
      Effect.andThen(Effect.repeat(Effect.exit(Db.withConnection(() => Effect.void)), { times: count - 1 }), Db.resume)
    )

  it.effect("more than 5 % of the acquisitions failed lately", () =>
    watched({}, (changes) =>
      Effect.gen(function*() {
        yield* failing(2)
        yield* Effect.repeat(Db.withConnection(() => Effect.void), { times: 27 })
        yield* pass("8 seconds")
        assert.deepStrictEqual(changes.map(({ alert }) => [alert.rule, alert.message, alert.limit]), [
          // 28 leases, 1 dial and 2 refusals.
          ["failures", "6.5 % of the last 31 acquisitions and dials failed, above 5 %", 0.05]
        ])
        // A minute later they are out of the window.
        yield* pass("70 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised failures", "AlertCleared failures"])
      })))

  it.effect("but not a few failures among few", () =>
    watched({}, (changes) =>
      Effect.gen(function*() {
        yield* failing(10)
        yield* pass("8 seconds")
        assert.deepStrictEqual(changes, [])
      })))

  it.effect("failures are forgotten after alertWindow", () =>
    watched({ manager: { alertWindow: "10 seconds" } }, (changes) =>
      Effect.gen(function*() {
        yield* failing(30)
        yield* pass("8 seconds")
        yield* pass("16 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised failures", "AlertCleared failures"])
      })))

  /** So many callers at a pool with one connection, each of which holds it for a while. */
  const crowd = (count: number, each: Duration.Input) =>
    Effect.andThen(
      Effect.forEach(
        Array.from({ length: count }),
        () => Effect.forkScoped(Db.withConnection(() => Effect.sleep(each)))
      ),
      settle
    )

  it.effect.each([true, false])(
    "callers that waited long, with metrics %o",
    (metrics) =>
      watched({ db: { maxConnections: 1, metrics } }, (changes) =>
        Effect.gen(function*() {
          yield* crowd(25, "150 millis")
          yield* pass("10 seconds")
          const change = changes.find(({ alert }) => alert.rule === "slowAcquires")
          assert.isAbove(change?.alert.value ?? 0, 3000)
          assert.isBelow(change?.alert.value ?? Infinity, 4000)
          assert.match(
            change?.alert.message ?? "",
            /^the 95th percentile of waits for a connection is 3\d+ ms, above 100 ms, over 25 leases of the last \d+ s$/
          )
        }))
  )

  it.effect("one cause where many numbers are bad: those who hold everything, before anybody fails", () =>
    watched({ db: { maxConnections: 2 } }, (changes) =>
      Effect.gen(function*() {
        const giveBack = yield* holdMany(5)
        yield* pass("8 seconds")
        assert.deepStrictEqual(
          changes.map(({ alert }) => [alert.rule, alert.value]),
          [["oneHolder", 1]]
        )
        assert.match(
          (yield* current)[0]!.message,
          /^leases without a label hold 2 of 2 connections, the longest for 8 s, since 00:00:00 UTC; 3 callers wait$/
        )
        assert.strictEqual((yield* current)[0]!.level, "warning")
        yield* giveBack(5)
        yield* pass("12 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised oneHolder", "AlertCleared oneHolder"])
      })))

  it.effect("a lease held longer than leakTimeout, until it is back", () =>
    watched({ db: { maxConnections: 10, leakTimeout: "30 seconds" } }, (changes) =>
      Effect.gen(function*() {
        const giveBack = yield* holdMany(2)
        yield* pass("29 seconds")
        assert.deepStrictEqual(changes, [])
        yield* pass("10 seconds")
        assert.deepStrictEqual(
          changes.map(({ alert }) => [alert.rule, alert.message]),
          [[
            "leak",
            "leases without a label hold 2 connections of 10 for 34 s, since 00:00:00 UTC, longer than leakTimeout (30 s) and run nothing on them"
          ]]
        )
        yield* giveBack(1)
        yield* pass("20 seconds")
        assert.include((yield* current)[0]?.message, "leases without a label hold a connection of 10")
        yield* giveBack(1)
        yield* pass("12 seconds")
        assert.deepStrictEqual(tags(changes), ["AlertRaised leak", "AlertCleared leak"])
      })))

  it.effect("but not one that is meant to be long", () =>
    watched({ db: { maxConnections: 10, leakTimeout: "30 seconds" } }, (changes) =>
      Effect.gen(function*() {
        const giveBack = yield* holdMany(2, { isLongLived: true })
        yield* pass("2 minutes")
        assert.deepStrictEqual(changes, [])
        const leaked = yield* holdMany(1)
        yield* pass("1 minute")
        assert.deepStrictEqual((yield* current).map(({ rule, value }) => [rule, value]), [["leak", 1]])
        yield* giveBack(2)
        yield* leaked(1)
      })))
})

describe("an alert of operations", () => {
  const judged = (operations: number, operationFailureRate: number) => {
    const stats = { utilization: 0, pending: 0, limit: 1, overdue: 0 }
    const recent = { attempts: 0, failureRate: 0, operations, operationFailureRate, waits: 0, wait: 0 }
    const health = { status: "healthy", warnings: [] }
    const evidence = { thresholds: PoolThresholds.presets.calm, stats, health, recent } as unknown as Evidence
    const board = new AlertBoard(0, 10_000)
    return board.evaluate("app/Db", evidence, 0).map(({ alert }) => [alert.rule, alert.message])
  }

  it("is raised when many fail by the backend's doing, and not for a few among few", () => {
    assert.deepStrictEqual(judged(40, 0.1), [
      ["operations", "10 % of the last 40 operations failed by the backend's doing, above 5 %"]
    ])
    assert.deepStrictEqual(judged(40, 0.05), [])
    assert.deepStrictEqual(judged(10, 1), [])
  })
})

class Refused extends Data.TaggedError("Refused")<{}> {
  override readonly message: string = "connect ECONNREFUSED"
}

describe("the alert of a diagnosis", () => {
  const bad = { isBad: false }
  const connector = () => {
    const { connector } = FakeConnector.make()
    const connect: typeof connector.connect = (signals) =>
      Effect.suspend(() => bad.isBad ? Effect.fail(new Refused()) : connector.connect(signals))
    return { ...connector, connect, isBroken: () => bad.isBad }
  }

  it.effect("is critical and raised at once when callers fail, and says what it was when it is over", () => {
    class Api extends ConnectionPool.Service<Api, FakeConnector.FakeConnection>()("app/Api") {}
    const layer = Api.layer(connector(), {
      minConnections: 0,
      maxConnections: 4,
      acquireTimeout: "2 seconds",
      retry: Schedule.spaced("500 millis")
    })
    return Effect.gen(function*() {
      const changes: Array<Change> = []
      yield* Effect.forkScoped(
        Stream.runForEach(ConnectionManager.alertChanges, (change) => Effect.sync(() => changes.push(change)))
      )
      yield* settle
      yield* Api.withConnection(() => Effect.void)
      yield* pass("3 seconds")
      bad.isBad = true
      yield* Api.withConnection(() => Effect.void)
      for (let caller = 0; caller < 3; caller++) {
        yield* Effect.forkScoped(Effect.exit(Api.withConnection(() => Effect.void)))
      }
      yield* pass("3 seconds")
      assert.deepStrictEqual(
        changes.map(({ _tag, alert }) => [_tag, alert.rule, alert.level]),
        [["AlertRaised", "backendDown", "critical"]]
      )
      const [standing] = yield* current
      assert.strictEqual(standing?.message, (yield* Api.health).warnings[0]?.message)
      assert.strictEqual(standing?.recommendation, (yield* Api.health).diagnosis?.remedy)
      bad.isBad = false
      yield* Effect.forkScoped(Effect.exit(Api.withConnection(() => Effect.void)))
      yield* pass("4 seconds")
      const [, over] = changes
      assert.deepStrictEqual([over?._tag, over?.alert.rule], ["AlertCleared", "backendDown"])
      assert.match(
        over?.alert.message ?? "",
        /^the backend was down for 3(\.5)? s, from 00:00:03 to 00:00:06 UTC: \d+ attempts to connect failed, the last with: connect ECONNREFUSED; 3 callers failed meanwhile$/
      )
      assert.deepStrictEqual(yield* current, [])
      yield* pass("1 minute")
      assert.strictEqual(changes.length, 2)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(ConnectionManager.layer({ pools: [Api] }), layer).pipe(Layer.provideMerge(isolated))
      )
    )
  })

  const evidence = (diagnosis: unknown) => {
    const stats = { utilization: 100, pending: 0, limit: 1, overdue: 0 }
    const recent = { attempts: 0, failureRate: 0, operations: 0, operationFailureRate: 0, waits: 0, wait: 0 }
    const thresholds = PoolThresholds.presets.calm
    return { thresholds, stats, health: { status: "degraded", warnings: [], diagnosis }, recent } as unknown as Evidence
  }
  const outage = {
    cause: "backendWasDown",
    level: "warning",
    since: 1000,
    until: 2000,
    text: "the backend was down",
    remedy: "It is over."
  }

  it("tells of an outage that was over before anybody was told: once, raised and cleared", () => {
    const board = new AlertBoard(4000, 10_000)
    const changes = board.evaluate("app/Db", evidence(outage), 4000)
    assert.deepStrictEqual(changes.map(({ _tag, alert }) => [_tag, alert.rule, alert.message, alert.since]), [
      ["AlertRaised", "backendWasDown", "the backend was down", 1000],
      ["AlertCleared", "backendWasDown", "the backend was down", 1000]
    ])
    assert.deepStrictEqual(board.evaluate("app/Db", evidence({ ...outage, until: 2001 }), 6000), [])
    assert.strictEqual(board.cleared.length, 1)
  })

  it("takes the place of the alerts that only follow from it, and of the cause before it", () => {
    const board = new AlertBoard(0, 10_000)
    const at = (now: number, cause?: string) =>
      board.evaluate(
        "app/Db",
        evidence(cause && { ...outage, cause, until: undefined, text: cause }),
        now
      ).map(({ _tag, alert }) => `${_tag} ${alert.rule}`)
    assert.deepStrictEqual(at(1000), ["AlertRaised utilization"])
    assert.deepStrictEqual(at(2000, "oneHolder"), ["AlertRaised oneHolder", "AlertCleared utilization"])
    assert.deepStrictEqual(at(3000, "backendSlow"), ["AlertCleared oneHolder", "AlertRaised backendSlow"])
    assert.deepStrictEqual(at(12_000), [])
    assert.deepStrictEqual(at(13_000), ["AlertCleared backendSlow", "AlertRaised utilization"])
  })
})

describe("an alert when the clock is set back", () => {
  const evidence = (status: "healthy" | "unhealthy") => {
    const stats = { utilization: 0, pending: 0, limit: 1, overdue: 0 }
    const recent = { attempts: 0, failureRate: 0, operations: 0, operationFailureRate: 0, waits: 0, wait: 0 }
    const thresholds = PoolThresholds.presets.calm
    return { thresholds, stats, health: { status, warnings: [] }, recent } as unknown as Evidence
  }
  const hour = 3_600_000

  it("is raised and cleared in its time all the same", () => {
    const board = new AlertBoard(4000, 10_000)
    const changesAt = (at: number, status: "healthy" | "unhealthy") =>
      board.evaluate("app/Db", evidence(status), at).map(({ _tag }) => _tag)
    assert.deepStrictEqual(changesAt(2 * hour, "unhealthy"), [])
    assert.deepStrictEqual(changesAt(hour, "unhealthy"), [])
    assert.deepStrictEqual(changesAt(hour + 4000, "unhealthy"), ["AlertRaised"])
    assert.deepStrictEqual(changesAt(hour + 5000, "healthy"), [])
    assert.deepStrictEqual(changesAt(0, "healthy"), [])
    assert.deepStrictEqual(changesAt(10_000, "healthy"), ["AlertCleared"])
  })
})

describe("the thresholds of alerts", () => {
  const raised = (options: Parameters<typeof watched>[0], lent: number) =>
    Effect.gen(function*() {
      const found: Array<string> = []
      yield* watched(options, (changes) =>
        Effect.gen(function*() {
          const giveBack = yield* holdMany(lent)
          yield* pass("6 seconds")
          found.push(...changes.map(({ alert }) => alert.message.replace(/, the first .*/, "")))
          yield* giveBack(lent)
        }))
      return found
    })
  const db = { maxConnections: 20 } as const
  const at85 = "17 of 20 connections are lent: 85 %, above 80 %"

  it.effect("are the manager's for pools that have none, and a pool's own before those", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* raised({ db }, 17), [])
      assert.deepStrictEqual(yield* raised({ db, manager: { thresholds: "strict" } }, 17), [at85])
      assert.deepStrictEqual(yield* raised({ db: { ...db, thresholds: "strict" } }, 17), [at85])
      assert.deepStrictEqual(
        yield* raised({ db: { ...db, thresholds: "calm" }, manager: { thresholds: "strict" } }, 17),
        []
      )
      assert.deepStrictEqual(
        yield* raised({ db, manager: { thresholds: { utilization: 100, queue: 3 } } }, 24),
        ["leases without a label hold 20 of 20 connections, the longest for 6 s, since 00:00:24 UTC; 4 callers wait"]
      )
    }))

  it.effect("bring their times: strict alerts come sooner and go later, unless other times are given", () =>
    Effect.gen(function*() {
      const times = (manager: ManagerOptions) =>
        Effect.gen(function*() {
          const at: Array<number> = []
          const begin = yield* Clock.currentTimeMillis
          yield* watched({ db: { maxConnections: 20, leakTimeout: "1 hour" }, manager }, (changes) =>
            Effect.gen(function*() {
              const giveBack = yield* holdMany(20)
              yield* pass("20 seconds")
              const { raisedAt } = changes[0]!.alert
              yield* giveBack(20)
              yield* pass("1 minute")
              const cleared = changes.find(({ _tag }) =>
                _tag === "AlertCleared"
              )
              at.push(raisedAt - begin, cleared!.alert.clearedAt! - raisedAt)
            }))
          return at
        })
      assert.deepStrictEqual(yield* times({}), [6000, 26_000])
      assert.deepStrictEqual(yield* times({ thresholds: "strict" }), [4000, 48_000])
      assert.deepStrictEqual(yield* times({ thresholds: "strict", alertAfter: 0, clearAfter: 0 }), [2000, 20_000])
    }))
})

describe("alerts and the clocks", () => {
  /** The wall clock is set by the test, time goes on as it does. */
  const underWallClock = <A, E, R>(effect: (set: (by: number) => void) => Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let shift = 0
      const shifted: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + shift,
        currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + shift)
      })
      return yield* Effect.provideService(effect((by) => void (shift += by)), Clock.Clock, shifted)
    })
  const hour = 3_600_000

  it.effect("no alert is raised because the wall clock leaps", () =>
    underWallClock((set) =>
      watched({}, (changes) =>
        Effect.gen(function*() {
          const giveBack = yield* holdMany(2)
          yield* pass("2 seconds")
          set(hour)
          yield* pass("2 seconds")
          yield* giveBack(2)
          yield* pass("1 minute")
          assert.deepStrictEqual(tags(changes), [])
        }))
    ))

  it.effect("none is cleared before it was raised, nor earlier or later than it would be", () =>
    underWallClock((set) =>
      watched({ db: { leakTimeout: "1 hour" } }, (changes) =>
        Effect.gen(function*() {
          const giveBack = yield* holdMany(2)
          yield* pass("20 seconds")
          set(-2 * hour)
          yield* giveBack(2)
          yield* pass("9 seconds")
          assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
          yield* pass("5 seconds")
          assert.deepStrictEqual(tags(changes), ["AlertRaised utilization", "AlertCleared utilization"])
          const { clearedAt, raisedAt } = changes[1]!.alert
          assert.isAtLeast(clearedAt! - raisedAt, 20_000)
          assert.isAtMost(clearedAt! - raisedAt, 30_000)
        }))
    ))
})

describe("many alerts at once", () => {
  it.effect("are all told, however many pools have them", () => {
    const classes = Array.from(
      { length: 150 },
      (_, index) => class extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()(`many/${index}`) {}
    )
    const [first, ...rest] = classes.map((Pool) =>
      Pool.layer(FakeConnector.make().connector, { minConnections: 0, maxConnections: 1 })
    )
    return Effect.gen(function*() {
      const changes: Array<Change> = []
      yield* Effect.forkScoped(
        Stream.runForEach(ConnectionManager.alertChanges, (change) => Effect.sync(() => changes.push(change)))
      )
      yield* settle
      for (const Pool of classes) {
        for (let caller = 0; caller < 3; caller++) {
          yield* Effect.forkScoped(Effect.exit(Pool.withConnection(() => Effect.never)), { startImmediately: true })
        }
      }
      yield* pass("10 seconds")
      assert.strictEqual((yield* current).length, 150)
      assert.strictEqual(changes.length, 150)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        ConnectionManager.layer({ pools: classes, drainTimeout: "1 second" }).pipe(
          Layer.provideMerge(Layer.mergeAll(first!, ...rest)),
          Layer.provideMerge(isolated)
        )
      )
    )
  })
})

describe("the watch", () => {
  it.effect("goes on over the other pools when one can't be read", () => {
    let isMad = false
    const mad = Layer.effect(
      Cache,
      Effect.map(Cache, (pool) => ({
        ...pool,
        health: Effect.suspend(() => isMad ? Effect.die(new Error("mad")) : pool.health)
      }))
    )
    const { layer } = pools()
    return Effect.gen(function*() {
      const changes: Array<Change> = []
      yield* Effect.forkScoped(
        Stream.runForEach(ConnectionManager.alertChanges, (change) => Effect.sync(() => changes.push(change)))
      )
      yield* settle
      isMad = true
      yield* holdMany(2)
      yield* pass("10 seconds")
      assert.deepStrictEqual(tags(changes), ["AlertRaised utilization"])
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(managed(Layer.merge(layer, Layer.provide(mad, layer))), isolated))
    )
  })

  it.effect("ends with the manager", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(managed(pools().layer), scope)
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* pass("1 hour")
    }))
})
