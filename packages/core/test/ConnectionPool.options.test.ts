import type { PoolConfig } from "@effect-pools/core"
import * as GatedConnector from "@effect-pools/testing/GatedConnector"
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Exit, Fiber, Metric, Schedule, Stream } from "effect"
import {
  advance,
  type Bench,
  borrow,
  borrowMany,
  call,
  callMany,
  id,
  makePool,
  onPool,
  reason,
  settle,
  type Setup
} from "./utils/bench.ts"
import { db } from "./support/kinds.ts"

type Options = PoolConfig.PoolOptions

/** What a pool does that is made with each of two values of an option, and nothing else different. */
interface Case<Value> {
  readonly values: readonly [Value, Value]
  readonly beside?: Setup
  readonly measure: (bench: Bench) => Generator<Effect.Effect<unknown, unknown, any>, unknown, never>
  readonly expected: readonly [unknown, unknown]
}

type Cases = {
  readonly [Name in keyof Omit<Options, "startup" | "startupTimeout">]-?: Case<Exclude<Options[Name], undefined>>
}

/** How many milliseconds pass, in steps, until something holds. */
const until = (holds: Effect.Effect<boolean>, step = 500, most = 600_000) =>
  Effect.gen(function*() {
    for (let passed = 0; passed < most; passed += step) {
      if (yield* holds) return passed
      yield* advance(step)
    }
    return Infinity
  })

const hasEnded = (fiber: Fiber.Fiber<unknown, unknown>) => Effect.sync(() => fiber.pollUnsafe() !== undefined)

const seconds = ["2 seconds", "4 seconds"] as const

