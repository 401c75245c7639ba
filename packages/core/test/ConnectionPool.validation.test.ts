import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, type Scope } from "effect"
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

describe("ConnectionPool: validation before a lease", () => {
  it.effect("is left out within the freshness window and made after it", () =>
    onPool({ freshnessWindow: "5 seconds" }, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      yield* advance(4999)
      yield* pool.withConnection(id)
      assert.strictEqual(gates.calls("validate"), 0)
      yield* advance("5 seconds")
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(gates.calls("validate"), 1)
      const { counts, validate } = yield* pool.stats
      assert.deepStrictEqual([counts.validated, counts.failedToValidate, validate.count], [1, 0, 1])
    }))

  it.effect("is made before every lease when the window is 0, once each, but for one that is just open", () =>
    onPool({ freshnessWindow: 0 }, function*({ gates, pool }) {
      for (let lease = 0; lease < 5; lease++) yield* pool.withConnection(id)
      assert.strictEqual(gates.calls("validate"), 4)
      assert.strictEqual((yield* pool.stats).counts.opened, 1)
    }))

  it.effect("replaces a connection that the server closed while it was idle, and the caller sees nothing", () =>
    onPool({ backend: { lends: false } }, function*({ events, fake, listen, logs, pool }) {
      yield* listen
      yield* pool.withConnection(id)
      fake.cutSilently(fake.connections[0]!)
      yield* advance("2 seconds")
      assert.strictEqual(yield* pool.withConnection((connection) => Effect.as(fake.use(connection), connection.id)), 2)
      yield* settle
      const { counts } = yield* pool.stats
      assert.deepStrictEqual([counts.failedToValidate, counts.retired.invalid], [1, 1])
      assert.strictEqual(only(events, "ValidateFailed")[0]?.connection, 1)
      assert(logs.some(({ text }) => text.includes("connection 1 failed its validation")))
    }))

  for (const behaviour of ["fail", "defect", "interrupt", "never", "stuck"] as const) {
    it.effect(`that does "${behaviour}" costs the connection, and the caller gets another`, () =>
      onPool({ validateTimeout: "2 seconds" }, function*({ gates, pool }) {
        yield* pool.withConnection(id)
        yield* advance("2 seconds")
        gates.set("validate", behaviour, "ok")
        const caller = yield* call(pool)
        if (behaviour === "never" || behaviour === "stuck") {
          yield* advance(1999)
          assert.isUndefined(caller.exit())
        }
        yield* advance(1)
        assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
        assert.strictEqual((yield* pool.stats).counts.retired.invalid, 1)
      }))
  }

  it.effect("that hangs delays no caller whom another connection can serve", () =>
    onPool({ maxConnections: 2 }, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      yield* advance("2 seconds")
      gates.set("validate", "never")
      const first = yield* call(pool)
      const second = yield* call(pool)
      // The second caller's connection is opened at once; being first in line, the first caller gets it.
      assert.strictEqual(yield* Fiber.join(first.fiber), 2)
      assert.strictEqual(yield* Fiber.join(second.fiber), 2)
    }))

  it.effect("that always fails costs a dial a lease, which connectRate bounds", () =>
    onPool({ freshnessWindow: 0, acquireTimeout: "10 seconds", connectRate: 5 }, function*({ gates, pool }) {
      gates.set("validate", "fail")
      const callers = yield* callMany(pool, 100)
      yield* Effect.repeat(advance(100), { times: 99 })
      assert.isAtMost(gates.calls("connect"), 5 + 10 * 5)
      assert.isAtLeast(gates.calls("connect"), 40)
      const served = callers.filter(({ exit }) => exit()?._tag === "Success").length
      // The last dial may have come too late for its caller.
      assert.isAtLeast(served, gates.calls("connect") - 1)
      assert.strictEqual(callers[99]!.reason()?._tag, "AcquireTimeout")
    }))

  it.effect("of several connections for several waiters runs side by side", () =>
    onPool({ maxConnections: 3 }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 3)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      yield* advance("2 seconds")
      gates.set("validate", "slow")
      const callers = yield* callMany(pool, 3)
      assert.strictEqual(gates.running("validate"), 3)
      gates.open("validate")
      const served = yield* Effect.forEach(callers, ({ fiber }) => Fiber.join(fiber))
      assert.deepStrictEqual(served.toSorted(), [1, 2, 3])
    }))
})

