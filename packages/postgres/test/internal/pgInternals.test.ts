import { PgConnection } from "@effect/sql-pg"
import { PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import type { Duplex } from "node:stream"
import packageJson from "../../package.json" with { type: "json" }
import * as PgInternals from "../../src/internal/pgInternals.ts"
import { Session } from "../../src/internal/session.ts"
import * as FakeBackend from "../fixtures/fakeBackend.ts"

const connect = (stream: Duplex) => PgConnection.make({ username: "u", stream: () => stream })

const options = {
  address: "fake",
  expectsPrimary: false,
  prepares: true,
  alwaysResets: false,
  isShareable: false,
  schema: { changes: 0 }
}

describe("pgInternals", () => {
  it.effect("finds all of its parts in the driver that is installed", () =>
    Effect.gen(function*() {
      const found = PgInternals.find(yield* connect(FakeBackend.make([])))
      assert.isFunction(found.deadError)
      assert.isFunction(found.onRetire)
      assert.isFunction(found.observe)
      assert.isDefined(found.cancel)
      assert.isDefined(found.socket)
      assert.isDefined(found.line)
      assert.isUndefined(found.deadError?.())
    }))

  it.effect("says which parts a driver of another version lacks, and which version to install", () =>
    Effect.gen(function*() {
      const found = PgInternals.find(yield* connect(FakeBackend.make([])))
      assert.isUndefined(PgInternals.missing(found))
      const moved = PgInternals.missing({ ...found, observe: undefined, cancel: undefined })
      assert.match(moved ?? "", /not @effect\/sql-pg 4\.0\.5, .*: observe, cancel not found. Install that version/)
      assert.strictEqual(packageJson.peerDependencies["@effect/sql-pg"], "4.0.5")
    }))

  it.effect("tells at once that the session ended, with nothing running", () =>
    Effect.gen(function*() {
      for (const fault of ["end", "error", "message"] as const) {
        const stream = FakeBackend.make([])
        const found = PgInternals.find(yield* connect(stream))
        const retired = yield* Effect.callback<boolean>((resume) => {
          found.onRetire?.(() => resume(Effect.succeed(true)))
          if (fault === "message") stream.push(FakeBackend.failed("FATAL", "57P01"))
          else stream.destroy(fault === "error" ? new Error("reset") : undefined)
        })
        assert.isTrue(retired)
        assert.isDefined(found.deadError?.())
      }
    }))

  for (const chunkSize of [1, 2, 3, 7, Infinity]) {
    it.effect(`shows every message before the driver acts on it, in chunks of ${chunkSize} bytes`, () =>
      Effect.gen(function*() {
        const answers = [
          FakeBackend.executed("BEGIN", "T"),
          Buffer.concat([FakeBackend.failed("ERROR", "22012"), FakeBackend.ready("E")]),
          Buffer.concat([FakeBackend.message("S", "TimeZone\0UTC\0"), FakeBackend.executed("ROLLBACK")])
        ]
        const connection = yield* connect(FakeBackend.make(answers, chunkSize))
        const seen: Array<string> = []
        PgInternals.find(connection).observe?.((message) => {
          seen.push(message._tag === "ReadyForQuery" ? message.status : message._tag)
        })
        const run = (sql: string) => Effect.exit(connection.query(sql, [], false))
        assert.isTrue(Exit.isSuccess(yield* run("BEGIN")))
        assert.strictEqual(seen.at(-1), "T")
        assert.isTrue(Exit.isFailure(yield* run("SELECT 1 / 0")))
        assert.deepStrictEqual(seen.slice(-2), ["ErrorResponse", "E"])
        assert.isTrue(Exit.isSuccess(yield* run("ROLLBACK")))
        assert.deepStrictEqual(seen.slice(-6), [
          "ParameterStatus",
          "ParseComplete",
          "BindComplete",
          "NoData",
          "CommandComplete",
          "I"
        ])
      }))
  }

  it.effect("gives the wire of a pinned connection to one at a time, and to those first who wait", () =>
    Effect.gen(function*() {
      const connection = yield* connect(
        FakeBackend.make(["one", "two", "three"].map((tag) => FakeBackend.executed(tag)))
      )
      const line = PgInternals.find(connection).line!
      const fiber = yield* Effect.withFiber(Effect.succeed)
      const ended: Array<string> = []
      const run = (text: string, statement: Effect.Effect<unknown, unknown>) =>
        Effect.forkChild(Effect.tap(statement, () => Effect.sync(() => ended.push(text))), { startImmediately: true })
      assert.isFalse(line.take(), "nobody has pinned it")
      const pinned = yield* connection.pin
      assert.isTrue(line.take())
      assert.isFalse(line.take(), "it is taken")
      const waiting = yield* run("waiting", pinned.query("waiting", [], false))
      const first = yield* run("first", line.run("first", [], true, false))
      yield* Fiber.join(first)
      line.giveBack(fiber)
      assert.isFalse(line.take(), "somebody waits for it")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(ended, ["first", "waiting"])
      assert.isTrue(line.take())
      const { result, values } = yield* line.run("third", [], true, false)
      assert.deepStrictEqual([result.command, values], ["three", []])
      line.giveBack(fiber)
    }))

  it.effect("takes the driver's own way where the wire is no semaphore of the kind it knows", () =>
    Effect.gen(function*() {
      const connection = yield* connect(FakeBackend.make([]))
      const { base } = (connection as unknown as Record<string, { readonly base: { readonly wire: object } }>)[
        "~@effect/sql-pg/PgConnection/internals"
      ]!
      for (const wire of [undefined, {}, { ...base.wire, waiters: 0 }, { ...base.wire, taken: "none" }]) {
        Object.assign(base, { wire })
        const found = PgInternals.find(connection)
        assert.isUndefined(found.line)
        assert.isUndefined(PgInternals.missing(found))
      }
    }))

  it.effect("misses the parts of a driver that keeps them elsewhere", () =>
    Effect.gen(function*() {
      const real = yield* connect(FakeBackend.make([]))
      const bare: PgConnection.PgConnection = {
        [PgConnection.TypeId]: PgConnection.TypeId,
        config: real.config,
        processId: 1,
        pin: real.pin,
        query: real.query,
        queryValues: real.queryValues,
        stream: real.stream,
        listen: real.listen,
        interrupt: real.interrupt
      }
      const nothing = {
        deadError: undefined,
        onRetire: undefined,
        observe: undefined,
        cancel: undefined,
        statements: undefined,
        socket: undefined,
        line: undefined
      }
      assert.deepStrictEqual(PgInternals.find(bare), nothing)
      const key = "~@effect/sql-pg/PgConnection/internals"
      for (
        const other of [null, 1, {}, { base: {} }, { base: { cancel: 1, session: {} }, deadError: 1, retireHooks: [] }]
      ) {
        assert.deepStrictEqual(PgInternals.find(Object.assign({}, bare, { [key]: other })), nothing)
      }
      // Then nothing is known, so everything is done.
      const session = new Session(bare, PgInternals.find(bare), options)
      assert.isTrue(session.isInTransaction)
      assert.isDefined(session.reset())
      assert.isFalse(session.isBroken(Exit.void))
    }))
})

describe("Session", () => {
  const open = (answers: Array<Buffer>) =>
    Effect.map(connect(FakeBackend.make(answers)), (pg) => new Session(pg, PgInternals.find(pg), options))

  it.effect("is clean after statements that leave nothing, and asks for no round trip", () =>
    Effect.gen(function*() {
      const session = yield* open([FakeBackend.executed("INSERT 0 1"), FakeBackend.executed("UPDATE 1")])
      yield* session.pg.query("INSERT ...", [], false)
      yield* session.pg.query("UPDATE ...", [], false)
      assert.isUndefined(session.reset())
    }))

  it.effect("rolls back an open transaction, and is not clean if the server stays in it", () =>
    Effect.gen(function*() {
      const session = yield* open([FakeBackend.executed("BEGIN", "T"), FakeBackend.executed("ROLLBACK", "T")])
      yield* session.pg.query("BEGIN", [], false)
      const reset = session.reset()
      assert.isDefined(reset)
      const failure = yield* Effect.flip(reset!)
      assert.include((failure as Error).message, "still open")
    }))

  it.effect("leads to a server in the wrong role once a write is refused that should not be", () =>
    Effect.gen(function*() {
      const refused = () => [Buffer.concat([FakeBackend.failed("ERROR", "25006"), FakeBackend.ready("I")])]
      for (
        const [expectsPrimary, isReadOnly, isBroken] of [
          [true, false, true],
          [true, true, false],
          [false, false, false]
        ] as const
      ) {
        const pg = yield* connect(FakeBackend.make(refused()))
        const session = new Session(pg, PgInternals.find(pg), { ...options, expectsPrimary })
        session.isReadOnly = isReadOnly
        yield* Effect.ignore(session.pg.query("INSERT ...", [], false))
        assert.strictEqual(session.isBroken(Exit.void), isBroken)
      }
    }))

  it.effect("is not broken by an error of another pool that passes through its lease", () =>
    Effect.gen(function*() {
      const session = yield* open([])
      assert.isFalse(session.isBroken(Exit.fail(PostgresScript.failure("57P01"))))
      assert.isFalse(session.isBroken(Exit.fail(PostgresScript.failure("08006"))))
    }))

  it.effect("ends with an error of severity FATAL, and says so in words", () =>
    Effect.gen(function*() {
      const session = yield* open([FakeBackend.failed("FATAL", "57P01")])
      yield* Effect.forkChild(Effect.ignore(session.pg.query("SELECT 1", [], false)), { startImmediately: true })
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.isTrue(session.isBroken(Exit.void))
      assert.strictEqual(session.end?.message, "FATAL 57P01: canned")
    }))
})
