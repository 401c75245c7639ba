import { ConnectionPool, DialError, PoolDiagnosis } from "@effect-pools/core"
import { entries } from "../src/internal/diagnosis/diagnose.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { advance, borrow, borrowMany, call, callMany, onPool, type Pool, reason, settle } from "./utils/bench.ts"

/** The diagnosis that a pool must give just now. */
const diagnosed = (pool: Pool, cause: PoolDiagnosis.Cause) =>
  Effect.map(pool.health, ({ diagnosis, warnings }) => {
    assert.strictEqual(diagnosis?.cause, cause, JSON.stringify({ diagnosis, warnings }))
    return { ...diagnosis!, abouts: warnings.map(({ about }) => about) }
  })

/** Runs leases that take so long, one after another. */
const work = (pool: Pool, label: string | undefined, times: number, each: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < times; i++) {
      const fiber = yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep(each), { label }))
      yield* settle
      yield* TestClock.adjust(each)
      yield* Fiber.join(fiber)
    }
  })

const refuse = (refusal: "credentials" | "capacity", message: string) =>
  new DialError.DialError({
    address: "db:5432",
    message: `db:5432: ${message}`,
    code: undefined,
    isRetryable: true,
    refusal
  })

/** Whose dials fail with this from the moment that it is set. */
const refusing = () => {
  const backend: { error: Error | undefined; opened: number } = { error: undefined, opened: 0 }
  const connect = Effect.suspend(() =>
    backend.error === undefined ? Effect.succeed({ id: ++backend.opened }) : Effect.fail(backend.error)
  )
  return { backend, connector: { connect: () => connect, validate: () => Effect.void } }
}

const makeRefusing = (options: ConnectionPool.MakeOptions = {}) =>
  Effect.gen(function*() {
    const { backend, connector } = refusing()
    const pool = yield* ConnectionPool.make(connector, {
      name: "app/Db",
      metrics: false,
      minConnections: 1,
      maxConnections: 4,
      retry: Schedule.spaced("1 second"),
      ...options
    })
    return { backend, pool: pool as unknown as Pool }
  })

