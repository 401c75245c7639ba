import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { TestClock } from "effect/testing"
import { PassThrough } from "node:stream"
import * as Cancellation from "../../src/internal/cancellation.ts"

const frame = new Uint8Array([1, 2, 3])

class FakeSession {
  isDead = false
  readonly wire = { cancelled: 0 }
  readonly hungUp: Array<string> = []
  readonly hangUp = (why: Error): void => void this.hungUp.push(why.message)
}

/** What the server reads stays in it, and its end is told from outside. */
const socketOf = () => Object.assign(new PassThrough(), { resume: () => new PassThrough() })

const begun = Effect.fnUntraced(function*(session: FakeSession, open: Effect.Effect<PassThrough, SqlError>) {
  const fiber = yield* Effect.forkChild(Cancellation.make(open, frame, session), { startImmediately: true })
  yield* TestClock.adjust("4 seconds")
  assert.isUndefined(fiber.pollUnsafe(), "it waits")
  return fiber
})

const refused = new SqlError({ reason: new ConnectionError({ cause: new Error("refused"), message: "refused" }) })

describe("a cancellation", () => {
  it.effect("is over when the server has ended its socket, and keeps the session", () =>
    Effect.gen(function*() {
      const session = new FakeSession()
      const socket = socketOf()
      const fiber = yield* begun(session, Effect.succeed(socket))
      socket.emit("end")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(session.hungUp, [])
      assert.isTrue(socket.destroyed)
    }))

  it.effect("whose socket breaks or stays open costs the session, since it may still be on its way", () =>
    Effect.gen(function*() {
      for (const fault of ["error", "silence"]) {
        const session = new FakeSession()
        const socket = socketOf()
        const fiber = yield* begun(session, Effect.succeed(socket))
        if (fault === "error") socket.emit("error", new Error("reset"))
        else yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        assert.match(session.hungUp[0] ?? "", /did not confirm a cancellation/)
        assert.isTrue(socket.destroyed)
      }
    }))

  it.effect("that a statement has met by then has arrived, whatever its socket says", () =>
    Effect.gen(function*() {
      const session = new FakeSession()
      const fiber = yield* begun(session, Effect.succeed(socketOf()))
      session.wire.cancelled++
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(session.hungUp, [])
    }))

  it.effect("for which no socket could be opened was never sent, and keeps the session", () =>
    Effect.gen(function*() {
      const session = new FakeSession()
      yield* Cancellation.make(Effect.fail(refused), frame, session)
      const hung = yield* begun(session, Effect.never)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(hung)
      assert.deepStrictEqual(session.hungUp, [])
    }))

  it.effect("of a session that has ended opens no socket", () =>
    Effect.gen(function*() {
      const session = new FakeSession()
      session.isDead = true
      yield* Cancellation.make(Effect.die("opened"), frame, session)
    }))
})
