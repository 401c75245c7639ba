import { type PoolEvent, PoolHealth } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric, Schedule, Stream } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import {
  advance,
  type Bench,
  borrow,
  borrowMany,
  call,
  callMany,
  id,
  only,
  onPool,
  settle,
  type Setup
} from "./utils/bench.ts"

describe("ConnectionPool: leases that do not end", () => {
  const setup = { leakTimeout: "10 seconds" } as const

  it.effect("a lease held too long is told once, with its label and where it was taken", () =>
    onPool(setup, function*({ events, listen, logs, pool }) {
      yield* listen
      const takesOne = Effect.fn("takesOne")(function*() {
        return yield* pool.withConnection(() => Effect.never, { label: "import" })
      })
      yield* Effect.forkScoped(takesOne())
      yield* settle
      yield* advance(9999)
      assert.strictEqual(only(events, "LeakSuspected").length, 0)
      yield* advance(1)
      yield* advance("1 minute")
      const [leak, ...more] = only(events, "LeakSuspected")
      assert.strictEqual(more.length, 0)
      assert.deepInclude(leak, { connection: 1, label: "import", held: 10_000 })
      assert(leak !== undefined)
      assert.strictEqual(leak.takenAt[0], "takesOne")
      assert(leak.takenAt.some((place) => place.includes("ConnectionPool.observe.test.ts")))
      const log = logs.filter(({ text }) => text.includes("leak suspected"))
      assert.deepInclude(log[0], { level: "Warn", pool: "pool" })
      assert.include(log[0]?.text, "import (connection 1, 10000 ms) (leakTimeout)")
      assert.strictEqual(log.length, 1)
      assert.strictEqual((yield* pool.stats).counts.leaksSuspected, 1)
    }))

  it.effect("its end is told as well", () =>
    onPool(setup, function*({ events, listen, logs, pool }) {
      yield* listen
      const borrower = yield* borrow(pool, "import")
      yield* advance("15 seconds")
      yield* borrower.giveBack
      yield* settle
      assert.deepInclude(only(events, "LeakEnded")[0], { connection: 1, label: "import", held: 15_000 })
      assert(logs.some(({ text }) => text.includes("import gave connection 1 back after 15000 ms")))
    }))

  it.effect("a lease that ends in time is not told", () =>
    onPool(setup, function*({ pool }) {
      for (let lease = 0; lease < 5; lease++) {
        const borrower = yield* borrow(pool)
        yield* advance("9 seconds")
        yield* borrower.giveBack
      }
      assert.strictEqual((yield* pool.stats).counts.leaksSuspected, 0)
    }))

  it.effect("every one of several is told when its own time is up", () =>
    onPool({ ...setup, maxConnections: 3 }, function*({ events, listen, pool }) {
      yield* listen
      for (let lease = 0; lease < 3; lease++) {
        yield* borrow(pool)
        yield* advance("3 seconds")
      }
      yield* advance("20 seconds")
      assert.deepStrictEqual(only(events, "LeakSuspected").map(({ at }) => at), [10_000, 13_000, 16_000])
    }))

  it.effect("by reclaimTimeout a connection is taken from its borrower and closed, and its place is free", () =>
    onPool({ ...setup, reclaimTimeout: "20 seconds" }, function*({ fake, logs, pool }) {
      const borrower = yield* borrow(pool, "import")
      const waiter = yield* call(pool)
      yield* advance(19_999)
      assert.isTrue(borrower.connection.isOpen)
      yield* advance(1)
      assert.isFalse(borrower.connection.isOpen)
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 2)
      assert(
        logs.some(({ text }) => text === "reclaimTimeout: the connection is taken from import (connection 1, 20000 ms)")
      )
      assert.strictEqual((yield* Effect.exit(fake.use(borrower.connection)))._tag, "Failure")
      assert.strictEqual((yield* pool.stats).counts.retired.invalidated, 1)
    }))

  it.effect("without reclaimTimeout a connection is never taken", () =>
    onPool(setup, function*({ fake, pool }) {
      const borrower = yield* borrow(pool)
      yield* advance("10 hours")
      yield* fake.use(borrower.connection)
      yield* borrower.giveBack
    }))
})

