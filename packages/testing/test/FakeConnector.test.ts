import { assert, describe, it } from "@effect/vitest"
import { FakeConnector } from "@effect-pools/testing"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"

const silent = { onBroken: () => {}, onEnded: () => {} }

const misuseOf = (exit: Exit.Exit<unknown, unknown>): string => {
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(defect, FakeConnector.FakeMisuse)
  return (defect as FakeConnector.FakeMisuse).rule
}

describe("FakeConnector", () => {
  it.effect("counts what it opens and closes", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const scope = yield* Scope.make()
      const open = Scope.provide(fake.connector.connect(silent), scope)
      const [one, two] = [yield* open, yield* open]
      assert.deepStrictEqual([one.id, two.id], [1, 2])
      assert.deepStrictEqual([fake.dialled, fake.opened, fake.closed, fake.leaked, fake.live, fake.peak], [
        2,
        2,
        0,
        2,
        2,
        2
      ])
      assert.deepStrictEqual(fake.connections, [one, two])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([fake.opened, fake.closed, fake.leaked, fake.live, fake.peak], [2, 2, 0, 0, 2])
      assert.deepStrictEqual([one.isOpen, fake.connections], [false, []])
    }))

  it.effect("takes its time to dial and to close, and counts both as live", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make({ connectDelay: 100, closeDelay: 50 })
      const scope = yield* Scope.make()
      const dial = yield* Effect.forkChild(Scope.provide(fake.connector.connect(silent), scope))
      yield* TestClock.adjust(99)
      assert.deepStrictEqual([fake.opened, fake.live, fake.peak], [0, 1, 1])
      yield* TestClock.adjust(1)
      yield* Fiber.join(dial)
      const close = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(49)
      assert.deepStrictEqual([fake.closed, fake.live], [0, 1])
      yield* TestClock.adjust(1)
      yield* Fiber.join(close)
      assert.deepStrictEqual([fake.closed, fake.live], [1, 0])
    }))

  it.effect("a dial that is interrupted opens nothing", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make({ connectDelay: 100 })
      const dial = yield* Effect.forkChild(Effect.scoped(fake.connector.connect(silent)))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(dial)
      assert.deepStrictEqual([fake.dialled, fake.opened, fake.live, fake.leaked], [1, 0, 0, 0])
    }))

  it.effect("the use of a closed connection is a defect", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const connection = yield* Effect.scoped(fake.connector.connect(silent))
      assert.strictEqual(misuseOf(yield* Effect.exit(fake.use(connection))), "used after its close")
    }))

  it.effect("the use by two borrowers at once is a defect", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const connection = yield* fake.connector.connect(silent)
      const end = yield* Deferred.make<string>()
      const first = yield* Effect.forkChild(fake.use(connection, Deferred.await(end)), { startImmediately: true })
      assert.isTrue(connection.isBusy)
      assert.strictEqual(misuseOf(yield* Effect.exit(fake.use(connection))), "used by two borrowers at once")
      yield* Deferred.succeed(end, "result")
      assert.strictEqual(yield* Fiber.join(first), "result")
      assert.deepStrictEqual([connection.isBusy, connection.uses], [false, 1])
    }))

  it.effect("the use of a view after its lease is a defect", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make({ lends: true })
      const { connect, lend, revoke } = fake.connector
      const connection = yield* connect(silent)
      const [first, second] = [lend!(connection), lend!(connection)]
      yield* fake.use(first)
      revoke!(first)
      assert.deepStrictEqual([first.isRevoked, second.isRevoked, first.id], [true, false, second.id])
      assert.strictEqual(misuseOf(yield* Effect.exit(fake.use(first))), "used after its lease")
      yield* fake.use(second)
    }))

  it.effect("a connection that breaks tells the pool, and its use fails", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const fake = FakeConnector.make()
      const connection = yield* fake.connector.connect({ onBroken: (cause) => told.push(cause), onEnded: () => {} })
      fake.break(connection, "reset")
      assert.deepStrictEqual(told, ["reset"])
      assert.deepStrictEqual([connection.isOpen, connection.isBroken], [false, true])
      assert.isTrue(fake.connector.isBroken!(connection, Exit.void))
      const error = yield* Effect.flip(fake.use(connection))
      assert.deepStrictEqual([error._tag, error.cause], ["FakeConnectionLost", "reset"])
    }))

  it.effect("a connection that is cut silently fails its validation", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const fake = FakeConnector.make()
      const connection = yield* fake.connector.connect({ onBroken: (cause) => told.push(cause), onEnded: () => {} })
      yield* fake.connector.validate!(connection)
      fake.cutSilently(connection)
      assert.deepStrictEqual(told, [])
      yield* Effect.flip(fake.connector.validate!(connection))
      assert.strictEqual(fake.validated, 2)
    }))

  it("has the steps it is told to have", () => {
    const { connector } = FakeConnector.make({ validate: false, reset: false })
    assert.deepStrictEqual([connector.validate, connector.reset, connector.lend], [undefined, undefined, undefined])
  })
})
