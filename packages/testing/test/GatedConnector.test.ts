import { assert, describe, it } from "@effect/vitest"
import { GatedConnector } from "@effect-pools/testing"
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"

const silent = { onBroken: () => {}, onEnded: () => {} }

describe("GatedConnector", () => {
  it.effect("passes everything at first", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make()
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* gated.connector.connect(silent)
        yield* gated.connector.validate!(connection)
        assert.isUndefined(gated.connector.reset!(connection, Exit.void))
      }))
      const calls = (["connect", "validate", "reset", "close"] as const).map(gated.calls)
      assert.deepStrictEqual(calls, [1, 1, 1, 1])
      assert.strictEqual(gated.fake.leaked, 0)
    }))

  it.effect("slow waits at the gate until it is opened", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { connect: "slow" } })
      const dial = yield* Effect.forkChild(gated.connector.connect(silent), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([gated.running("connect"), gated.fake.opened], [1, 0])
      gated.open("connect")
      yield* Fiber.join(dial)
      assert.deepStrictEqual([gated.running("connect"), gated.fake.opened], [0, 1])
      yield* gated.connector.connect(silent)
      gated.shut("connect")
      const next = yield* Effect.forkChild(gated.connector.connect(silent), { startImmediately: true })
      yield* TestClock.adjust(0)
      assert.strictEqual(gated.running("connect"), 1)
      yield* gated.release("connect")
      yield* Fiber.join(next)
    }))

  it.effect("slow takes the delay, if one is given", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { connect: "slow" }, delay: "5 seconds" })
      const dial = yield* Effect.forkChild(gated.connector.connect(silent), { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(gated.fake.opened, 0)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(dial)
    }))

  it.effect("a script is followed, and its last behaviour holds", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ isRetryable: false })
      gated.set("connect", "fail", "defect", "interrupt", "ok")
      const dial = Effect.exit(gated.connector.connect(silent))
      const [failed, died, interrupted, ...fine] = [yield* dial, yield* dial, yield* dial, yield* dial, yield* dial]
      const error = Exit.isFailure(failed!) ? Cause.squash(failed.cause) : undefined
      assert.deepInclude(error, { _tag: "GatedFailure", step: "connect", call: 1, isRetryable: false })
      assert(Exit.isFailure(died!) && Cause.hasDies(died.cause))
      assert(Exit.isFailure(interrupted!) && Cause.hasInterruptsOnly(interrupted.cause))
      assert(fine.every(Exit.isSuccess))
      assert.strictEqual(gated.calls("connect"), 5)
    }))

  it.effect("never ends when it is interrupted", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { connect: "never" } })
      const dial = yield* Effect.forkChild(gated.connector.connect(silent), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(gated.running("connect"), 1)
      yield* Fiber.interrupt(dial)
      assert.deepStrictEqual([gated.running("connect"), gated.fake.dialled], [0, 0])
    }))

  it.effect("a close that is given up counts as done", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { close: "never" } })
      const scope = yield* Scope.make()
      yield* Scope.provide(gated.connector.connect(silent), scope)
      const close = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([gated.running("close"), gated.fake.leaked], [1, 1])
      yield* Fiber.interrupt(close)
      assert.deepStrictEqual([gated.running("close"), gated.fake.leaked], [0, 0])
    }))

  it.effect("stuck does not end, not even when it is interrupted", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { connect: "stuck" } })
      const dial = yield* Effect.forkDetach(Effect.scoped(gated.connector.connect(silent)), { startImmediately: true })
      dial.interruptUnsafe()
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(gated.running("connect"), 1)
    }))

  it.effect("a reset that is not ok waits like any other step", () =>
    Effect.gen(function*() {
      const gated = GatedConnector.make({ initial: { reset: "fail" } })
      const connection = yield* gated.connector.connect(silent)
      const reset = gated.connector.reset!(connection, Exit.void)
      assert.isDefined(reset)
      yield* Effect.flip(reset!)
    }))

  for (const behaviour of ["fail", "defect", "interrupt"] as const) {
    it.effect(`a close with the behaviour ${behaviour} closes the connection all the same`, () =>
      Effect.gen(function*() {
        const gated = GatedConnector.make({ initial: { close: behaviour } })
        const exit = yield* Effect.exit(Effect.scoped(gated.connector.connect(silent)))
        assert(Exit.isFailure(exit))
        assert.deepStrictEqual([gated.calls("close"), gated.fake.leaked], [1, 0])
      }))
  }
})