describe("ConnectionPool: slow acquisitions", () => {
  it.effect("a caller that waited longer than slowAcquireTimeout is told", () =>
    onPool({ slowAcquireTimeout: "2 seconds" }, function*({ events, listen, logs, pool }) {
      yield* listen
      const borrower = yield* borrow(pool)
      yield* call(pool, "page")
      yield* advance(2001)
      yield* borrower.giveBack
      yield* settle
      assert.deepInclude(only(events, "AcquiredSlowly")[0], { connection: 1, label: "page", waited: 2001 })
      assert(logs.some(({ text }) => text === "page waited 2001 ms for its connection (slowAcquireTimeout)"))
    }))

  it.effect("a caller that waited less is not", () =>
    onPool({ slowAcquireTimeout: "2 seconds" }, function*({ events, listen, logs, pool }) {
      yield* listen
      const borrower = yield* borrow(pool)
      yield* call(pool)
      yield* advance("2 seconds")
      yield* borrower.giveBack
      yield* settle
      assert.deepStrictEqual([only(events, "AcquiredSlowly").length, logs.length], [0, 0])
    }))
})

describe("ConnectionPool: stats", () => {
  it.effect("count every connection once, by what it does", () =>
    onPool({
      minConnections: 1,
      maxConnections: 6,
      freshnessWindow: "1 second",
      idleTimeout: "1 hour",
      backend: { closeDelay: "1 second" }
    }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 5)
      yield* borrowers[0]!.giveBack
      yield* borrowers[1]!.giveBack
      yield* advance("2 seconds")
      gates.set("validate", "slow")
      gates.set("connect", "slow")
      yield* pool.invalidate(borrowers[2]!.connection)
      yield* borrowers[2]!.giveBack
      yield* call(pool)
      yield* call(pool)
      yield* callMany(pool, 2)
      const stats = yield* pool.stats
      assert.deepInclude(stats, {
        name: "pool",
        state: "open",
        total: 6,
        used: 2,
        idle: 0,
        checking: 2,
        opening: 1,
        closing: 1,
        pending: 4,
        minConnections: 1,
        maxConnections: 6,
        limit: 6
      })
      assert.approximately(stats.utilization, 33.33, 0.01)
      assert.strictEqual(stats.oldestWaiter, 0)
      yield* advance(500)
      assert.strictEqual((yield* pool.stats).oldestWaiter, 500)
      gates.open("validate")
      gates.open("connect")
    }))

  it.effect("count callers by how they got their connection, or did not", () =>
    onPool({ acquireTimeout: "2 seconds", pendingLimit: 2 }, function*({ pool }) {
      const borrower = yield* borrow(pool)
      const served = yield* call(pool)
      yield* borrower.giveBack
      yield* Fiber.join(served.fiber)
      yield* pool.withConnection(id)
      yield* borrow(pool)
      const [timedOut, interrupted, refused] = yield* callMany(pool, 3)
      yield* interrupted!.interrupt
      yield* advance("2 seconds")
      assert.deepStrictEqual([timedOut!.reason()?._tag, refused!.reason()?._tag], ["AcquireTimeout", "QueueFull"])
      assert.deepInclude((yield* pool.stats).counts, {
        acquiredAtOnce: 2,
        acquiredAfterWaiting: 2,
        timedOut: 1,
        refused: 1,
        interrupted: 1,
        failed: 0
      })
    }))

  it.effect("measure waits, uses, dials, validations and lifetimes", () =>
    onPool({ freshnessWindow: 0, backend: { connectDelay: 40, closeDelay: 10 } }, function*({ gates, pool }) {
      const first = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(60)))
      yield* settle
      yield* advance(40)
      yield* advance(60)
      yield* Fiber.join(first)
      gates.set("validate", "slow")
      const second = yield* Effect.forkScoped(pool.withConnection((connection) => pool.invalidate(connection)))
      yield* settle
      yield* advance(20)
      gates.open("validate")
      yield* Fiber.join(second)
      yield* settle
      yield* advance(10)
      const { lifetime, open, use, validate, wait } = yield* pool.stats
      assert.deepStrictEqual(
        [wait, use, open, validate, lifetime].map(({ count, max, mean }) => ({ count, max, mean })),
        [
          { count: 2, max: 40, mean: 30 },
          { count: 2, max: 60, mean: 30 },
          { count: 1, max: 40, mean: 40 },
          { count: 1, max: 20, mean: 20 },
          { count: 1, max: 90, mean: 90 }
        ]
      )
      assert.deepStrictEqual([wait.p50, wait.p99], [20, 40])
    }))

  it.effect("leases that did not wait count as waits of 0", () =>
    onPool({}, function*({ pool }) {
      for (let lease = 0; lease < 100; lease++) yield* pool.withConnection(id)
      const { wait } = yield* pool.stats
      assert.deepStrictEqual([wait.count, wait.p99, wait.max], [100, 0, 0])
    }))

  it.effect("a reading does not change afterwards", () =>
    onPool({}, function*({ pool }) {
      const before = yield* pool.stats
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      assert.deepStrictEqual([before.counts.ended.success, before.counts.retired.invalidated, before.total], [0, 0, 0])
    }))
})