describe("ConnectionPool: idle connections that have died without a sign", () => {
  /** So many are idle and dead, the backend is well again, and a dial takes 100 ms. */
  const dead = (
    setup: Setup & { readonly idle: number },
    body: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>
  ) => {
    const { idle, ...options } = setup
    return onPool(
      { connectRate: 1_000, ...options, backend: { connectDelay: 100, ...options.backend } },
      function*(bench) {
        const warming = yield* Effect.forkScoped(bench.pool.warmUp(idle))
        yield* advance(100)
        yield* Fiber.join(warming)
        yield* advance("2 seconds")
        bench.gates.set("validate", "never")
        yield* body(bench)
      }
    )
  }

  for (const callers of [1, 3, 10]) {
    it.effect(`cost ${callers} callers one validateTimeout and one dial`, () =>
      dead({ idle: 10, maxConnections: 20 }, ({ gates, pool }) =>
        Effect.gen(function*() {
          const waiting = yield* callMany(pool, callers)
          yield* advance(1100)
          for (const { exit } of waiting) assert.strictEqual(exit()?._tag, "Success")
          assert.isAtMost(gates.fake.dialled, 10 + callers)
        })))
  }

  it.effect("cost no caller its time, however short acquireTimeout is", () =>
    dead({ idle: 10, maxConnections: 20, acquireTimeout: "1500 millis" }, ({ pool }) =>
      Effect.gen(function*() {
        for (let call = 0; call < 3; call++) {
          const waiting = yield* callMany(pool, 1)
          yield* advance(1100)
          assert.strictEqual(waiting[0]!.exit()?._tag, "Success")
          yield* advance("2 seconds")
        }
      })))

  it.effect("prove themselves together where there is no room to dial", () =>
    dead(
      { idle: 10, maxConnections: 10, backend: { closeDelay: "4 seconds" } },
      ({ gates, pool }) =>
        Effect.gen(function*() {
          const waiting = yield* call(pool)
          assert.strictEqual(gates.running("validate"), 1)
          // All but the first, and the one among them that is well answers.
          gates.set("validate", "never", "never", "never", "never", "never", "never", "never", "never", "ok")
          yield* advance("1 second")
          assert.deepStrictEqual([gates.running("validate"), waiting.exit()?._tag], [8, "Success"])
          yield* advance("2 seconds")
          assert.strictEqual((yield* pool.stats).counts.failedToValidate, 9)
        })
    ))

  it.effect("are dialled for no more, once another has proven itself", () =>
    dead({ idle: 3, maxConnections: 20 }, ({ gates, pool }) =>
      Effect.gen(function*() {
        gates.set("validate", "never", "ok")
        const first = yield* call(pool)
        yield* advance("1 second")
        assert.strictEqual(first.exit()?._tag, "Success")
        yield* advance("5 seconds")
        const dialled = gates.fake.dialled
        gates.set("validate", "slow")
        yield* callMany(pool, 2)
        assert.deepStrictEqual([gates.running("validate"), gates.fake.dialled], [2, dialled])
        gates.open("validate")
      })))
})