describe("PoolDiagnosis: one cause is named", () => {
  it.effect("one label that holds everything: who, since when, how many suffer, and not maxConnections", () =>
    onPool({ maxConnections: 5, acquireTimeout: "2 seconds", leakTimeout: "8 seconds" }, function*({ pool }) {
      yield* work(pool, "POST /checkout", 12, 20)
      for (let i = 0; i < 5; i++) {
        yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "nightly-report" }))
      }
      yield* settle
      const callers = yield* callMany(pool, 10)
      yield* advance("1500 millis")
      const early = yield* diagnosed(pool, "oneHolder")
      assert.strictEqual(
        early.text,
        "nightly-report holds 5 of 5 connections, the longest for 1.5 s, since 00:00:00 UTC; 10 callers wait"
      )
      assert.deepStrictEqual(early.abouts, ["oneHolder"])
      assert.match(early.remedy, /^Run fewer of them at once/)
      yield* advance("500 millis")
      const error = yield* Effect.flip(Fiber.join(callers[0]!.fiber))
      assert.include(error.message, "nightly-report holds 5 of 5 connections, the longest for 2 s")
      assert.include(error.message, early.remedy)
      const failed = yield* diagnosed(pool, "oneHolder")
      assert.strictEqual(failed.level, "critical")
      assert.include(failed.text, "10 callers got none in the last")
      assert.isFalse((yield* pool.health).isServing)
      yield* advance("10 seconds")
      const late = yield* diagnosed(pool, "oneHolder")
      assert.include(late.text, "5 of them past leakTimeout")
      assert.strictEqual(late.since, early.since)
    }))

  it.effect("a caller that finds the queue full is told why it is full", () =>
    onPool({ maxConnections: 2, acquireTimeout: "5 seconds", pendingLimit: 1 }, function*({ pool }) {
      for (let i = 0; i < 2; i++) {
        yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "nightly-report" }))
      }
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      const { diagnosis, message } = yield* reason(pool.withConnection(() => Effect.void), "QueueFull")
      assert.strictEqual(diagnosis?.cause, "oneHolder")
      assert.match(
        message,
        /^1 caller waits already and pendingLimit is 1; nightly-report holds 2 of 2 connections, .*\. Run fewer of them/
      )
      yield* advance("5 seconds")
    }))

  it.effect("leases that nobody labelled are called so, with the advice to label them", () =>
    onPool({ maxConnections: 2, acquireTimeout: "3 seconds" }, function*({ pool }) {
      for (let i = 0; i < 2; i++) yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      yield* settle
      yield* callMany(pool, 2)
      yield* advance("3 seconds")
      const { remedy, text } = yield* diagnosed(pool, "oneHolder")
      assert.match(text, /^leases without a label hold 2 of 2 connections/)
      assert.match(remedy, /^Label the leases/)
    }))

  it.effect("several that hold on for longer than anybody waits", () =>
    onPool({ maxConnections: 2, acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* borrowMany(pool, 2)
      yield* callMany(pool, 2)
      yield* advance("3 seconds")
      const { level, text } = yield* diagnosed(pool, "leasesTooLong")
      assert.strictEqual(level, "critical")
      assert.match(
        text,
        /^all 2 connections are held and none has come back for 3 s, longest by borrower 1 \(3 s\), borrower 2 \(3 s\); .*2 callers got none in the last 3 s$/
      )
    }))

  it.effect("leases of one label that take most of the time", () =>
    onPool({ maxConnections: 1, acquireTimeout: "30 seconds", slowAcquireTimeout: "20 seconds" }, function*({ pool }) {
      yield* work(pool, "GET /user", 20, 20)
      yield* work(pool, "export", 3, 5000)
      yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("5 seconds"), { label: "export" }))
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      const { abouts, text } = yield* diagnosed(pool, "leasesTooLong")
      assert.match(
        text,
        /^export takes 97 % of the connections' time: 3 leases in the last .* s, 5 s in the mean, 5 s the longest, where others take 20 ms; 1 caller waits$/
      )
      assert.deepStrictEqual(abouts, ["leasesTooLong"])
      yield* advance("10 seconds")
    }))

  it.effect("a backend that has become slow, by what leases and validations took before", () =>
    onPool(
      { maxConnections: 2, acquireTimeout: "30 seconds", freshnessWindow: 0, slowAcquireTimeout: "20 seconds" },
      function*({ pool }) {
        yield* work(pool, "GET /user", 110, 10)
        yield* advance("3 minutes")
        yield* work(pool, "GET /user", 30, 100)
        for (let i = 0; i < 4; i++) {
          yield* Effect.forkScoped(pool.withConnection(() => Effect.sleep("1 second"), { label: "GET /user" }))
        }
        yield* settle
        const { abouts, remedy, text } = yield* diagnosed(pool, "backendSlow")
        assert.match(text, /^the backend has become slow: leases take 100 ms, usually 10 ms/)
        assert.notInclude(remedy, "Raise maxConnections")
        assert.deepStrictEqual(abouts, ["backendSlow"])
        yield* advance("10 seconds")
      }
    ))

  it.effect("a backend that does not answer those who are usually quick", () =>
    onPool({ maxConnections: 2, acquireTimeout: "3 seconds" }, function*({ pool }) {
      yield* work(pool, "GET /user", 12, 10)
      for (let i = 0; i < 2; i++) {
        yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "GET /user" }))
      }
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      const { text } = yield* diagnosed(pool, "backendSlow")
      assert.strictEqual(
        text,
        "the backend answers slowly or not at all: GET /user usually takes 10 ms, " +
          "and 2 of 2 connections are held for up to 2 s; 1 caller waits"
      )
    }))

  it.effect("a backend that is down: what the last dial said, quoted, and for how long", () =>
    onPool(
      { minConnections: 1, maxConnections: 4, retry: Schedule.spaced("1 second"), acquireTimeout: "5 seconds" },
      function*({ fake, gates, pool }) {
        gates.set("connect", "fail")
        fake.break(fake.connections[0]!)
        yield* settle
        const caller = yield* call(pool)
        yield* advance("3 seconds")
        const { abouts, level, text } = yield* diagnosed(pool, "backendDown")
        assert.match(
          text,
          /^the backend is down: no connection is open and 4 attempts to connect failed within 3 s, the last with: connect \d+ was told to fail$/
        )
        assert.strictEqual(level, "critical")
        assert.deepStrictEqual(abouts, ["backendDown"])
        assert.isFalse((yield* pool.health).isServing)
        yield* advance("2 seconds")
        const { message } = yield* Effect.flip(Fiber.join(caller.fiber))
        assert.include(message, "the backend is down: no connection is open and")
        gates.set("connect", "ok")
        yield* advance("1 second")
        assert.isTrue((yield* pool.health).isServing)
      }
    ))

  it.effect("a backend that answers no dial", () =>
    onPool(
      { minConnections: 1, maxConnections: 4, startup: "lazy", backend: { initial: { connect: "never" } } },
      function*({ gates, pool }) {
        yield* settle
        yield* call(pool)
        yield* advance("4 seconds")
        const { level, text } = yield* diagnosed(pool, "backendDown")
        assert.match(text, /^the backend does not answer: .* has had an answer for 4 s$/)
        assert.strictEqual(level, "critical")
        gates.set("connect", "ok")
      }
    ))

  it.effect("a short outage is told as what it was, after it, and nothing stands any more", () =>
    onPool(
      { minConnections: 1, maxConnections: 4, retry: Schedule.spaced("500 millis"), acquireTimeout: "1 second" },
      function*({ fake, gates, pool }) {
        yield* advance("10 seconds")
        gates.set("connect", "fail")
        fake.break(fake.connections[0]!)
        yield* settle
        yield* callMany(pool, 3)
        yield* advance("3 seconds")
        gates.set("connect", "ok")
        yield* advance("10 seconds")
        const { abouts, until, since, text } = yield* diagnosed(pool, "backendWasDown")
        assert.match(
          text,
          /^the backend was down for 3(\.\d)? s, from 00:00:10 to 00:00:13 UTC: \d attempts to connect failed, the last with: connect \d+ was told to fail; 3 callers failed meanwhile$/
        )
        assert.include([3000, 3500], until! - since)
        assert.deepStrictEqual(abouts, [])
        assert.strictEqual((yield* pool.health).status, "healthy")
        yield* advance("3 minutes")
        assert.isUndefined((yield* pool.health).diagnosis)
      }
    ))

  it.effect("a server that has no room for more: not a larger maxConnections", () =>
    Effect.gen(function*() {
      const { backend, pool } = yield* makeRefusing()
      backend.error = refuse("capacity", "sorry, too many clients already")
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never, { label: "one" }))
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      const { level, remedy, text } = yield* diagnosed(pool, "serverFull")
      assert.strictEqual(
        text,
        "the server has no room for more connections: db:5432: sorry, too many clients already; 1 of at most 4 are open here"
      )
      assert.match(remedy, /^Lower maxConnections/)
      assert.strictEqual(level, "warning")
    }))

  it.effect("rotated credentials that are refused, while open connections still serve", () =>
    Effect.gen(function*() {
      const { backend, pool } = yield* makeRefusing()
      backend.error = refuse("credentials", "password authentication failed for user \"app\"")
      yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
      yield* settle
      yield* call(pool)
      yield* advance("2 seconds")
      const { abouts, text } = yield* diagnosed(pool, "credentialsRefused")
      assert.strictEqual(
        text,
        "the server refuses the credentials: db:5432: password authentication failed for user \"app\"; 1 open connection still serves"
      )
      assert.deepStrictEqual(abouts, ["credentialsRefused"])
      assert.isTrue((yield* pool.health).isServing)
    }))

  it.effect("an open breaker, while connections serve", () =>
    onPool({
      minConnections: 1,
      maxConnections: 4,
      breaker: { minimumDials: 2, openDuration: "1 minute" },
      retry: Schedule.spaced("100 millis")
    }, function*({ gates, pool }) {
      yield* borrow(pool, "one")
      gates.set("connect", "fail")
      yield* call(pool)
      yield* advance("3 seconds")
      const { text } = yield* diagnosed(pool, "breakerOpen")
      assert.match(
        text,
        /^the breaker around dials is open: \d+ attempts? to connect failed, the last with: connect \d+ was told to fail; the next attempt is made in .*; 1 open connection still serves$/
      )
      gates.set("connect", "ok")
    }))

  it.effect("dials that fail while others serve", () =>
    onPool(
      { minConnections: 1, maxConnections: 4, breaker: { minimumDials: 100 }, retry: Schedule.spaced("1 second") },
      function*({ gates, pool }) {
        yield* borrow(pool, "one")
        gates.set("connect", "fail")
        yield* call(pool)
        yield* advance("3 seconds")
        const { text } = yield* diagnosed(pool, "dialsFail")
        assert.match(text, /^1 of at most 4 connections are open and no further one can be opened: 4 attempts/)
        gates.set("connect", "ok")
      }
    ))

  it.effect("callers that wait for slow dials: minConnections, not maxConnections", () =>
    onPool(
      { maxConnections: 4, slowAcquireTimeout: "500 millis", backend: { connectDelay: "3 seconds" } },
      function*({ pool }) {
        yield* borrow(pool, "one").pipe(Effect.forkScoped)
        yield* settle
        yield* advance("3 seconds")
        yield* callMany(pool, 2)
        yield* advance("1 second")
        const { remedy, text } = yield* diagnosed(pool, "dialsSlow")
        assert.match(
          text,
          /^2 callers wait for connections that are being opened, the first for 1 s: 2 dials are under way, the oldest for 1 s$/
        )
        assert.match(remedy, /^Raise minConnections/)
        yield* advance("5 seconds")
      }
    ))

  it.effect("a pool that is too small: the number that PoolSizing advises", () =>
    onPool({ maxConnections: 2, acquireTimeout: "30 seconds", slowAcquireTimeout: "20 seconds" }, function*({ pool }) {
      const handler = pool.withConnection(() => Effect.sleep("100 millis"), { label: "handler" })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.forkScoped(handler), Effect.sleep("25 millis"))))
      for (let i = 0; i < 80; i++) yield* TestClock.adjust("25 millis")
      yield* settle
      const { abouts, remedy, text } = yield* diagnosed(pool, "poolTooSmall")
      assert.match(
        text,
        /^the pool is too small for its load: 4\d callers a second hold a connection for 100 ms each, so 4(\.\d)? would be busy in the mean, and there are 2; \d+ callers wait$/
      )
      assert.match(remedy, /^Raise maxConnections to \d+, which PoolSizing.advise reckons/)
      assert.deepStrictEqual(abouts, ["poolTooSmall"])
    }))

  it.effect.each(
    [
      [
        8,
        /^Leave the number to sizing, which has it at \d of at most 8: .+\. Where more connections bring no more, hold/
      ],
      [2, /^Raise sizing\.max \(now 2 of 8\) to \d+, which PoolSizing.advise reckons/]
    ] as const
  )(
    "a pool that sizing holds down at %i at most: nobody is told to raise a limit that stays",
    ([max, expected]) =>
      onPool(
        { maxConnections: 8, sizing: { mode: "apply", start: 2, max }, acquireTimeout: "30 seconds" },
        function*({ pool }) {
          const handler = pool.withConnection(() => Effect.sleep("100 millis"))
          yield* Effect.forkScoped(
            Effect.forever(Effect.andThen(Effect.forkScoped(handler), Effect.sleep("10 millis")))
          )
          for (let i = 0; i < 200; i++) yield* TestClock.adjust("10 millis")
          yield* settle
          const { remedy } = yield* diagnosed(pool, "poolTooSmall")
          assert.match(remedy, expected)
        }
      )
  )

  it.effect("a key that starves the others, and how to bound it", () =>
    onPool({ maxConnections: 5, acquireTimeout: "30 seconds" }, function*({ pool }) {
      const ask = (fairKey: string, millis: number) =>
        Effect.forkScoped(pool.withConnection(() => Effect.sleep(millis), { fairKey, label: `GET /${millis % 7}` }))
      for (let i = 0; i < 9; i++) yield* ask("tenant 7", 20_000 + i)
      yield* settle
      yield* ask("tenant 1", 10)
      yield* ask("tenant 2", 10)
      yield* advance("2 seconds")
      const { abouts, remedy, text } = yield* diagnosed(pool, "oneKey")
      assert.strictEqual(
        text,
        "callers of the key “tenant 7” hold 5 of 5 connections and 4 more of them wait, while 2 callers of 2 other keys wait, the longest for 2 s"
      )
      assert.match(remedy, /^Bound what one key may hold: traffic\.maxShare 0\.4/)
      assert.deepStrictEqual(abouts, ["oneKey"])
      yield* advance("60 seconds")
    }))

  it.effect("a queue in which all wait for themselves", () =>
    onPool({ maxConnections: 2, acquireTimeout: "5 seconds" }, function*({ pool }) {
      const nested = pool.withConnection(
        () => Effect.andThen(Effect.sleep("10 millis"), pool.withConnection(() => Effect.void, { label: "inner" })),
        { label: "outer" }
      )
      for (let i = 0; i < 2; i++) yield* Effect.forkScoped(Effect.exit(nested))
      yield* settle
      yield* advance("1 second")
      const { abouts, level, text } = yield* diagnosed(pool, "queueDeadlock")
      assert.strictEqual(
        text,
        "2 callers wait for a second connection while they hold one, and all 2 are held by such callers (inner): none of them can go on"
      )
      assert.strictEqual(level, "critical")
      assert.deepStrictEqual(abouts, ["queueDeadlock"])
      yield* advance("5 seconds")
    }))

  it.effect("a lease that is not given back, before anybody suffers", () =>
    onPool({ maxConnections: 4, leakTimeout: "5 seconds" }, function*({ pool }) {
      yield* borrow(pool, "GET /report")
      yield* advance("7 seconds")
      const { abouts, level, text } = yield* diagnosed(pool, "leak")
      assert.strictEqual(
        text,
        "GET /report holds a connection of 4 for 7 s, since 00:00:00 UTC, longer than leakTimeout (5 s) and runs nothing on it"
      )
      assert.strictEqual(level, "warning")
      assert.deepStrictEqual(abouts, ["leak"])
    }))

  it.effect("callers that get nothing for another reason are told of as critical", () =>
    onPool({ maxConnections: 2, pendingLimit: 0, acquireTimeout: "5 seconds" }, function*({ pool }) {
      const [one] = yield* borrowMany(pool, 2)
      for (let i = 0; i < 5; i++) yield* reason(pool.withConnection(() => Effect.void), "QueueFull")
      yield* one!.giveBack
      const { level, text } = yield* diagnosed(pool, "callersFail")
      assert.match(text, /^5 callers of 7 got no connection/)
      assert.strictEqual(level, "critical")
    }))
})

