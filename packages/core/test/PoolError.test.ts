import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool, Describe, ResourcePool } from "@effect-pools/core"
import { Cause, Data, Effect, Fiber, References, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { reason, settle } from "./utils/bench.ts"

class WrongPassword extends Data.TaggedError("WrongPassword")<{}> {
  readonly isRetryable = false
  override get message(): string {
    return "password authentication failed"
  }
}

class SmtpDown extends Data.TaggedError("SmtpDown")<{ readonly code: number; readonly password: string }> {}

const login = new Error("login failed", { cause: new Error("certificate has expired", { cause: new Error("root") }) })

/** What a caller gets when each dial ends with this. */
const failingWith = (acquire: Effect.Effect<never, unknown>, options: ConnectionPool.MakeOptions = {}) =>
  Effect.flatMap(
    ResourcePool.make({ acquire, name: "mail", minConnections: 0, retry: Schedule.recurs(0), ...options }),
    (pool) => Effect.flip(pool.withConnection(() => Effect.void))
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const withoutStacks = (text: string): string =>
  text.split("\n").filter((line) => !/^\s+at /.test(line)).map((line) => line.trim()).join(" ")

describe("the chain of a PoolError", () => {
  it.effect("reaches from the pool to the root", () =>
    Effect.gen(function*() {
      const error = yield* failingWith(Effect.fail(login))
      assert.strictEqual(error.cause, login)
      const pretty = withoutStacks(Cause.pretty(Cause.fail(error)))
      assert.include(
        pretty,
        "PoolError: mail: 1 attempt to connect failed, the last with: login failed, because: certificate"
      )
      for (const message of ["login failed", "certificate has expired", "root"]) {
        assert.include(pretty, `[cause]: Error: ${message}`)
      }
      // The dial's own stack, and not only ours.
      assert.include(inspect(error), "PoolError.test.ts")
    }))

  it.effect("is there with an open breaker and with a time-out too", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ connect: () => Effect.fail(login) }, {
        minConnections: 0,
        acquireTimeout: "1 second",
        retry: Schedule.spaced("10 seconds"),
        breaker: { minimumDials: 2, openDuration: "1 minute" }
      })
      const late = yield* Effect.forkChild(Effect.flip(pool.withConnection(() => Effect.void)))
      yield* settle
      yield* TestClock.adjust("1 second")
      const timeout = yield* Fiber.join(late)
      assert.deepStrictEqual([timeout.reason._tag, timeout.cause], ["AcquireTimeout", login])
      yield* TestClock.adjust("20 seconds")
      yield* settle
      const open = yield* Effect.flip(pool.withConnection(() => Effect.void))
      assert.deepStrictEqual([open.reason._tag, open.cause], ["BreakerOpen", login])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("shows no fields of what is no error", () =>
    Effect.gen(function*() {
      const error = yield* failingWith(Effect.fail({ code: 5, password: "hunter2" }))
      assert.include(error.message, "{\"code\":5}")
      assert.isUndefined(error.cause)
      assert.notInclude(Cause.pretty(Cause.fail(error)), "hunter2")
    }))

  it.effect("ends with the pool where no dial failed", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ connect: () => Effect.succeed(1) }, { minConnections: 0 })
      yield* pool.pause
      const error = yield* Effect.flip(pool.withConnection(() => Effect.void))
      assert.deepStrictEqual([error.reason._tag, error.cause], ["PoolPaused", undefined])
    }))
})

describe("a cause in words", () => {
  const ring = new Error("a ring")
  ring.cause = ring
  const said: ReadonlyArray<readonly [cause: unknown, text: string]> = [
    [login, "login failed, because: certificate has expired, because: root"],
    [new Error("fetch failed", { cause: new Error("fetch failed") }), "fetch failed"],
    [ring, "a ring"],
    [
      new AggregateError([new Error("ECONNREFUSED ::1:5432"), new Error("ECONNREFUSED 127.0.0.1:5432")]),
      "ECONNREFUSED ::1:5432; ECONNREFUSED 127.0.0.1:5432"
    ],
    [new AggregateError([]), "AggregateError"],
    [new SmtpDown({ code: 421, password: "hunter2" }), "SmtpDown {\"code\":421}"],
    [{ code: 5, password: "hunter2", nested: { secret: 1 } }, "{\"code\":5}"],
    [{ _tag: "Refused", code: "E1" }, "{\"_tag\":\"Refused\",\"code\":\"E1\"}"],
    [["a", "b"], "a,b"],
    ["nope", "nope"],
    [undefined, "undefined"],
    [null, "null"]
  ]
  it.each(said)("%o", (cause, text) => {
    assert.strictEqual(Describe.describeCause(cause), text)
  })
})

describe("isRetryable", () => {
  it.effect("is false for a failure that stays, whatever the reason it comes with", () =>
    Effect.gen(function*() {
      const failed = yield* failingWith(Effect.fail(new WrongPassword()))
      assert.deepStrictEqual([failed.reason._tag, failed.isRetryable], ["ConnectFailed", false])
      const pool = yield* ConnectionPool.make({ connect: () => Effect.fail(new WrongPassword()) }, {
        minConnections: 0,
        retry: Schedule.recurs(0),
        breaker: { minimumDials: 2, openDuration: "1 minute" }
      })
      const ask = Effect.flip(pool.withConnection(() => Effect.void))
      yield* ask
      yield* TestClock.adjust("10 seconds")
      yield* settle
      yield* Effect.forkChild(ask)
      yield* settle
      const open = yield* ask
      assert.deepStrictEqual([open.reason._tag, open.isRetryable], ["BreakerOpen", false])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("is false for a time-out while no connection can be opened for such a reason", () =>
    Effect.gen(function*() {
      let isUp = true
      const connector = {
        connect: () => Effect.suspend(() => isUp ? Effect.succeed({}) : Effect.fail(new WrongPassword()))
      }
      const pool = yield* ConnectionPool.make(connector, {
        minConnections: 0,
        maxConnections: 2,
        acquireTimeout: "1 second"
      })
      yield* pool.acquireWith({ label: "holder" })
      const wait = Effect.gen(function*() {
        const waiting = yield* Effect.forkChild(reason(pool.withConnection(() => Effect.void), "AcquireTimeout"))
        yield* settle
        yield* TestClock.adjust("1 second")
        return yield* Fiber.join(waiting)
      })
      isUp = false
      assert.isFalse((yield* wait).isRetryable)
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("is true for a failure that may pass", () =>
    Effect.gen(function*() {
      assert.isTrue((yield* failingWith(Effect.fail(login))).isRetryable)
    }))
})
