import { ConnectionPool, type Connector } from "@effect-pools/core"
import * as GatedConnector from "@effect-pools/testing/GatedConnector"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import {
  advance,
  after,
  borrow,
  borrowMany,
  call,
  callMany,
  captureLogs,
  id,
  makePool,
  only,
  onPool,
  reason,
  settle
} from "./utils/bench.ts"

const attempts = (times: number, spacing: number) => Schedule.spaced(spacing).pipe(Schedule.upTo({ times: times - 1 }))

describe("ConnectionPool: start-up", () => {
  it.effect("without a minimum nothing is opened before the first lease", () =>
    onPool({ minConnections: 0 }, function*({ fake, pool }) {
      yield* settle
      assert.strictEqual(fake.dialled, 0)
      yield* pool.withConnection(id)
      assert.strictEqual(fake.dialled, 1)
    }))

  it.effect("the pool is ready when its minimum is open, and no more than that", () =>
    onPool({ minConnections: 3, maxConnections: 5 }, function*({ fake, pool }) {
      assert.deepStrictEqual([(yield* pool.stats).idle, fake.dialled], [3, 3])
    }))

  it.effect("failFast waits for slow dials of the minimum", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make({ connectDelay: "4 seconds" })
      const exit = yield* after("4 seconds", makePool({ minConnections: 2, maxConnections: 2 }, gates))
      assert(exit !== undefined && Exit.isSuccess(exit))
      assert.strictEqual((yield* exit.value.stats).idle, 2)
    }))

  it.effect("failFast fails when the attempts to connect are used up", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make({ initial: { connect: "fail" } })
      const setup = { minConnections: 1, retry: attempts(3, 1000) }
      const exit = yield* after("2 seconds", Effect.scoped(makePool(setup, gates)))
      assert(exit !== undefined)
      const failed = yield* reason(exit, "ConnectFailed")
      assert.deepInclude(failed, { attempts: 3, isRetryable: true })
      assert.deepInclude(failed.cause, { _tag: "GatedFailure", call: 3 })
      assert.strictEqual(failed.message, "3 attempts to connect failed, the last with: connect 3 was told to fail")
    }))

  it.effect("failFast fails at startupTimeout with the last failure to connect", () =>
    Effect.gen(function*() {
      const setup = { minConnections: 1, startupTimeout: 500, retry: Schedule.spaced("1 minute") }
      const exit = yield* after(500, Effect.scoped(makePool({ ...setup, backend: { initial: { connect: "fail" } } })))
      assert(exit !== undefined)
      assert.deepInclude(yield* reason(exit, "ConnectFailed"), { attempts: 1, waited: 500 })
    }))

  it.effect("failFast fails at startupTimeout when the dial hangs", () =>
    Effect.gen(function*() {
      const setup = { minConnections: 1, startupTimeout: 500, backend: { initial: { connect: "never" as const } } }
      const fiber = yield* Effect.forkScoped(Effect.scoped(makePool(setup)))
      yield* settle
      yield* advance(500)
      // The pool is taken down before the failure is seen.
      yield* advance("10 seconds")
      const timeout = yield* reason(Fiber.join(fiber), "AcquireTimeout")
      assert.deepInclude(timeout, { option: "startupTimeout", step: "opening", waited: 500 })
      assert.include(timeout.message, "within 500 ms (startupTimeout)")
      assert.include(timeout.message, "no attempt to connect has had an answer yet")
    }))

  it.effect("failFast fails with BreakerOpen when the breaker opens first", () =>
    Effect.gen(function*() {
      const setup = { minConnections: 1, breaker: { minimumDials: 2 }, retry: attempts(10, 100) }
      const exit = yield* after(
        "1 second",
        Effect.scoped(makePool({ ...setup, backend: { initial: { connect: "fail" } } }))
      )
      assert(exit !== undefined)
      yield* reason(exit, "BreakerOpen")
    }))

  it.effect("a pool that fails to start leaves no connection", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      gates.set("connect", "ok", "fail")
      const setup = { minConnections: 2, maxConnections: 2, retry: attempts(2, 1000) }
      const exit = yield* after("20 seconds", Effect.scoped(makePool(setup, gates)))
      assert(exit !== undefined)
      yield* reason(exit, "ConnectFailed")
      assert.deepStrictEqual([gates.fake.opened, gates.fake.leaked, gates.fake.live], [1, 0, 0])
    }))

  it.effect("a start-up that is interrupted leaves no connection", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make({ connectDelay: "1 second" })
      const fiber = yield* Effect.forkScoped(Effect.scoped(makePool({ minConnections: 5, maxConnections: 5 }, gates)))
      yield* settle
      yield* advance(100)
      assert.strictEqual(gates.fake.live, 5)
      const stopping = yield* Effect.forkScoped(Fiber.interrupt(fiber))
      yield* settle
      yield* advance("1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual([gates.fake.live, gates.fake.leaked], [0, 0])
    }))

  it.effect("lazy is ready at once, and its minimum opens when the backend is there", () =>
    onPool(
      { minConnections: 3, maxConnections: 3, startup: "lazy", backend: { initial: { connect: "fail" } } },
      function*({ gates, pool }) {
        yield* advance("1 minute")
        assert.strictEqual((yield* pool.stats).total, 0)
        gates.set("connect", "ok")
        yield* advance("10 seconds")
        assert.strictEqual((yield* pool.stats).idle, 3)
      }
    ))

  it.effect("lazy serves callers before its minimum is open", () =>
    onPool({ minConnections: 1, startup: "lazy" }, function*({ pool }) {
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))

  it.effect("two pools of the same options know nothing of each other", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(makePool({ name: "first" }, gates), scope)
      const second = yield* makePool({ name: "second" }, gates)
      yield* first.withConnection(id)
      yield* first.withConnection(id)
      yield* second.withConnection(id)
      const names = [(yield* first.stats).name, (yield* second.stats).name]
      assert.deepStrictEqual(names, ["first", "second"])
      assert.deepStrictEqual(
        [(yield* first.stats).counts.acquiredAtOnce, (yield* second.stats).counts.acquiredAtOnce],
        [1, 0]
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* second.stats).state, "open")
      yield* second.withConnection(id)
    }))
})