describe("ConnectionPool: connections", () => {
  it.effect("tell of each what it does, for how long and for whom", () =>
    onPool({ maxConnections: 3, backend: { closeDelay: "1 minute" } }, function*({ gates, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* advance("2 seconds")
      yield* second!.giveBack
      yield* Effect.exit(pool.withConnection(() => Effect.fail("mine")).pipe(Effect.exit))
      yield* advance("3 seconds")
      gates.set("connect", "never")
      gates.set("validate", "fail")
      const waiters = yield* callMany(pool, 2)
      const infos = yield* pool.connections
      assert.deepInclude(infos[0], {
        id: 1,
        state: "used",
        age: 5000,
        idleFor: 0,
        heldFor: 5000,
        uses: 1,
        errors: 0,
        label: "borrower 1"
      })
      assert.deepInclude(infos[1], { id: 2, state: "closing", age: 5000, uses: 2, errors: 1, label: undefined })
      assert.deepInclude(infos[2], { id: 3, state: "opening", age: 0, uses: 0, tags: {} })
      for (const waiter of waiters) yield* waiter.interrupt
      yield* first!.giveBack
      yield* advance("1 second")
      assert.deepInclude((yield* pool.connections)[0], {
        id: 1,
        state: "idle",
        idleFor: 1000,
        heldFor: 0,
        label: undefined
      })
    }))

  it.effect("tell whether a lease is suspected, until it is back", () =>
    onPool({ maxConnections: 2, leakTimeout: "10 seconds" }, function*({ pool }) {
      const first = yield* borrow(pool)
      yield* advance("9 seconds")
      const second = yield* borrow(pool)
      const suspected = Effect.map(pool.connections, (all) => all.map(({ isLeakSuspected }) => isLeakSuspected))
      assert.deepStrictEqual(yield* suspected, [false, false])
      yield* advance("1 second")
      assert.deepStrictEqual(yield* suspected, [true, false])
      yield* first.giveBack
      assert.deepStrictEqual(yield* suspected, [false, false])
      yield* second.giveBack
    }))

  it.effect("tell what the connector says, cut to 100 characters", () =>
    onPool({}, function*({ gates, pool }) {
      // A step of the bench's connector, replaced for this test alone.
      Object.assign(gates.connector, { inspect: () => ({ tags: { pid: "7" }, activity: "x".repeat(200) }) })
      yield* pool.withConnection(() =>
        Effect.map(pool.connections, ([info]) => {
          assert.deepInclude(info, { tags: { pid: "7" }, activity: "x".repeat(100) })
        })
      )
    }))

  it.effect("are shown even if the connector fails to describe one", () =>
    onPool({}, function*({ gates, pool }) {
      Object.assign(gates.connector, {
        inspect: () => {
          throw new Error("no idea")
        }
      })
      yield* pool.withConnection(id)
      assert.deepInclude((yield* pool.connections)[0], { id: 1, state: "idle", tags: {}, activity: undefined })
    }))
})

describe("ConnectionPool: events", () => {
  it.effect("of a lease are made only while somebody listens", () =>
    onPool({}, function*({ pool }) {
      yield* pool.withConnection(id)
      const listening = yield* Effect.forkScoped(Stream.runCollect(Stream.take(pool.events, 2)))
      yield* settle
      yield* pool.withConnection(id, { label: "second" })
      const events = yield* Fiber.join(listening)
      assert.deepStrictEqual(events, [
        { _tag: "Acquired", pool: "pool", at: 0, connection: 1, label: "second", waited: 0 },
        { _tag: "Released", pool: "pool", at: 0, connection: 1, label: "second", held: 0, end: "success" }
      ])
      // The reader has left.
      yield* pool.withConnection(id)
      const later = yield* Effect.forkScoped(Stream.runCollect(Stream.take(pool.events, 1)))
      yield* settle
      yield* pool.pause
      yield* pool.resume
      assert.deepStrictEqual((yield* Fiber.join(later)).map(({ _tag }) => _tag), ["Paused"])
    }))

  it.effect("of leases are not made for a reader that does not want them, nor given to it when others do", () =>
    onPool({ eventBuffer: 4 }, function*({ pool }) {
      const seen: Array<PoolEvent.PoolEvent> = []
      const rare = Stream.runForEach(pool.eventsWith({ leases: false }), (event) => Effect.sync(() => seen.push(event)))
      yield* Effect.forkScoped(rare)
      yield* settle
      let labels = 0
      const options = {
        get label() {
          labels++
          return "lease"
        }
      }
      yield* pool.withConnection(id, options)
      // The account of the borrowers asks for it, once.
      assert.strictEqual(labels, 1)
      const all = yield* Effect.forkScoped(Stream.runCollect(Stream.take(pool.eventsWith(), 2)))
      yield* settle
      yield* pool.withConnection(id, options)
      assert.deepStrictEqual((yield* Fiber.join(all)).map(({ _tag }) => _tag), ["Acquired", "Released"])
      assert.strictEqual(labels, 4)
      yield* pool.pause
      // However many leases others listen to, they push nothing out of its buffer.
      yield* pool.resume
      const leases = yield* Effect.forkScoped(Stream.runDrain(pool.events))
      yield* settle
      for (let lease = 0; lease < 20; lease++) yield* pool.withConnection(id)
      yield* settle
      assert.deepStrictEqual(seen.map(({ _tag }) => _tag), ["Opened", "Paused", "Resumed"])
      yield* Fiber.interrupt(leases)
    }))

  it.effect("end with the pool, for whoever begins to read afterwards as well", () =>
    onPool({}, function*({ pool }) {
      const options = [{ leases: false }, undefined]
      const before = yield* Effect.forEach(options, (leases) =>
        Effect.forkScoped(Stream.runDrain(pool.eventsWith(leases))))
      yield* settle
      yield* pool.drain
      yield* settle
      for (const reader of before) {
        assert.isDefined(reader.pollUnsafe())
      }
      for (const leases of options) {
        yield* Stream.runDrain(pool.eventsWith(leases))
      }
      yield* Stream.runDrain(pool.events)
    }))

  it.effect("carry the pool's name and the time of the clock", () =>
    onPool({ name: "orders" }, function*({ events, listen, pool }) {
      yield* advance("5 seconds")
      yield* listen
      yield* pool.pause
      yield* settle
      assert.deepStrictEqual(events, [{ _tag: "Paused", pool: "orders", at: 5000 }])
    }))

  it.effect("tell how each lease ended", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      yield* pool.withConnection(id)
      yield* Effect.exit(pool.withConnection(() => Effect.fail("mine")))
      yield* Effect.exit(pool.withConnection(() => Effect.die("bug")))
      const borrower = yield* borrow(pool)
      yield* borrower.interrupt
      yield* settle
      const ends = only(events, "Released").map(({ end }) => end)
      assert.deepStrictEqual(ends, ["success", "failure", "defect", "interrupt"])
    }))

  it.effect("are lost, the oldest first, by a reader that lags behind more than eventBuffer", () =>
    onPool({ eventBuffer: 4, healthCheck: "1 hour" }, function*({ pool }) {
      const seen: Array<number> = []
      let first = true
      yield* Effect.forkScoped(Stream.runForEach(Stream.rechunk(pool.events, 1), (event) => {
        if (event._tag === "LimitChanged") seen.push(event.at)
        if (!first) return Effect.void
        first = false
        return Effect.sleep("1 minute")
      }))
      yield* settle
      for (let index = 0; index < 30; index++) {
        yield* pool.setLimit(1)
        yield* advance(1)
      }
      yield* advance("1 minute")
      assert.strictEqual(seen[0], 0)
      assert.deepStrictEqual(seen.slice(-4), [26, 27, 28, 29])
      assert.isBelow(seen.length, 20)
    }))

  it.effect("every kind of event is made by a pool", () =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      const collect = (setup: Setup, body: (bench: Bench) => Generator<Effect.Effect<unknown, unknown>, void, never>) =>
        Effect.gen(function*() {
          const all: Array<PoolEvent.PoolEvent> = []
          yield* onPool(setup, function*(bench) {
            yield* Effect.forkDetach(
              Stream.runForEach(bench.pool.events, (event) => Effect.sync(() => all.push(event)))
            )
            yield* settle
            yield* Effect.gen(() => body(bench))
            yield* settle
          })
          for (const { _tag } of all) seen.add(_tag)
        })
      yield* collect({ acquireTimeout: "5 seconds", leakTimeout: "4 seconds" }, function*({ pool }) {
        const lease = yield* Effect.forkDetach(pool.withConnection(() => Effect.sleep("20 seconds")))
        yield* settle
        const late = yield* Effect.forkDetach(Effect.exit(pool.withConnection(id)))
        yield* settle
        yield* advance("17 seconds")
        const slow = yield* Effect.forkDetach(pool.withConnection(id))
        yield* settle
        yield* advance("3 seconds")
        yield* Fiber.join(lease)
        yield* Fiber.join(late)
        yield* Fiber.join(slow)
        yield* pool.pause
        yield* pool.resume
        yield* pool.retireAll
        yield* pool.warmUp(1)
        yield* pool.setLimit(1)
      })
      yield* collect({ closeTimeout: "1 second" }, function*({ gates, pool }) {
        gates.set("reset", "fail", "ok")
        gates.set("close", "never", "ok")
        yield* pool.withConnection(id)
        yield* settle
        yield* advance("1 second")
      })
      yield* collect({ minConnections: 2, maxConnections: 2, healthCheck: "5 seconds" }, function*({ gates }) {
        gates.set("validate", "fail", "ok")
        yield* advance("10 seconds")
      })
      yield* collect({ breaker: { minimumDials: 1 } }, function*({ gates, pool }) {
        gates.set("connect", "fail", "ok")
        yield* Effect.exit(pool.withConnection(id))
        yield* advance("10 seconds")
        yield* pool.withConnection(id)
      })
      yield* collect({}, function*({ pool }) {
        for (let count = 0; count < 2; count++) {
          yield* Effect.forkDetach(Effect.exit(pool.withConnection(() => Effect.sleep("1 second"))))
        }
        yield* settle
        yield* pool.clear()
        yield* pool.degrade(1)
        yield* advance("1 second")
      })
      yield* collect({ traffic: { shedAfter: "20 millis" } }, function*({ pool }) {
        yield* Effect.forkDetach(pool.withConnection(() => Effect.sleep("2 seconds")))
        yield* settle
        for (let count = 0; count < 3; count++) {
          yield* Effect.forkDetach(Effect.exit(pool.withConnection(id)))
          yield* advance("200 millis")
        }
        yield* advance("2 seconds")
      })
      const silent = { admit: () => Effect.never, record: () => Effect.never, state: () => Effect.never }
      yield* collect({}, function*({ pool }) {
        yield* Effect.forkDetach(pool.withConnection(id))
        yield* settle
        yield* advance("1 second")
      }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, silent))
      // Those of upstreams are a balanced pool's (BalancedPool.ejection.test.ts), a primary is a cluster's, and those of
      // budgets are in ConnectionBudget.fleet.test.ts.
      const all: Record<
        Exclude<PoolEvent.PoolEvent["_tag"], `Upstream${string}` | `Budget${string}` | "PrimaryChanged">,
        true
      > = {
        Opened: true,
        OpenFailed: true,
        Acquired: true,
        Released: true,
        AcquiredSlowly: true,
        AcquireTimedOut: true,
        ValidateFailed: true,
        ResetFailed: true,
        Retired: true,
        Closed: true,
        CloseFailed: true,
        LeakSuspected: true,
        LeakEnded: true,
        BreakerOpened: true,
        BreakerClosed: true,
        BreakerStoreFailed: true,
        HealthChecked: true,
        Paused: true,
        Resumed: true,
        AllRetired: true,
        LimitChanged: true,
        SheddingChanged: true,
        DegradationChanged: true,
        QueueCleared: true,
        DrainStarted: true,
        Drained: true,
        ClockLeapt: true,
        Operated: true,
        WarmedUp: true
      }
      // A leap needs a clock of its own: see ConnectionPool.clock.test.ts; an operation a connector that tells of it.
      const missing = Object.keys(all).filter((tag) => tag !== "ClockLeapt" && tag !== "Operated" && !seen.has(tag))
      assert.deepStrictEqual(missing, [])
    }))
})

