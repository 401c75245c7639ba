import type { Duplex } from "node:stream"
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Scheduler, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { BalancedPool } from "@effect-pools/core/BalancedPool"
import type { Cluster } from "../../src/internal/cluster/cluster.ts"
import { Flights } from "../../src/internal/cluster/flights.ts"
import * as Route from "../../src/internal/cluster/route.ts"
import { View } from "../../src/internal/cluster/session.ts"
import { LentConnection } from "../../src/internal/lent.ts"
import { Session } from "../../src/internal/session.ts"

const nothing: PgConnection.Result = { command: "", rowCount: 0, oid: null, rows: [], fields: [] }

/** Answers each statement after a few turns of the loop. */
const quick: PgConnection.PgConnection = {
  [PgConnection.TypeId]: PgConnection.TypeId,
  config: {},
  processId: 1,
  pin: Effect.suspend(() => Effect.succeed(quick)),
  query: () => Effect.as(Effect.repeat(Effect.yieldNow, { times: 3 }), nothing),
  queryValues: () => Effect.succeed([]),
  stream: () => Stream.empty,
  listen: () => Effect.never,
  interrupt: Effect.void
}

const wait = 1_000

/** A lease, and how often its session was hung up. */
const makeLease = (isShared: boolean) => {
  const hungUp: Array<true> = []
  const session = new Session(quick, {
    deadError: undefined,
    onRetire: undefined,
    observe: undefined,
    cancel: undefined,
    statements: undefined,
    socket: { destroy: () => void hungUp.push(true) } as unknown as Duplex
  }, {
    address: "fake",
    expectsPrimary: false,
    prepares: true,
    alwaysResets: false,
    isShareable: isShared,
    schema: { changes: 0 },
    onOperation: undefined
  })
  const lease = new LentConnection(session, {
    pool: "p",
    now: () => 0,
    isIn: () => false,
    alone: () => Effect.never,
    commit: () => Effect.void,
    limits: { wait, silence: "1 hour", answer: "1 second" },
    clientOf: () => {
      throw new Error("a statement needs no client")
    }
  }, isShared)
  return { hungUp, lease }
}

/** Makes the fibers of an effect give way after every operation. */
const stepwise = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Scheduler.Scheduler, (parent) =>
    Effect.provideService(effect, Scheduler.Scheduler, {
      executionMode: parent.executionMode,
      // The first two operations only take up where the fiber gave way.
      shouldYield: (fiber) => fiber.currentOpCount > 2,
      makeDispatcher: () => parent.makeDispatcher()
    }))

const turns = (times: number) => Effect.repeat(Effect.yieldNow, { times })

/** Interrupts an effect after so many turns; tells whether it had ended before. */
const interruptAfter = Effect.fnUntraced(function*(at: number, effect: Effect.Effect<unknown, unknown>) {
  const victim = yield* Effect.forkDetach(stepwise(effect))
  yield* turns(at)
  const isThrough = victim.pollUnsafe() !== undefined
  victim.interruptUnsafe()
  yield* turns(100)
  assert.isDefined(victim.pollUnsafe(), `interrupted after ${at} turns it ends`)
  return isThrough
})

/** Interrupts what is done with a lease. */
const interruptAt = Effect.fnUntraced(function*(use: Use, isShared: boolean, at: number) {
  const { hungUp, lease } = makeLease(isShared)
  const isThrough = yield* interruptAfter(at, use(lease))
  assert.deepStrictEqual(lease.session.running, [], `interrupted after ${at} turns it runs no more`)
  yield* TestClock.adjust(2 * wait)
  assert.deepStrictEqual(hungUp, [], `interrupted after ${at} turns it costs nobody the session later`)
  const next = yield* Effect.forkDetach(lease.execute("SELECT 2", [], undefined))
  yield* turns(20)
  assert.isDefined(next.pollUnsafe(), `interrupted after ${at} turns it holds up nobody`)
  return isThrough
})

type Use = (lease: LentConnection) => Effect.Effect<unknown, unknown>

const statement = (text: string): Use => (lease) => lease.execute(text, [], undefined)
const stream: Use = (lease) => Stream.runDrain(lease.executeStream("SELECT 1", [], undefined))

describe("interrupted after any of its operations", () => {
  const uses: ReadonlyArray<readonly [name: string, use: Use, isShared: boolean]> = [
    ["a statement", statement("SELECT 1"), false],
    ["a statement in company", statement("SELECT 1"), true],
    ["the begin of a transaction", statement("BEGIN"), false],
    ["the begin of a savepoint", statement("SAVEPOINT effect_sql_1"), false],
    ["a stream", stream, false]
  ]
  it.effect.each(uses)("%s leaves nothing behind", ([, use, isShared]) =>
    Effect.gen(function*() {
      let at = 0
      while (!(yield* interruptAt(use, isShared, at))) at++
      assert.isAbove(at, 10)
    }))

  it.effect("the only caller of a read that is run once ends the read", () =>
    Effect.gen(function*() {
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      for (let at = 0; at < 40; at++) {
        let running = 0
        const read = Effect.suspend(() => {
          running++
          return Effect.onInterrupt(Effect.never, () => Effect.sync(() => running--))
        })
        const flights = new Flights({ now: () => 0 } as Cluster, fork)
        yield* interruptAfter(at, flights.run("k", new View(false), read, (value) => value) as Effect.Effect<unknown>)
        assert.strictEqual(running, 0, `interrupted after ${at} turns`)
      }
    }))

  it.effect("a lease of a cluster's primary that is held until a scope closes is no write under way", () =>
    Effect.gen(function*() {
      const common = new View(false)
      const cluster = { common, now: () => 0, nodes: [], places: [], primary: {} } as unknown as Cluster
      const { lease } = makeLease(false)
      const balanced = {
        acquireWith: () => Effect.acquireRelease(Effect.succeed(lease), () => Effect.void, { interruptible: true })
      } as unknown as BalancedPool<LentConnection>
      const pool = Route.make(cluster, balanced)
      let at = 0
      while (!(yield* interruptAfter(at, Effect.scoped(pool.acquireWith())))) {
        assert.strictEqual(common.writing, 0, `interrupted after ${at} turns`)
        at++
      }
      assert.strictEqual(common.writing, 0)
      assert.isAbove(at, 5)
    }))
})