describe("ConnectionPool: a dial", () => {
  it.effect("is given up at connectTimeout, tried again, and the caller's own limit stays", () =>
    onPool(
      { connectTimeout: 100, retry: attempts(3, 50), acquireTimeout: "1 second" },
      function*({ gates, listen, events, pool }) {
        yield* listen
        gates.set("connect", "never", "ok")
        const caller = yield* call(pool)
        yield* advance(99)
        assert.strictEqual(gates.running("connect"), 1)
        yield* advance(1)
        assert.strictEqual(gates.running("connect"), 0)
        assert.include(String(only(events, "OpenFailed")[0]?.cause), "connect took longer than 100 ms (connectTimeout)")
        yield* advance(50)
        assert.strictEqual(yield* Fiber.join(caller.fiber), 1)
      }
    ))

  it.effect("that succeeds after its limit is closed and not kept", () =>
    onPool({ connectTimeout: 100, retry: attempts(3, 50) }, function*({ gates, pool }) {
      const late = lateConnector(gates, "300 millis")
      yield* Effect.forkScoped(
        Effect.exit(late.pool.pipe(Effect.flatMap((pool) => pool.withConnection(() => Effect.void))))
      )
      yield* settle
      yield* advance(100)
      assert.strictEqual(late.open(), 0)
      yield* advance(199)
      assert.strictEqual(late.open(), 0)
      yield* advance(1)
      assert.deepStrictEqual([late.opened(), late.open()], [1, 0])
      assert.strictEqual((yield* pool.stats).total, 0)
    }))

  it.effect("that succeeds after even its close was given up is closed all the same", () =>
    onPool({}, function*({ gates }) {
      const late = lateConnector(gates, "10 seconds")
      yield* Effect.forkScoped(
        Effect.exit(late.pool.pipe(Effect.flatMap((pool) => pool.withConnection(() => Effect.void))))
      )
      yield* settle
      // 100 ms to connect and 200 ms to close are long past when the dial succeeds.
      yield* advance("10 seconds")
      yield* settle
      assert.isAtLeast(late.opened(), 1)
      assert.strictEqual(late.open(), 0)
    }))

  it.effect("that hangs and ignores its interruption frees its place at closeTimeout", () =>
    onPool({ connectTimeout: 100, closeTimeout: 200, retry: attempts(3, 50) }, function*({ gates, pool }) {
      gates.set("connect", "stuck", "ok")
      const caller = yield* call(pool)
      yield* advance(299)
      assert.deepStrictEqual([(yield* pool.stats).closing, caller.exit()], [1, undefined])
      yield* advance(1)
      assert.strictEqual(yield* Fiber.join(caller.fiber), 1)
    }))

  it.effect("that hangs delays nobody else", () =>
    onPool({ maxConnections: 2 }, function*({ gates, pool }) {
      gates.set("connect", "never", "ok")
      const first = yield* call(pool)
      const second = yield* call(pool)
      // Whoever is first in line gets what is ready first.
      assert.strictEqual(yield* Fiber.join(first.fiber), 1)
      assert.strictEqual(yield* Fiber.join(second.fiber), 1)
    }))

  it.effect("that fails once costs nobody its connection", () =>
    onPool({ maxConnections: 5 }, function*({ gates, pool }) {
      gates.set("connect", "fail", "ok")
      const callers = yield* callMany(pool, 20)
      yield* advance("2 seconds")
      for (const { exit } of callers) assert(exit() !== undefined && Exit.isSuccess(exit()!))
    }))

  it.effect("that fails with two waiting is tried again for both", () =>
    onPool({ retry: attempts(3, 100) }, function*({ gates, pool }) {
      gates.set("connect", "fail", "fail", "ok")
      const [first, second] = yield* callMany(pool, 2)
      yield* advance(200)
      assert.strictEqual(yield* Fiber.join(first!.fiber), 1)
      assert.strictEqual(yield* Fiber.join(second!.fiber), 1)
    }))

  for (const behaviour of ["fail", "defect", "interrupt"] as const) {
    it.effect(`that does "${behaviour}" is a typed error of the caller`, () =>
      onPool({ retry: attempts(1, 100) }, function*({ gates, pool }) {
        gates.set("connect", behaviour)
        const exit = yield* Effect.exit(pool.withConnection(id))
        assert(Exit.isFailure(exit) && !Cause.hasDies(exit.cause) && !Cause.hasInterrupts(exit.cause))
        const failed = yield* reason(exit, "ConnectFailed")
        if (behaviour === "interrupt") assert.include(failed.message, "connect interrupted itself")
        else assert.deepInclude(failed.cause, { _tag: "GatedFailure" })
      }))
  }

  it.effect("whose error can't be read is a failed dial like any other", () =>
    Effect.gen(function*() {
      const unreadable = {
        get isRetryable(): boolean {
          throw new Error("read")
        }
      }
      let dials = 0
      const connect = () => dials++ === 0 ? Effect.fail(unreadable) : Effect.succeed({ dials })
      const pool = yield* quickPool({ connect })
      const { attempts, isRetryable } = yield* reason(pool.withConnection(() => Effect.void), "ConnectFailed")
      assert.deepStrictEqual([attempts, isRetryable], [1, true])
      yield* advance("1 second")
      yield* pool.withConnection(() => Effect.void)
    }))

  it.effect("whose connector throws is a typed error of the caller", () =>
    Effect.gen(function*() {
      const pool = yield* quickPool({
        connect: () => {
          throw new Error("thrown by the driver")
        }
      })
      const failed = yield* reason(pool.withConnection(() => Effect.void), "ConnectFailed")
      assert.include(failed.message, "thrown by the driver")
    }))

  for (const nothing of [undefined, null]) {
    it.effect(`that gives ${nothing} is a failed dial`, () =>
      Effect.gen(function*() {
        const pool = yield* quickPool({ connect: () => Effect.succeed(nothing) })
        const failed = yield* reason(pool.withConnection(() => Effect.void), "ConnectFailed")
        assert.include(failed.message, `connect returned ${nothing}`)
      }))
  }

  it.effect("that gives a connection the pool holds already is a failed dial, and nobody shares it", () =>
    Effect.gen(function*() {
      const same = {}
      const pool = yield* quickPool({ connect: () => Effect.succeed(same) }, {
        maxConnections: 2,
        acquireTimeout: "1 second"
      })
      const fiber = yield* Effect.forkScoped(
        pool.withConnection(() => Effect.flip(pool.withConnection(() => Effect.void)))
      )
      yield* settle
      yield* advance("1 second")
      const error = yield* Fiber.join(fiber)
      assert.include(error.message, "connect returned a connection that the pool holds already")
      yield* pool.drain
    }))

  it.effect("reads the credentials anew each time", () =>
    Effect.gen(function*() {
      let password = "old"
      const used: Array<string> = []
      const pool = yield* quickPool({
        connect: () =>
          Effect.sync(() => {
            used.push(password)
            return { password }
          })
      })
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      password = "new"
      yield* settle
      yield* pool.withConnection(() => Effect.void)
      assert.deepStrictEqual(used, ["old", "new"])
    }))

  it.effect("that breaks before it is open has failed, and is not lent", () =>
    Effect.gen(function*() {
      let dials = 0
      const pool = yield* quickPool({
        connect: ({ onBroken }) =>
          Effect.sync(() => {
            if (++dials === 1) onBroken(new Error("gone"))
            return { dials }
          })
      })
      const dial = pool.withConnection(({ dials }) => Effect.succeed(dials))
      assert.strictEqual((yield* Effect.flip(dial)).reason._tag, "ConnectFailed")
      yield* advance("10 seconds")
      assert.strictEqual(yield* dial, 2)
    }))
})