const cases: Cases = {
  name: {
    values: ["orders", "users"],
    *measure({ pool }) {
      yield* borrow(pool)
      return [pool.name, (yield* pool.stats).name, (yield* pool.health).name]
    },
    expected: [["orders", "orders", "orders"], ["users", "users", "users"]]
  },
  minConnections: {
    values: [1, 3],
    beside: { maxConnections: 5 },
    *measure({ pool }) {
      return (yield* pool.stats).idle
    },
    expected: [1, 3]
  },
  maxConnections: {
    values: [2, 4],
    *measure({ fake, pool }) {
      yield* callHeld(pool, 10)
      return fake.live
    },
    expected: [2, 4]
  },
  acquireTimeout: {
    values: seconds,
    *measure({ pool }) {
      yield* borrow(pool)
      const waiter = yield* call(pool)
      return yield* until(hasEnded(waiter.fiber))
    },
    expected: [2000, 4000]
  },
  connectTimeout: {
    values: seconds,
    beside: { backend: { initial: { connect: "never" } }, retry: Schedule.recurs(0) },
    *measure({ pool }) {
      const caller = yield* call(pool)
      return yield* until(hasEnded(caller.fiber))
    },
    expected: [2000, 4000]
  },
  validateTimeout: {
    values: seconds,
    beside: { freshnessWindow: 0 },
    *measure({ gates, pool }) {
      yield* pool.withConnection(id)
      yield* advance(1)
      gates.set("validate", "never", "ok")
      const caller = yield* call(pool)
      return yield* until(hasEnded(caller.fiber))
    },
    expected: [2000, 4000]
  },
  resetTimeout: {
    values: seconds,
    beside: { backend: { initial: { reset: "never" } } },
    *measure({ pool }) {
      const caller = yield* call(pool)
      return yield* until(hasEnded(caller.fiber))
    },
    expected: [2000, 4000]
  },
  closeTimeout: {
    values: seconds,
    beside: { backend: { initial: { close: "never" } } },
    *measure({ pool }) {
      yield* pool.withConnection((connection) => pool.invalidate(connection))
      return yield* until(Effect.map(pool.stats, ({ total }) => total === 0))
    },
    expected: [2000, 4000]
  },
  drainTimeout: {
    values: seconds,
    *measure({ pool }) {
      yield* borrow(pool)
      const draining = yield* Effect.forkScoped(pool.drain)
      yield* settle
      return yield* until(hasEnded(draining))
    },
    expected: [2000, 4000]
  },
  idleTimeout: {
    values: seconds,
    *measure({ pool }) {
      yield* pool.withConnection(id)
      return yield* until(Effect.map(pool.stats, ({ total }) => total === 0))
    },
    expected: [2000, 4000]
  },
  maxLifetime: {
    values: seconds,
    beside: { maxLifetimeJitter: 0, idleTimeout: "2 seconds" },
    *measure({ pool }) {
      const replaced = Effect.map(pool.withConnection(id), (connection) => connection > 1)
      return yield* until(Effect.orDie(replaced))
    },
    expected: [2000, 4000]
  },
  maxLifetimeJitter: {
    values: [0, 0.9],
    beside: { maxConnections: 20, maxLifetime: "10 seconds", idleTimeout: "10 seconds" },
    *measure({ pool }) {
      const borrowers = yield* borrowMany(pool, 20)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("9 seconds")
      return (yield* pool.stats).idle === 20
    },
    expected: [true, false]
  },
  maxUses: {
    values: [2, 4],
    *measure({ pool }) {
      let uses = 0
      while ((yield* pool.withConnection(id)) === 1) uses++
      return uses
    },
    expected: [2, 4]
  },
  freshnessWindow: {
    values: seconds,
    *measure({ gates, pool }) {
      yield* pool.withConnection(id)
      yield* advance("3 seconds")
      yield* pool.withConnection(id)
      return gates.calls("validate")
    },
    expected: [1, 0]
  },
  pendingLimit: {
    values: [1, 3],
    *measure({ pool }) {
      yield* borrow(pool)
      yield* callMany(pool, 10)
      return (yield* pool.stats).pending
    },
    expected: [1, 3]
  },
  connectRate: {
    values: [2, 10],
    beside: { maxConnections: 20 },
    *measure({ fake, pool }) {
      yield* callHeld(pool, 20)
      return fake.dialled
    },
    expected: [2, 10]
  },
  retry: {
    values: [Schedule.spaced("2 seconds"), Schedule.spaced("4 seconds")],
    *measure({ gates, pool }) {
      gates.set("connect", "fail", "ok")
      const caller = yield* call(pool)
      return yield* until(hasEnded(caller.fiber))
    },
    expected: [2000, 4000]
  },
  breaker: {
    values: [{ minimumDials: 2 }, { minimumDials: 4 }],
    beside: { retry: Schedule.spaced("1 second"), backend: { initial: { connect: "fail" } } },
    *measure({ pool }) {
      const caller = yield* call(pool)
      yield* until(hasEnded(caller.fiber))
      return (yield* pool.stats).counts.failedToOpen
    },
    expected: [2, 4]
  },
  healthCheck: {
    values: seconds,
    beside: { minConnections: 2, maxConnections: 2 },
    *measure({ gates }) {
      return yield* until(Effect.sync(() => gates.calls("validate") > 0))
    },
    expected: [2000, 4000]
  },
  leakTimeout: {
    values: seconds,
    *measure({ pool }) {
      yield* borrow(pool)
      return yield* until(Effect.map(pool.stats, ({ counts }) => counts.leaksSuspected > 0))
    },
    expected: [2000, 4000]
  },
  reclaimTimeout: {
    values: seconds,
    *measure({ pool }) {
      const { connection } = yield* borrow(pool)
      return yield* until(Effect.sync(() => !connection.isOpen))
    },
    expected: [2000, 4000]
  },
  slowAcquireTimeout: {
    values: seconds,
    *measure({ logs, pool }) {
      const borrower = yield* borrow(pool)
      yield* call(pool)
      yield* advance("3 seconds")
      yield* borrower.giveBack
      yield* settle
      return logs.length
    },
    expected: [1, 0]
  },
  eventBuffer: {
    values: [2, 8],
    *measure({ pool }) {
      let seen = 0
      yield* Effect.forkScoped(Stream.runForEach(
        Stream.rechunk(pool.events, 1),
        () => Effect.suspend(() => ++seen === 1 ? Effect.sleep("1 second") : Effect.void)
      ))
      yield* settle
      yield* pool.pause
      yield* settle
      for (let index = 0; index < 100; index++) yield* pool.setLimit(1)
      yield* advance("1 second")
      return seen - 1
    },
    expected: [2, 8]
  },
  unref: {
    values: [true, false],
    *measure({ pool }) {
      // Only timers that keep the process alive are told.
      const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length
      yield* pool.withConnection(id)
      return (yield* pool.withConnection(() => Effect.sync(timers))) - timers()
    },
    expected: [1, 0]
  },
  metrics: {
    values: [true, false],
    *measure() {
      const all = yield* Metric.snapshot
      return all.some((series) => series.id === "service_pool_connections_total")
    },
    expected: [true, false]
  },
  traffic: {
    values: [{ maxShare: 0.5 }, { maxShare: 1 }],
    beside: { maxConnections: 4 },
    *measure({ pool }) {
      for (let count = 0; count < 6; count++) {
        yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { fairKey: "one" }))
      }
      yield* settle
      return (yield* pool.stats).used
    },
    expected: [2, 4]
  },
  sizing: {
    values: [{ mode: "advise", start: 2 }, { mode: "apply", start: 2 }],
    beside: { maxConnections: 4 },
    *measure({ pool }) {
      return (yield* pool.stats).limit
    },
    expected: [4, 2]
  },
  thresholds: {
    values: ["calm", "strict"],
    beside: { maxConnections: 20 },
    *measure({ pool }) {
      yield* callHeld(pool, 17)
      return (yield* pool.health).status
    },
    expected: ["healthy", "degraded"]
  }
}

