import { PgConnection } from "@effect/sql-pg"
import type { Operation } from "@effect-pools/core/Connector"
import { PoolError } from "@effect-pools/core"
import { PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { LentConnection } from "../../src/internal/lent.ts"
import { Session } from "../../src/internal/session.ts"
import * as Verdict from "../../src/internal/verdict.ts"

const nothing: PgConnection.Result = { command: "", rowCount: 0, oid: null, rows: [], fields: [] }

/** Answers each statement after 30 ms; those that contain "fail" with an error. */
const slow: PgConnection.PgConnection = {
  [PgConnection.TypeId]: PgConnection.TypeId,
  config: {},
  processId: 1,
  pin: Effect.suspend(() => Effect.succeed(slow)),
  query: (text) =>
    Effect.andThen(
      Effect.sleep("30 millis"),
      text.includes("fail") ? Effect.fail(PostgresScript.failure("42601")) : Effect.succeed(nothing)
    ),
  queryValues: () => Effect.succeed([]),
  stream: () => Stream.empty,
  listen: () => Effect.never,
  interrupt: Effect.void
}

const session = (onOperation: (operation: Operation) => void) =>
  new Session(slow, {
    deadError: undefined,
    onRetire: undefined,
    observe: undefined,
    cancel: undefined,
    statements: undefined,
    socket: undefined
  }, {
    address: "fake",
    expectsPrimary: false,
    prepares: true,
    alwaysResets: false,
    isShareable: false,
    schema: { changes: 0 },
    onOperation
  })

const leaseOf = Effect.map(Clock.Clock, (clock) => {
  const told: Array<Operation> = []
  const lease = new LentConnection(session((operation) => void told.push(operation)), {
    pool: "p",
    now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    isIn: () => false,
    alone: () => Effect.never,
    commit: () => Effect.void,
    limits: { wait: 1_000, silence: "1 hour", answer: "1 second" },
    clientOf: () => {
      throw new Error("a statement needs no client")
    }
  })
  /** How many statements of a kind were told to the pool, and how long they took. */
  const timed = (kind: string) => {
    const all = told.filter((operation) => operation.kind === kind)
    return [all.length, Math.round(all.reduce((sum, { took }) => sum + took, 0))]
  }
  return { lease, told, timed }
})

/** Runs it while 100 ms go by. */
const meanwhile = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
    yield* TestClock.adjust("100 millis")
    return yield* Fiber.join(fiber)
  })

describe("LentConnection", () => {
  it.effect("times statements by their kind, however they end", () =>
    Effect.gen(function*() {
      const { lease, timed, told } = yield* leaseOf
      assert.isTrue(Exit.isSuccess(yield* meanwhile(lease.execute("SELECT 1", [], undefined))))
      assert.isTrue(Exit.isFailure(yield* meanwhile(lease.execute("SELECT fail", [], undefined))))
      const interrupted = yield* meanwhile(Effect.timeout(lease.executeRaw("UPDATE t SET a = 1", []), "10 millis"))
      assert.isTrue(Exit.isFailure(interrupted))
      assert.deepStrictEqual(timed("select"), [2, 60])
      assert.deepStrictEqual(timed("update"), [1, 10])
      assert.deepStrictEqual(told.map(({ end, status, text }) => [end, text, status]), [
        ["success", "SELECT 1", undefined],
        ["rejected", "SELECT fail", "42601"],
        ["interrupted", "UPDATE t SET a = 1", undefined]
      ])
      assert.deepStrictEqual(lease.session.running, [])
    }))

  it.effect("times each of the statements that run at the same time, and forgets none that still runs", () =>
    Effect.gen(function*() {
      const { lease, timed } = yield* leaseOf
      const first = yield* Effect.forkChild(lease.executeRaw("SELECT 1", []), { startImmediately: true })
      yield* TestClock.adjust("20 millis")
      const second = yield* Effect.forkChild(lease.executeRaw("SELECT 2", []), { startImmediately: true })
      assert.deepStrictEqual(lease.session.running, ["SELECT 1", "SELECT 2"])
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(first)
      assert.deepStrictEqual(lease.session.running, ["SELECT 2"])
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(second)
      assert.deepStrictEqual(lease.session.running, [])
      assert.deepStrictEqual(timed("select"), [2, 60])
    }))

  it.effect("knows one statement that is run several times at once as several", () =>
    Effect.gen(function*() {
      const { lease, timed } = yield* leaseOf
      const statement = lease.executeRaw("SELECT 1", [])
      yield* meanwhile(Effect.all([statement, Effect.delay(statement, "10 millis")], { concurrency: 2 }))
      assert.deepStrictEqual(lease.session.running, [])
      assert.deepStrictEqual(timed("select"), [2, 60])
    }))

  it.effect("neither runs nor times what it refuses, also when the same effect ran before", () =>
    Effect.gen(function*() {
      const { lease, timed } = yield* leaseOf
      const statement = lease.executeRaw("SELECT 1", [])
      yield* meanwhile(statement)
      lease.isActive = false
      lease.session.begin("of another lease", Verdict.of("of another lease"))
      const refused = yield* meanwhile(statement)
      assert.isTrue(Exit.isFailure(refused) && Cause.squash(refused.cause) instanceof PoolError.PoolMisuse)
      assert.deepStrictEqual(lease.session.running, ["of another lease"])
      assert.deepStrictEqual(timed("select"), [1, 30])
    }))
})