describe("ConnectionPool: many failing dials", () => {
  it.effect("are paced by connectRate, whoever asks", () =>
    onPool({ maxConnections: 30, connectRate: 10 }, function*({ fake, pool }) {
      yield* Effect.forEach(
        Array.from({ length: 30 }),
        () => Effect.forkScoped(pool.withConnection(() => Effect.never))
      )
      yield* settle
      assert.strictEqual(fake.dialled, 10)
      yield* advance("1 second")
      assert.isAtMost(fake.dialled, 20)
      yield* advance("1 second")
      assert.strictEqual(fake.dialled, 30)
    }))

  it.effect("that wait for their turn are not made while the delay after a failure runs", () =>
    onPool(
      { maxConnections: 5, connectRate: 1, retry: attempts(100, 2_500), backend: { initial: { connect: "slowFail" } } },
      function*({ gates, pool }) {
        const callers = yield* callMany(pool, 5)
        yield* gates.release("connect")
        yield* advance("2 seconds")
        assert.strictEqual(gates.calls("connect"), 1)
        // Whose turn comes next finds out for all whether the backend is back.
        gates.set("connect", "slow", "ok")
        yield* advance("1 second")
        assert.strictEqual(gates.calls("connect"), 2)
        yield* advance("3 seconds")
        assert.strictEqual(gates.calls("connect"), 2)
        yield* gates.release("connect")
        yield* advance("5 seconds")
        assert.deepStrictEqual(callers.map((caller) => caller.exit()?._tag), Array(5).fill("Success"))
      }
    ))

  it.effect("that wait for their turn keep nobody waiting when the round of attempts is over", () =>
    onPool(
      { maxConnections: 5, connectRate: 1, retry: attempts(1, 10_000), backend: { initial: { connect: "slowFail" } } },
      function*({ gates, pool }) {
        const callers = yield* callMany(pool, 5)
        yield* gates.release("connect")
        yield* settle
        assert.deepStrictEqual(callers.map((caller) => caller.reason()?._tag), Array(5).fill("ConnectFailed"))
      }
    ))

  it.effect("share one backoff: an outage costs the same for one waiter and for a hundred", () =>
    Effect.gen(function*() {
      const dialsFor = (waiters: number) =>
        Effect.gen(function*() {
          const gates = GatedConnector.make({ initial: { connect: "fail" } })
          yield* onPool({ maxConnections: 20 }, function*() {})
          const pool = yield* makePool({
            maxConnections: 20,
            acquireTimeout: "30 seconds",
            retry: Schedule.spaced("1 second"),
            breaker: { minimumDials: 1000 }
          }, gates)
          yield* Effect.forEach(
            Array.from({ length: waiters }),
            () => Effect.forkScoped(Effect.exit(pool.withConnection(id)))
          )
          yield* settle
          const first = gates.calls("connect")
          yield* advance("10 seconds")
          return gates.calls("connect") - first
        })
      assert.strictEqual(yield* dialsFor(1), 10)
      assert.strictEqual(yield* dialsFor(100), 10)
    }))

  it.effect("follow the delays of the retry schedule, and begin it anew after a success", () =>
    onPool(
      { retry: Schedule.exponential(100).pipe(Schedule.upTo({ times: 3 })) },
      function*({ events, gates, listen, pool }) {
        yield* listen
        gates.set("connect", "fail", "fail", "ok")
        const caller = yield* call(pool)
        yield* advance(300)
        yield* Fiber.join(caller.fiber)
        yield* pool.retireAll
        yield* settle
        gates.set("connect", "fail", "ok")
        yield* call(pool)
        yield* advance(100)
        const failures = only(events, "OpenFailed")
        assert.deepStrictEqual(failures.map(({ retryIn }) => retryIn), [100, 200, 100])
        assert.deepStrictEqual(failures.map(({ attempt }) => attempt), [1, 2, 1])
      }
    ))

  for (const delay of [Duration.infinity, Duration.days(1_000_000), Duration.hours(2)]) {
    it.effect(`come an hour after the last at the latest, where the schedule says ${Duration.format(delay)}`, () =>
      onPool(
        { retry: Schedule.spaced(delay), acquireTimeout: "1 day", backend: { initial: { connect: "fail" } } },
        function*({ events, gates, listen, pool }) {
          yield* listen
          const caller = yield* call(pool)
          gates.set("connect", "ok")
          yield* advance("59 minutes")
          assert.strictEqual(gates.calls("connect"), 1)
          yield* advance("1 minute")
          assert.strictEqual(gates.calls("connect"), 2)
          yield* Fiber.join(caller.fiber)
          assert.deepStrictEqual(only(events, "OpenFailed").map(({ retryIn }) => retryIn), [3_600_000])
        }
      ))
  }

  it.effect("that fail together are one attempt, in the log, in events and in what callers are told", () =>
    onPool(
      { maxConnections: 3, retry: attempts(3, 1000), backend: { initial: { connect: "slowFail" } } },
      function*({ events, gates, listen, logs, pool }) {
        yield* listen
        const callers = yield* callMany(pool, 3)
        gates.set("connect", "fail")
        gates.open("connect")
        yield* settle
        yield* advance("1 second")
        yield* advance("1 second")
        const said = logs.map(({ text }) => /attempt \d+/.exec(text)?.[0])
        assert.deepStrictEqual(said, ["attempt 1", "attempt 2", "attempt 3"])
        assert.deepStrictEqual(only(events, "OpenFailed").map(({ attempt }) => attempt), [1, 1, 1, 2, 3])
        for (const { reason } of callers) assert.deepInclude(reason(), { _tag: "ConnectFailed", attempts: 3 })
        assert.strictEqual((yield* pool.stats).counts.failedToOpen, 5)
      }
    ))

  it.effect("fail those who wait when the round of attempts is over, and newcomers start the next", () =>
    onPool({ retry: attempts(2, 1000), backend: { initial: { connect: "fail" } } }, function*({ gates, pool }) {
      const callers = yield* callMany(pool, 5)
      yield* advance("1 second")
      for (const { reason } of callers) {
        assert.deepInclude(reason(), { _tag: "ConnectFailed", attempts: 2, waited: 1000 })
      }
      assert.strictEqual((yield* pool.stats).counts.failed, 5)
      gates.set("connect", "ok")
      const next = yield* call(pool)
      yield* advance("1 second")
      assert.strictEqual(yield* Fiber.join(next.fiber), 1)
    }))

  it.effect("leave those waiting who can be served by a connection that is lent", () =>
    onPool({ maxConnections: 2, retry: attempts(2, 1000) }, function*({ gates, pool }) {
      const borrower = yield* borrow(pool)
      gates.set("connect", "fail")
      const caller = yield* call(pool)
      yield* advance("10 seconds")
      assert.isUndefined(caller.exit())
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(caller.fiber), 1)
    }))

  it.effect("that no further attempt can mend fail the callers at once", () =>
    onPool({ backend: { isRetryable: false, initial: { connect: "fail" } } }, function*({ gates, pool }) {
      const failed = yield* reason(pool.withConnection(id), "ConnectFailed")
      assert.deepInclude(failed, { attempts: 1, isRetryable: false })
      assert.strictEqual(gates.calls("connect"), 1)
    }))

  it.effect("that no further attempt can mend are still tried again later, without a restart", () =>
    onPool(
      { minConnections: 1, startup: "lazy", backend: { isRetryable: false, initial: { connect: "fail" } } },
      function*({ gates, pool }) {
        yield* advance("1 minute")
        gates.set("connect", "ok")
        yield* advance("10 seconds")
        assert.strictEqual((yield* pool.stats).idle, 1)
      }
    ))

  it.effect("do not take the pool below its limit: after an outage all waiters are served", () =>
    onPool(
      { maxConnections: 10, retry: attempts(100, 500), breaker: { minimumDials: 1000 } },
      function*({ gates, pool }) {
        gates.set("connect", "fail")
        const callers = yield* callMany(pool, 100)
        yield* advance("5 seconds")
        gates.set("connect", "ok")
        yield* advance("1 second")
        for (const { exit } of callers) assert(exit() !== undefined && Exit.isSuccess(exit()!))
      }
    ))

  it.effect("are each an event, a count and a warning in the log", () =>
    onPool({ backend: { initial: { connect: "fail" } } }, function*({ events, listen, logs, pool }) {
      yield* listen
      yield* call(pool)
      yield* settle
      assert.deepInclude(only(events, "OpenFailed")[0], { pool: "pool", connection: 1, attempt: 1 })
      assert.strictEqual((yield* pool.stats).counts.failedToOpen, 1)
      assert.deepInclude(logs[0], { level: "Warn", pool: "pool" })
      assert.include(logs[0]?.text, "could not connect, attempt 1")
    }))
})