describe("PoolDiagnosis: the table", () => {
  it("has an entry for each cause, in the order of their names", () => {
    assert.deepStrictEqual(entries.map(({ cause }) => cause), [...PoolDiagnosis.causes])
  })

  it.effect("an empty pool that nobody asks is taken to serve again, since only a caller makes it dial", () =>
    onPool({ retry: Schedule.spaced("1 second"), acquireTimeout: "2 seconds" }, function*({ gates, pool }) {
      gates.set("connect", "fail")
      yield* call(pool)
      yield* advance("2 seconds")
      assert.isFalse((yield* pool.health).isServing)
      yield* advance("20 seconds")
      assert.isTrue((yield* pool.health).isServing)
    }))

  it.effect("a pool that is well, busy or paused has none", () =>
    onPool({ maxConnections: 2 }, function*({ pool }) {
      assert.isUndefined((yield* pool.health).diagnosis)
      yield* borrowMany(pool, 2)
      assert.isUndefined((yield* pool.health).diagnosis)
      yield* pool.pause
      const { diagnosis, isServing, warnings } = yield* pool.health
      assert.isUndefined(diagnosis)
      assert.isFalse(isServing)
      assert.deepStrictEqual(warnings.map(({ about }) => about), ["closed", "utilization"])
    }))
})
