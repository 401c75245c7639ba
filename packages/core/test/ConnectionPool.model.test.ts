import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool } from "@effect-pools/core"
import { GatedConnector } from "@effect-pools/testing"
import { Cause, Deferred, Effect, Exit, Schedule } from "effect"
import { FirstComeFirstServed } from "../src/internal/line/firstCome.ts"
import { MakeOrder } from "../src/internal/line/line.ts"
import { run, trace } from "./utils/model.ts"
import {
  breakingPrograms,
  budgetPrograms,
  programs,
  sharingPrograms,
  sizingPrograms,
  trafficPrograms
} from "./utils/programs.ts"
import { regressions } from "./utils/regressions.ts"
import { counted } from "./utils/turns.ts"

/** Each run of the tests tries other programs. Where many are to be tried, as before a release, the environment says how many. */
const runs = Number(process.env["PROPERTY_RUNS"] ?? 1_500)
const timeout = Math.max(100_000, runs * 60)

describe("a pool under random programs", () => {
  it.effect.prop(
    "keeps its rules at every step of a short program, drains included",
    { program: programs(14, true) },
    ({ program }) => run(program),
    { arbitrary: { runs, size: 14, maxShrinks: 400 }, timeout }
  )

  it.effect.prop(
    "keeps its rules where callers share connections",
    { program: sharingPrograms(24) },
    ({ program }) => run(program),
    { arbitrary: { runs, size: 24, maxShrinks: 400 }, timeout }
  )

  it.effect.prop(
    "keeps its rules where connections break under those who share them",
    { program: breakingPrograms(24) },
    ({ program }) => run(program),
    { arbitrary: { runs, size: 24, maxShrinks: 400 }, timeout }
  )

  it.effect.prop(
    "keeps its rules at every step of a long program",
    { program: programs(60, false) },
    ({ program }) => run(program),
    { arbitrary: { runs, size: 60, maxShrinks: 400 }, timeout }
  )
})

describe("a pool whose limit moves", () => {
  it.effect.prop(
    "keeps its rules where it finds its size, somebody sets it and the server says it is full",
    { program: sizingPrograms(24) },
    ({ program }) => run(program),
    { arbitrary: { runs: Math.ceil(runs / 3), size: 24, maxShrinks: 400 }, timeout }
  )
})

describe("a pool that shares a budget", () => {
  it.effect.prop(
    "keeps its rules, and the budget is kept, whatever the other wants and however late it gives up",
    { program: budgetPrograms(24) },
    ({ program }) => run(program),
    { arbitrary: { runs: Math.ceil(runs / 3), size: 24, maxShrinks: 400 }, timeout }
  )
})

describe("a pool whose callers have priorities, keys and deadlines", () => {
  it.effect.prop(
    "keeps its rules at every step, with shares, shedding and levels of degradation",
    { program: trafficPrograms(24) },
    ({ program }) => run(program),
    { arbitrary: { runs: Math.ceil(runs / 3), size: 24, maxShrinks: 400 }, timeout }
  )

  it.effect.prop(
    "serves callers that say nothing as a plain queue does, event by event",
    { program: programs(24, true) },
    ({ program }) =>
      Effect.gen(function*() {
        const plain = yield* Effect.provideService(
          trace(program),
          MakeOrder,
          (_, arrivals) => new FirstComeFirstServed(arrivals)
        )
        assert.deepStrictEqual(yield* trace(program), plain)
      }),
    { arbitrary: { runs: runs / 5, size: 24, maxShrinks: 400 }, timeout }
  )
})

describe("programs that once broke a rule", () => {
  it.effect.each(Object.entries(regressions))("%s", ([, program]) => run(program))
})

const options = { metrics: false, startup: "lazy", minConnections: 0 } as const

describe("what random programs do not see", () => {
  it.effect("a warm-up fails when a round of dials is over, whatever is open already", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make()
        const retry = Schedule.spaced(10).pipe(Schedule.upTo({ times: 1 }))
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, retry })
        yield* pool.warmUp(1)
        gated.set("connect", "fail")
        const warmUp = yield* Effect.forkDetach(pool.warmUp(3))
        yield* turns.advance(50)
        const exit = warmUp.pollUnsafe()
        assert.isDefined(exit)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
        assert.strictEqual((yield* pool.stats).idle, 1)
      })
    ))

  it.effect("a lowered limit keeps what is open rather than what is being opened", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make()
        const pool = yield* ConnectionPool.make(gated.connector, options)
        yield* pool.warmUp(1)
        gated.set("connect", "slow")
        const warmUp = yield* Effect.forkDetach(pool.warmUp(3))
        yield* turns.settle
        yield* pool.setLimit(1)
        yield* turns.settle
        assert.isDefined(warmUp.pollUnsafe())
        assert.deepStrictEqual((yield* pool.connections).map(({ id, state }) => [id, state]), [
          [1, "idle"],
          [2, "opening"],
          [3, "opening"]
        ])
        gated.open("connect")
        yield* turns.settle
        assert.deepStrictEqual((yield* pool.connections).map(({ id, state }) => [id, state]), [[1, "idle"]])
      })
    ))

  it.effect("a view is revoked at the end of its lease although the connection was taken away before", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make({ lends: true })
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, leakTimeout: 10, reclaimTimeout: 50 })
        const end = yield* Deferred.make<void>()
        const borrower = yield* Effect.forkDetach(
          pool.withConnection((connection) => Effect.as(Deferred.await(end), connection))
        )
        yield* turns.advance(100)
        assert.strictEqual((yield* pool.stats).total, 0)
        yield* Deferred.succeed(end, undefined)
        yield* turns.settle
        const exit = borrower.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && exit.value.isRevoked)
      })
    ))

  it.effect("a borrower may invalidate its connection although the connection was taken away before", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make({ lends: true })
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, drainTimeout: 50 })
        const end = yield* Deferred.make<void>()
        const borrower = yield* Effect.forkDetach(
          pool.withConnection((connection) => Effect.andThen(Deferred.await(end), pool.invalidate(connection)))
        )
        yield* turns.settle
        yield* Effect.forkDetach(pool.drain)
        yield* turns.advance(50)
        assert.strictEqual((yield* pool.stats).total, 0)
        yield* Deferred.succeed(end, undefined)
        yield* turns.settle
        assert.deepStrictEqual(borrower.pollUnsafe(), Exit.succeed(undefined))
      })
    ))

  it.effect("each waiter causes one dial, however often the pool looks at its queue", () =>
    counted((turns) =>
      Effect.gen(function*() {
        const gated = GatedConnector.make({ initial: { connect: "slow" } })
        const pool = yield* ConnectionPool.make(gated.connector, { ...options, maxConnections: 8 })
        for (let waiters = 1; waiters <= 3; waiters++) {
          yield* Effect.forkDetach(pool.withConnection(() => Effect.void))
          yield* turns.settle
          assert.strictEqual((yield* pool.stats).opening, waiters)
        }
        gated.open("connect")
        yield* turns.settle
        assert.strictEqual(gated.fake.opened, 3)
      })
    ))
})