describe("ConnectionPool: health", () => {
  it.effect("is that of the numbers", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      assert.strictEqual((yield* pool.health).status, "healthy")
      yield* borrowMany(pool, 2)
      const health = yield* pool.health
      assert.deepStrictEqual([health.status, health.warnings[0]?.about], ["degraded", "utilization"])
      assert.deepStrictEqual(health, PoolHealth.assess(yield* pool.stats, pool.config))
    }))

  it.effect("forgets what is over: two minutes after an outage the pool is well again", () =>
    onPool(
      { retry: Schedule.spaced("1 second"), backend: { initial: { connect: "fail" } } },
      function*({ gates, pool }) {
        yield* call(pool)
        yield* advance("10 seconds")
        gates.set("connect", "ok")
        yield* advance("5 seconds")
        const { diagnosis, errorRate, status } = yield* pool.health
        // Nobody has asked since, so that the pool has not tried again.
        assert.deepInclude({ ...diagnosis, status }, { status: "unhealthy", cause: "backendDown" })
        assert.isAbove(errorRate, 0.5)
        yield* advance("2 minutes")
        assert.deepInclude(yield* pool.health, { status: "healthy", errorRate: 0, avgWaitTime: 0, warnings: [] })
        assert.isAbove((yield* pool.stats).counts.failedToOpen, 0)
      }
    ))

  it.effect("what is recent is never more than two minutes old, whatever else wakes the house", () =>
    onPool({ maxConnections: 2, idleTimeout: "7 seconds", minConnections: 0 }, function*({ pool }) {
      const spans: Array<number> = []
      for (let second = 0; second < 300; second++) {
        yield* call(pool)
        yield* advance("1 second")
        spans.push((yield* pool.stats).recent.span)
      }
      assert.isAtMost(Math.max(...spans), 120_000)
      assert.isAtLeast(Math.min(...spans.slice(60)), 60_000)
    }))

  it.effect("warns of a lease held too long until it ends, however busy the pool is", () =>
    onPool({ maxConnections: 4, leakTimeout: "10 seconds" }, function*({ pool }) {
      const held = yield* borrow(pool)
      yield* advance("9 seconds")
      yield* borrow(pool)
      yield* advance("2 seconds")
      assert.deepStrictEqual((yield* pool.health).warnings.map(({ about }) => about), ["leak"])
      assert.strictEqual((yield* pool.stats).overdue, 1)
      yield* held.giveBack
      assert.strictEqual((yield* pool.stats).overdue, 0)
      assert.strictEqual((yield* pool.health).status, "healthy")
    }))

  it.effect("does not blame a lease for what was taken from it", () =>
    onPool({ maxConnections: 2, leakTimeout: "10 seconds", reclaimTimeout: "20 seconds" }, function*({ pool }) {
      yield* borrow(pool)
      yield* advance("15 seconds")
      assert.strictEqual((yield* pool.stats).overdue, 1)
      yield* advance("10 seconds")
      assert.strictEqual((yield* pool.stats).overdue, 0)
      assert.notInclude((yield* pool.health).warnings.map(({ about }) => about), "leak")
    }))

  it.effect("is unhealthy while callers wait for dials that fail", () =>
    onPool({ retry: Schedule.spaced("1 second"), backend: { initial: { connect: "fail" } } }, function*({ pool }) {
      yield* call(pool)
      yield* advance("1500 millis")
      assert.strictEqual((yield* pool.health).status, "unhealthy")
    }))
})