const setup = { breaker: { minimumDials: 2, openDuration: "10 seconds" }, retry: attempts(100, 100) } as const

describe("ConnectionPool: the breaker", () => {
  it.effect("fails a thousand callers at once without touching the backend", () =>
    onPool({ ...setup, backend: { initial: { connect: "fail" } } }, function*({ gates, pool }) {
      const caller = yield* call(pool)
      yield* advance(100)
      assert.strictEqual(caller.reason()?._tag, "BreakerOpen")
      const dials = gates.calls("connect")
      const startedAt = performance.now()
      for (let index = 0; index < 1000; index++) {
        // Not even a turn of the scheduler is needed.
        const exit = Effect.runSyncExit(pool.withConnection(id))
        assert(Exit.isFailure(exit))
      }
      // Far above what it takes, which is some microseconds each, and far below anything that waits.
      assert.isBelow(performance.now() - startedAt, 500)
      yield* advance("9 seconds")
      assert.strictEqual(gates.calls("connect"), dials)
      const open = yield* reason(pool.withConnection(id), "BreakerOpen")
      assert.strictEqual(open.retryAfter, 1000)
      assert.include(open.message, "the next is made in 1000 ms. The last failed with: connect 2 was told to fail")
      assert.isTrue(open.isRetryable)
    }))

  it.effect("opens and closes with an event each, and its state is in the numbers", () =>
    onPool({ ...setup, backend: { initial: { connect: "fail" } } }, function*({ events, gates, listen, logs, pool }) {
      yield* listen
      yield* call(pool)
      yield* advance(100)
      assert.strictEqual((yield* pool.stats).breaker, "open")
      assert.deepStrictEqual(only(events, "BreakerOpened").map(({ retryAfter }) => retryAfter), [10_000])
      assert(logs.some(({ text }) => text.includes("too many dials failed, the next is made in 10000 ms")))
      gates.set("connect", "ok")
      yield* advance("10 seconds")
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual((yield* pool.stats).breaker, "closed")
      assert.strictEqual(only(events, "BreakerClosed").length, 1)
    }))

  it.effect("lets one dial try when its time is up, and opens again when that fails", () =>
    onPool({ ...setup, maxConnections: 5, backend: { initial: { connect: "fail" } } }, function*({ gates, pool }) {
      yield* callMany(pool, 5)
      yield* advance(100)
      const before = gates.calls("connect")
      yield* advance("10 seconds")
      const callers = yield* callMany(pool, 5)
      yield* settle
      assert.isAtMost(gates.calls("connect") - before, 1)
      for (const { reason } of callers) assert.strictEqual(reason()?._tag, "BreakerOpen")
    }))

  it.effect("is not opened by the success that makes the dials enough to judge them", () =>
    onPool({ maxConnections: 3, breaker: { minimumDials: 3 }, retry: attempts(100, 100) }, function*({ gates, pool }) {
      gates.set("connect", "fail", "fail", "ok")
      yield* call(pool)
      yield* advance(200)
      yield* borrowMany(pool, 3)
      assert.strictEqual(gates.calls("connect"), 5)
      assert.strictEqual((yield* pool.stats).breaker, "closed")
    }))

  it.effect("does not refuse callers whom an open connection can serve", () =>
    onPool({ ...setup, maxConnections: 2 }, function*({ gates, pool }) {
      const borrower = yield* borrow(pool)
      gates.set("connect", "fail")
      const waiter = yield* call(pool)
      yield* advance("1 second")
      assert.strictEqual((yield* pool.stats).breaker, "open")
      const newcomer = yield* call(pool)
      yield* borrower.giveBack
      assert.strictEqual(yield* Fiber.join(waiter.fiber), 1)
      assert.strictEqual(yield* Fiber.join(newcomer.fiber), 1)
    }))

  it.effect("ends by itself: the minimum is back when the backend is, without a caller and without a restart", () =>
    onPool({ ...setup, minConnections: 3, maxConnections: 5 }, function*({ fake, gates, pool }) {
      gates.set("connect", "fail")
      for (const connection of fake.connections) fake.break(connection)
      yield* advance("5 minutes")
      assert.deepStrictEqual([(yield* pool.stats).total, (yield* pool.stats).breaker], [0, "open"])
      gates.set("connect", "ok")
      yield* advance("10 seconds")
      assert.deepStrictEqual([(yield* pool.stats).idle, (yield* pool.stats).breaker], [3, "closed"])
    }))

  it.effect("does not count what is not the backend's fault", () =>
    onPool({ ...setup, maxConnections: 2, acquireTimeout: "1 second" }, function*({ pool }) {
      yield* borrowMany(pool, 2)
      yield* callMany(pool, 5)
      yield* advance("1 second")
      const waiter = yield* call(pool)
      yield* waiter.interrupt
      const { breaker, counts } = yield* pool.stats
      assert.deepStrictEqual([breaker, counts.timedOut], ["closed", 5])
    }))

  it.effect("of one pool is its own: with a CircuitBreakerStore in the context a sick process opens nobody else's", () =>
    Effect.gen(function*() {
      const store = yield* Layer.build(CircuitBreaker.layerStoreMemory())
      const withStore = (gates: GatedConnector.GatedConnector) =>
        Effect.provide(makePool({ ...setup, name: "shared" }, gates), store)
      const sick = yield* withStore(GatedConnector.make({ initial: { connect: "fail" } }))
      // It opens again after each of its attempts, and that is one vote all the same.
      for (let attempt = 0; attempt < 3; attempt++) {
        yield* call(sick)
        yield* advance(100)
        assert.strictEqual((yield* sick.stats).breaker, "open")
        yield* advance("11 seconds")
      }
      const well = yield* withStore(GatedConnector.make())
      assert.strictEqual(yield* well.withConnection(id), 1)
      // A success in between: the next that fails does not agree with the first.
      const second = yield* withStore(GatedConnector.make({ initial: { connect: "fail" } }))
      yield* call(second)
      yield* advance(100)
      yield* well.retireAll
      yield* settle
      assert.strictEqual(yield* well.withConnection(id), 2)
      assert.strictEqual((yield* second.stats).breaker, "open")
    }))

  it.effect("is open for all pools of one name when two agree, with a CircuitBreakerStore in the context", () =>
    Effect.gen(function*() {
      const store = yield* Layer.build(CircuitBreaker.layerStoreMemory())
      const second = GatedConnector.make()
      const withStore = (gates: GatedConnector.GatedConnector) =>
        Effect.provide(makePool({ ...setup, name: "shared" }, gates), store)
      for (let n = 0; n < 2; n++) {
        yield* call(yield* withStore(GatedConnector.make({ initial: { connect: "fail" } })))
        yield* advance(100)
      }
      const other = yield* withStore(second)
      const caller = yield* call(other)
      assert.deepStrictEqual([caller.reason()?._tag, second.calls("connect")], ["BreakerOpen", 0])
      // It knows nothing of the dial that failed elsewhere.
      const error = yield* reason(caller.fiber.pollUnsafe()!, "BreakerOpen")
      assert.strictEqual(error.message, "too many attempts to connect failed; the next is made in 10000 ms")
      const alone = yield* makePool({ ...setup, name: "shared" }, second)
      assert.strictEqual(yield* alone.withConnection(id), 1)
    }))
})