describe("ConnectionPool: the fence", () => {
  it.effect("after one connection broke every older idle one proves itself before it is lent, however fresh", () =>
    onPool({ maxConnections: 3, freshnessWindow: "1 hour" }, function*({ fake, gates, pool }) {
      const borrowers = yield* borrowMany(pool, 3)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      // The server restarts: one connection notices, the two others do not.
      fake.cutSilently(fake.connections[1]!)
      fake.cutSilently(fake.connections[0]!)
      fake.break(fake.connections[2]!)
      for (let lease = 0; lease < 3; lease++) {
        yield* pool.withConnection((connection) => fake.use(connection))
      }
      assert.isAtLeast(gates.calls("validate"), 1)
      assert.isAtMost((yield* pool.stats).counts.retired.invalid, 2)
    }))

  it.effect("a lease that ends broken raises it as well", () =>
    onPool({ maxConnections: 2, freshnessWindow: "1 hour" }, function*({ fake, gates, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* second!.giveBack
      fake.cutSilently(first!.connection)
      yield* first!.giveBack
      assert.strictEqual(gates.calls("validate"), 0)
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual(gates.calls("validate"), 1)
      // It has proven itself now.
      yield* pool.withConnection(id)
      assert.strictEqual(gates.calls("validate"), 1)
    }))

  it.effect("a failed validation raises it as well", () =>
    onPool({ maxConnections: 2, freshnessWindow: "10 seconds", healthCheck: "1 hour" }, function*({ gates, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* second!.giveBack
      yield* advance("10 seconds")
      gates.set("validate", "fail", "ok")
      // The second is found dead; the first, just given back, is doubted too.
      yield* first!.giveBack
      const holder = yield* borrow(pool)
      assert.strictEqual(holder.connection.id, 1)
      const caller = yield* call(pool)
      const opened = yield* Fiber.join(caller.fiber)
      yield* holder.giveBack
      assert.strictEqual(opened, 3)
      const calls = gates.calls("validate")
      const again = yield* borrow(pool)
      const last = yield* borrow(pool)
      assert.deepStrictEqual(new Set([again.connection.id, last.connection.id]), new Set([1, 3]))
      assert.strictEqual(gates.calls("validate"), calls + 1)
    }))

  it.effect("a lease that was under way when the doubt arose proves nothing by its success", () =>
    onPool({ maxConnections: 2, freshnessWindow: "1 hour" }, function*({ fake, gates, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      fake.break(first!.connection)
      yield* second!.giveBack
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual(gates.calls("validate"), 1)
    }))

  it.effect("a connection opened after the doubt needs no proof", () =>
    onPool({ maxConnections: 2, freshnessWindow: "1 hour" }, function*({ fake, gates, pool }) {
      const first = yield* borrow(pool)
      fake.break(first.connection)
      yield* first.giveBack
      yield* pool.withConnection(id)
      yield* pool.withConnection(id)
      assert.strictEqual(gates.calls("validate"), 0)
    }))

  it.effect("without validate those in doubt are replaced", () =>
    onPool({ maxConnections: 2, backend: { validate: false } }, function*({ fake, pool }) {
      const [first, second] = yield* borrowMany(pool, 2)
      yield* second!.giveBack
      fake.break(first!.connection)
      yield* first!.giveBack
      assert.strictEqual(yield* pool.withConnection(id), 3)
      yield* settle
      assert.deepInclude((yield* pool.stats).counts.retired, { broken: 2, invalid: 0 })
    }))

  it.effect("without validate and without a doubt an old connection is lent", () =>
    onPool({ backend: { validate: false } }, function*({ pool }) {
      yield* pool.withConnection(id)
      yield* advance("1 minute")
      assert.strictEqual(yield* pool.withConnection(id), 1)
    }))
})

describe("ConnectionPool: the health check", () => {
  const healthy = { maxConnections: 3, healthCheck: "10 seconds", idleTimeout: "5 minutes" } as const

  it.effect("probes idle connections on its schedule, one at a time", () =>
    onPool({ ...healthy, minConnections: 3 }, function*({ events, gates, listen, pool }) {
      yield* listen
      gates.set("validate", "slow")
      yield* advance(9999)
      assert.strictEqual(gates.calls("validate"), 0)
      yield* advance(1)
      assert.deepStrictEqual([gates.calls("validate"), gates.running("validate")], [1, 1])
      assert.strictEqual((yield* pool.stats).checking, 1)
      yield* gates.release("validate")
      yield* settle
      assert.deepStrictEqual([gates.calls("validate"), gates.running("validate")], [2, 1])
      gates.open("validate")
      yield* settle
      assert.deepInclude(only(events, "HealthChecked")[0], { checked: 3, failed: 0 })
    }))

  it.effect("takes a schedule as well as a duration", () =>
    onPool(
      { ...healthy, minConnections: 2, healthCheck: Schedule.exponential("1 second") },
      function*({ gates }) {
        yield* advance("1 second")
        assert.strictEqual(gates.calls("validate"), 2)
        yield* advance(1999)
        assert.strictEqual(gates.calls("validate"), 2)
        yield* advance(1)
        assert.strictEqual(gates.calls("validate"), 4)
      }
    ))

  it.effect("probes the only idle connection as well, whose answer a caller waits for", () =>
    onPool({ ...healthy, maxConnections: 1 }, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      gates.set("validate", "slow")
      yield* advance("10 seconds")
      assert.strictEqual(gates.running("validate"), 1)
      const caller = yield* call(pool)
      assert.isUndefined(caller.exit())
      gates.open("validate")
      assert.strictEqual(yield* Fiber.join(caller.fiber), 1)
    }))

  it.effect("gives a caller a new connection while the only idle one is probed, if there is room", () =>
    onPool({ ...healthy, maxConnections: 2 }, function*({ gates, pool }) {
      yield* pool.withConnection(id)
      gates.set("validate", "never")
      yield* advance("10 seconds")
      assert.strictEqual(gates.running("validate"), 1)
      const caller = yield* call(pool)
      assert.strictEqual(yield* Fiber.join(caller.fiber), 2)
    }))

  it.effect("finds a backend that hangs, which health tells although no dial has failed yet", () =>
    onPool({ ...healthy, minConnections: 1, maxConnections: 2 }, function*({ gates, pool }) {
      gates.set("validate", "never")
      gates.set("connect", "never")
      yield* advance("11 seconds")
      const { status, warnings } = yield* pool.health
      assert.deepStrictEqual([status, warnings[0]?.about], ["degraded", "connect"])
      yield* call(pool)
      yield* advance("2 seconds")
      assert.strictEqual((yield* pool.health).status, "unhealthy")
    }))

  it.effect("waits for no connection that is lent", () =>
    onPool({ ...healthy, maxConnections: 1 }, function*({ gates, pool }) {
      const borrower = yield* borrow(pool)
      yield* advance("30 seconds")
      assert.strictEqual(gates.calls("validate"), 0)
      yield* borrower.giveBack
    }))

  it.effect("replaces what it finds dead, and tells it", () =>
    onPool({ ...healthy, minConnections: 2 }, function*({ events, fake, listen, pool }) {
      yield* listen
      fake.cutSilently(fake.connections[0]!)
      yield* advance("10 seconds")
      const { counts, idle } = yield* pool.stats
      assert.deepStrictEqual([idle, counts.opened, counts.retired.invalid], [2, 3, 1])
      assert.deepInclude(only(events, "HealthChecked")[0], { failed: 1 })
    }))

  it.effect("counts as no use and makes nothing younger: a probed connection expires when it was due", () =>
    onPool(
      { ...healthy, maxConnections: 2, idleTimeout: "25 seconds", leakTimeout: "1 hour" },
      function*({ gates, pool }) {
        const borrowers = yield* borrowMany(pool, 2)
        yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
        yield* advance("20 seconds")
        assert.strictEqual(gates.calls("validate"), 4)
        assert.deepStrictEqual((yield* pool.connections).map(({ uses }) => uses), [1, 1])
        yield* advance(4999)
        assert.strictEqual((yield* pool.stats).idle, 2)
        yield* advance(1)
        assert.strictEqual((yield* pool.stats).total, 0)
      }
    ))

  it.effect("leaves the warmest connection the first to be lent", () =>
    onPool({ ...healthy, maxConnections: 3 }, function*({ pool }) {
      const borrowers = yield* borrowMany(pool, 3)
      for (const borrower of [borrowers[0]!, borrowers[2]!, borrowers[1]!]) {
        yield* borrower.giveBack
        yield* advance(1)
      }
      yield* advance("10 seconds")
      assert.strictEqual(yield* pool.withConnection(id), 2)
    }))

  it.effect("that hangs is ended by validateTimeout, and the round goes on", () =>
    onPool({ ...healthy, minConnections: 3, validateTimeout: "2 seconds" }, function*({ events, gates, listen }) {
      yield* listen
      gates.set("validate", "stuck", "ok")
      yield* advance("12 seconds")
      assert.deepInclude(only(events, "HealthChecked")[0], { failed: 1 })
    }))

  it.effect("is left out when the connector can't validate", () =>
    onPool({ ...healthy, minConnections: 2, backend: { validate: false } }, function*({ events, listen }) {
      yield* listen
      yield* advance("1 minute")
      assert.strictEqual(only(events, "HealthChecked").length, 0)
    }))

  it.effect("keeps a waiter from nothing: what it probes goes to who waits when it passes", () =>
    onPool({ ...healthy, maxConnections: 2 }, function*({ gates, pool }) {
      const borrowers = yield* borrowMany(pool, 2)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      gates.set("validate", "slow", "ok")
      yield* advance("10 seconds")
      const holder = yield* borrow(pool)
      const waiter = yield* call(pool)
      assert.isUndefined(waiter.exit())
      gates.open("validate")
      yield* Fiber.join(waiter.fiber)
      yield* holder.giveBack
    }))

  it.effect("a connection that breaks while it is probed is retired", () =>
    onPool({ ...healthy, maxConnections: 2 }, function*({ fake, gates, pool }) {
      const borrowers = yield* borrowMany(pool, 2)
      yield* Effect.forEach(borrowers, (borrower) => borrower.giveBack)
      gates.set("validate", "slow", "ok")
      yield* advance("10 seconds")
      const probed = (yield* pool.connections).find(({ state }) => state === "checking")!
      fake.break(fake.connections.find((connection) => connection.id === probed.id)!)
      gates.open("validate")
      yield* settle
      assert.isFalse((yield* pool.connections).some((connection) => connection.id === probed.id))
      assert.strictEqual((yield* pool.stats).counts.retired.broken, 1)
    }))
})