describe("ConnectionPool: no background failure is silent", () => {
  /** The value of one series of the pool. */
  const metric = (name: string, attributes: Readonly<Record<string, string>>) =>
    Effect.map(Metric.snapshot, (all) => {
      const found = all.find((series) =>
        series.id === `service_pool_${name}` &&
        Object.entries({ pool: "pool", ...attributes }).every(([key, value]) => series.attributes?.[key] === value)
      )
      assert(found?.type === "Counter", `no counter ${name}`)
      return Number(found.state.count)
    })

  const told = (
    { events, logs }: Bench,
    tag: PoolEvent.PoolEvent["_tag"],
    text: string,
    series: readonly [string, Readonly<Record<string, string>>]
  ) =>
    Effect.gen(function*() {
      yield* settle
      assert.strictEqual(only(events, tag).length, 1, "one event")
      const warnings = logs.filter((log) => log.level === "Warn" && log.text.includes(text))
      assert.strictEqual(warnings.length, 1, "one warning")
      assert.strictEqual(warnings[0]?.pool, "pool")
      assert.strictEqual(yield* metric(...series), 1, "one in the metric")
    })

  it.effect("a dial that fails is an event, a warning and a metric", () =>
    onPool({}, function*(bench) {
      yield* bench.listen
      bench.gates.set("connect", "fail", "ok")
      yield* call(bench.pool)
      yield* told(bench, "OpenFailed", "connect 1 was told to fail", ["errors_total", { type: "connect" }])
    }))

  it.effect("a validation that fails is an event, a warning and a metric", () =>
    onPool({ minConnections: 2, maxConnections: 2, healthCheck: "5 seconds" }, function*(bench) {
      yield* bench.listen
      bench.gates.set("validate", "fail", "ok")
      yield* advance("5 seconds")
      yield* told(bench, "ValidateFailed", "validate 1 was told to fail", ["errors_total", { type: "validate" }])
    }))

  it.effect("a reset that fails is an event, a warning and a metric", () =>
    onPool({}, function*(bench) {
      yield* bench.listen
      bench.gates.set("reset", "fail", "ok")
      yield* bench.pool.withConnection(id)
      yield* told(bench, "ResetFailed", "reset 1 was told to fail", ["errors_total", { type: "reset" }])
    }))

  it.effect("a close that hangs is an event, a warning and a metric", () =>
    onPool({ closeTimeout: "1 second" }, function*(bench) {
      yield* bench.listen
      bench.gates.set("close", "never", "ok")
      yield* bench.pool.withConnection((connection) => bench.pool.invalidate(connection))
      yield* settle
      yield* advance("1 second")
      yield* told(bench, "CloseFailed", "close took longer than 1000 ms", ["errors_total", { type: "close" }])
    }))

  it.effect("an idle connection that breaks is an event, a warning and a metric", () =>
    onPool({}, function*(bench) {
      yield* bench.pool.withConnection(id)
      yield* bench.listen
      bench.fake.break(bench.fake.connections[0]!, new Error("reset by peer"))
      yield* told(bench, "Retired", "connection 1 broke while idle: reset by peer", [
        "connections_retired_total",
        { reason: "broken" }
      ])
    }))

  it.effect("a suspected leak is an event, a warning and a metric", () =>
    onPool({ leakTimeout: "1 second" }, function*(bench) {
      yield* bench.listen
      yield* borrow(bench.pool)
      yield* advance("1 second")
      yield* told(bench, "LeakSuspected", "leak suspected", ["leaks_suspected_total", {}])
    }))
})