describe("ConnectionPool: a breaker's store that can't be asked", () => {
  type Store = CircuitBreaker.CircuitBreakerStore["Service"]
  const inTrouble = new CircuitBreaker.CircuitBreakerError({
    reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "the store is down" })
  })
  const troubles = {
    "never answers": Effect.never,
    "can't be interrupted": Effect.uninterruptible(Effect.never),
    fails: Effect.fail(inTrouble),
    dies: Effect.die("the store is broken")
  }
  const memory = Effect.map(
    Layer.build(CircuitBreaker.layerStoreMemory()),
    (context) => Context.get(context, CircuitBreaker.CircuitBreakerStore)
  )

  it.effect("holds up a dial for a second, and is then left alone for openDuration", () =>
    Effect.gen(function*() {
      let asked = 0
      const silent = Effect.suspend(() => {
        asked++
        return Effect.never
      })
      const store: Store = { admit: () => silent, record: () => silent, state: () => silent }
      yield* onPool(
        { maxConnections: 3, breaker: { openDuration: "10 seconds" } },
        function*({ events, listen, logs, pool }) {
          yield* listen
          const caller = yield* call(pool)
          yield* advance(999)
          assert.isUndefined(caller.exit())
          yield* advance(1)
          assert.deepStrictEqual([caller.exit(), asked], [Exit.succeed(1), 1])
          yield* borrowMany(pool, 3)
          assert.strictEqual(asked, 1)
          const what = "an answer of the breaker's store took longer than 1000 ms (a fixed limit)"
          assert.deepStrictEqual(only(events, "BreakerStoreFailed").map(({ cause }) => String(cause)), [
            `StepTimedOut: ${what}`
          ])
          assert.deepStrictEqual(logs.map(({ level, text }) => [level, text]), [
            ["Warn", `the breaker's store could not be asked, dials go on without it: ${what}`]
          ])
          yield* pool.retireAll
        }
      ).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, store))
    }))

  it.effect("is asked again after openDuration", () =>
    Effect.gen(function*() {
      const store = yield* memory
      let isDown = true
      let asked = 0
      const sometimes: Store = {
        ...store,
        admit: (key) =>
          Effect.suspend(() => {
            asked++
            return isDown ? Effect.fail(inTrouble) : store.admit(key)
          })
      }
      yield* onPool({ ...setup, maxConnections: 2 }, function*({ gates, pool }) {
        yield* pool.withConnection(id)
        isDown = false
        gates.set("connect", "fail")
        yield* pool.retireAll
        yield* advance("9 seconds")
        yield* call(pool)
        assert.strictEqual(asked, 1)
        // Its own breaker has opened meanwhile: the next dial is made when that one lets it.
        yield* advance("11 seconds")
        yield* call(pool)
        assert.isAbove(asked, 1)
        assert.strictEqual((yield* pool.stats).breaker, "open")
      }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, sometimes))
    }))

  for (const question of ["admit", "record", "state"] as const) {
    for (const [trouble, answer] of Object.entries(troubles)) {
      it.effect(`lets dials go on when it ${trouble} on ${question}`, () =>
        Effect.gen(function*() {
          const store: Store = { ...(yield* memory), [question]: () => answer }
          yield* onPool({ retry: attempts(3, 10) }, function*({ gates, pool }) {
            gates.set("connect", "fail", "ok")
            const caller = yield* call(pool)
            yield* advance("3 seconds")
            assert.deepStrictEqual(caller.exit(), Exit.succeed(1))
          }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, store))
        }))
    }
    it.effect(`lets dials go on when it throws on ${question}`, () =>
      Effect.gen(function*() {
        const store: Store = {
          ...(yield* memory),
          [question]: () => {
            throw new Error("the store is broken")
          }
        }
        yield* onPool({ retry: attempts(3, 10) }, function*({ gates, pool }) {
          gates.set("connect", "fail", "ok")
          const caller = yield* call(pool)
          yield* advance("3 seconds")
          assert.deepStrictEqual(caller.exit(), Exit.succeed(1))
        }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, store))
      }))
  }
})

/** A pool of one connection that gives up after one attempt. */
const quickPool = <C>(
  connector: Connector.Connector<C>,
  options: Parameters<typeof ConnectionPool.make>[1] = {}
) =>
  ConnectionPool.make(connector, {
    minConnections: 0,
    maxConnections: 1,
    retry: attempts(1, 100),
    ...options
  }).pipe(Effect.provide(captureLogs([])))

/** A pool whose dials can't be interrupted and take longer than they may. */
const lateConnector = (_: unknown, takes: "300 millis" | "10 seconds") => {
  let opened = 0
  let closed = 0
  const connect = () =>
    Effect.uninterruptible(Effect.andThen(
      Effect.sleep(takes),
      Effect.acquireRelease(
        Effect.sync(() => {
          opened++
          return { opened }
        }),
        () => Effect.sync(() => void closed++)
      )
    ))
  return {
    pool: quickPool({ connect }, { connectTimeout: 100, closeTimeout: 200 }),
    opened: () => opened,
    open: () => opened - closed
  }
}