/** So many callers that keep what they get. */
const callHeld = (pool: Bench["pool"], count: number) =>
  Effect.andThen(
    Effect.forEach(Array.from({ length: count }), () => Effect.forkScoped(pool.withConnection(() => Effect.never))),
    settle
  )

describe("ConnectionPool: every option has its effect", () => {
  for (const [name, { beside, expected, measure, values }] of Object.entries(cases)) {
    it.effect(`${name}`, () =>
      Effect.gen(function*() {
        const measured: Array<unknown> = []
        for (const value of values) {
          yield* onPool({ ...beside, [name]: value }, function*(bench) {
            measured.push(yield* Effect.gen(() => measure(bench)))
          })
        }
        assert.deepStrictEqual(measured, [...expected])
      }))
  }

  it.effect("startup", () =>
    Effect.gen(function*() {
      const backend = { initial: { connect: "fail" } } as const
      const start = (startup: "failFast" | "lazy") =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkScoped(makePool({ minConnections: 1, startup, backend }))
          yield* settle
          return yield* until(hasEnded(fiber))
        })
      assert.strictEqual(yield* start("lazy"), 0)
      assert.isAbove(yield* start("failFast"), 1000)
    }))

  it.effect("startupTimeout", () =>
    Effect.gen(function*() {
      const start = (startupTimeout: Duration.Input) =>
        Effect.gen(function*() {
          const gates = GatedConnector.make({ connectDelay: "1 hour" })
          const fiber = yield* Effect.forkScoped(Effect.scoped(makePool({ minConnections: 1, startupTimeout }, gates)))
          yield* settle
          const took = yield* until(hasEnded(fiber))
          yield* reason(Fiber.join(fiber), "AcquireTimeout")
          return took
        })
      assert.deepStrictEqual([yield* start("2 seconds"), yield* start("4 seconds")], [2000, 4000])
    }))

  for (
    const [what, breaker, expected] of [
      ["failureRate", [{ failureRate: 0.2 }, { failureRate: 1 }], ["open", "closed"]],
      ["openDuration", [{ openDuration: "2 seconds" }, { openDuration: "1 hour" }], ["closed", "open"]]
    ] as const
  ) {
    it.effect(`breaker.${what}`, () =>
      Effect.gen(function*() {
        const measured: Array<unknown> = []
        for (const options of breaker) {
          const setup: Setup = {
            maxConnections: 5,
            breaker: { minimumDials: 4, failureRate: 0.2, ...options },
            retry: Schedule.spaced(100)
          }
          yield* onPool(setup, function*({ gates, pool }) {
            gates.set("connect", "ok", "ok", "ok", "fail")
            yield* callHeld(pool, 4)
            gates.set("connect", "ok")
            if (what === "openDuration") yield* advance("5 seconds")
            measured.push((yield* pool.stats).breaker)
          })
        }
        assert.deepStrictEqual(measured, [...expected])
      }))
  }
})

describe("ConnectionPool: options", () => {
  it.effect("that are wrong fail the pool before anything is opened, with the option and the rule named", () =>
    Effect.gen(function*() {
      const gates = GatedConnector.make()
      const wrong: ReadonlyArray<readonly [string, Options]> = [
        ["maxConnections", { maxConnections: 0 }],
        ["minConnections", { minConnections: 3, maxConnections: 2 }],
        ["acquireTimeout", { acquireTimeout: Number.NaN }],
        ["idleTimeout", { idleTimeout: "2 hours", maxLifetime: "1 hour" }],
        ["validateTimeout", { validateTimeout: "1 minute", acquireTimeout: "1 second" }],
        ["maxConections", { maxConections: 5 } as Options]
      ]
      for (const [option, options] of wrong) {
        const refused = yield* reason(makePool(options, gates), "InvalidOption")
        assert.strictEqual(refused.option, option)
        assert.isFalse(refused.isRetryable)
        assert.include(refused.message, `option ${option}: `)
      }
      assert.strictEqual(gates.calls("connect"), 0)
    }))

  it.effect("are read once: to change the object afterwards has no effect", () =>
    Effect.gen(function*() {
      const options = { minConnections: 0, maxConnections: 1, pendingLimit: 0 }
      const pool = yield* makePool(options)
      options.maxConnections = 100
      options.pendingLimit = 100
      yield* borrow(pool)
      const exit = Effect.runSyncExit(pool.withConnection(id))
      assert(Exit.isFailure(exit))
      assert.isTrue(Object.isFrozen(pool.config))
    }))

  it.effect("left out are the defaults of the kind", () =>
    Effect.gen(function*() {
      const pool = yield* makePool({ kind: db, maxConnections: undefined, minConnections: undefined })
      assert.deepInclude(pool.config, { kind: "db", minConnections: 2, maxConnections: 20 })
      assert.strictEqual((yield* pool.stats).idle, 2)
    }))
})
