/**
 * Interrupts an effect at its first operation, then at its second, and so on, each time against a new pool, until it is
 * through before it is interrupted; after each the pool must be as if nobody had been there.
 */
import { assert } from "@effect/vitest"
import { ConnectionPool, type PoolConfig, type PoolError } from "@effect-pools/core"
import type { FakeConnector, GatedConnector } from "@effect-pools/testing"
import { Clock, Deferred, Effect, Exit, References, Scope } from "effect"
import { counted, stepwise, type Turns, Violation } from "./turns.ts"
import { Witness } from "./witness.ts"

type Connection = FakeConnector.FakeConnection

export interface Stage {
  readonly turns: Turns
  readonly witness: Witness
  readonly gated: GatedConnector.GatedConnector
  readonly pool: ConnectionPool.ConnectionPool<Connection>
  /** A borrower that uses its connection for a few operations. */
  readonly use: (connection: Connection) => Effect.Effect<void, FakeConnector.FakeConnectionLost>
  /** Opens all gates after so many turns. */
  readonly openLater: (turns: number) => Effect.Effect<void>
}

export interface Scenario {
  readonly options?: PoolConfig.PoolOptions
  /** What comes before the effect, undisturbed. */
  readonly setup?: (stage: Stage) => Effect.Effect<unknown, unknown>
  readonly victim: (stage: Stage) => Effect.Effect<unknown, unknown>
  /** The effect ends the pool: who comes after it drains it too instead of asking for a connection. */
  readonly ends?: boolean
}

const steps = ["connect", "validate", "reset", "close"] as const

/** Runs a scenario with an interruption at every operation. Tells how many there were. */
export const interruptAnywhere = Effect.fnUntraced(function*(scenario: Scenario) {
  for (let at = 0; at < 3_000; at++) {
    if (yield* interruptAt(scenario, at)) return at
  }
  return assert.fail("the effect never ends")
})

const interruptAt = (scenario: Scenario, at: number): Effect.Effect<boolean, unknown> =>
  counted((turns) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const stage = yield* makeStage(scenario, turns, scope)
      if (scenario.setup !== undefined) yield* scenario.setup(stage)
      const victim = yield* Effect.forkDetach(stepwise(turns, scenario.victim(stage)))
      for (let turn = 0; turn < at; turn++) yield* Effect.yieldNow
      const isThrough = victim.pollUnsafe() !== undefined
      victim.interruptUnsafe()
      yield* openAll(stage.gated)
      yield* turns.settle
      if (victim.pollUnsafe() === undefined) return yield* broken("an interrupted caller ends", at)
      if (isThrough) assert.isTrue(Exit.isSuccess(victim.pollUnsafe()!))
      yield* asIfNothingHappened(scenario, stage, at)
      yield* closes(stage, scope, at)
      return isThrough
    })
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const makeStage = Effect.fnUntraced(function*(scenario: Scenario, turns: Turns, scope: Scope.Scope) {
  const maxConnections = scenario.options?.maxConnections ?? 2
  const witness = new Witness({ maxConnections, freshnessWindow: 1_000, slow: 0, validates: true, resets: true })
  const options = { maxConnections, minConnections: 0, startup: "lazy" as const, metrics: false, ...scenario.options }
  const pool = yield* Scope.provide(stepwise(turns, ConnectionPool.make(witness.connector, options)), scope)
  const gated = witness.gated
  const stage: Stage = {
    turns,
    witness,
    gated,
    pool,
    use: (connection) => witness.fake.use(connection, Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: 3 }))),
    openLater: (count) =>
      Effect.asVoid(
        Effect.forkDetach(Effect.andThen(Effect.repeat(Effect.yieldNow, { times: count }), openAll(gated)))
      )
  }
  return stage
})

const openAll = (gated: GatedConnector.GatedConnector): Effect.Effect<void> =>
  Effect.sync(() => steps.forEach((step) => gated.open(step)))

const broken = (rule: string, facts: unknown): Violation => new Violation({ rule, facts })

const asIfNothingHappened = Effect.fnUntraced(function*(scenario: Scenario, stage: Stage, at: number) {
  const { pool, turns, witness } = stage
  const { checking, closing, opening, pending, used } = yield* pool.stats
  if (used + pending + opening + checking + closing > 0) {
    return yield* broken("an interrupted caller leaves nothing behind", {
      at,
      used,
      pending,
      opening,
      checking,
      closing
    })
  }
  if (witness.broken.length > 0) return yield* broken("the server sees no more than maxConnections", { at })
  const next = yield* Effect.forkDetach(scenario.ends === true ? pool.drain : pool.withConnection(stage.use))
  yield* turns.settle
  const exit = next.pollUnsafe()
  if (exit === undefined || Exit.isFailure(exit)) return yield* broken("the next caller is served", { at, exit })
})

const closes = Effect.fnUntraced(function*({ turns, witness }: Stage, scope: Scope.Closeable, at: number) {
  const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
  yield* turns.settle
  if (closing.pollUnsafe() === undefined) return yield* broken("the pool closes", { at })
  const { leaked } = witness.fake
  if (leaked + witness.sockets > 0) return yield* broken("everything closes", { at, leaked, sockets: witness.sockets })
  if (turns.defects.length > 0) return yield* broken("there is no defect", { at, defect: String(turns.defects[0]) })
})

/** Builds a pool of its own and interrupts the building. */
export const interruptTheBuilding = Effect.fnUntraced(function*(gate: GatedConnector.Behaviour) {
  for (let at = 0; at < 3_000; at++) {
    if (yield* interruptTheBuildingAt(gate, at)) return at
  }
  return assert.fail("the pool is never built")
})

const interruptTheBuildingAt = (gate: GatedConnector.Behaviour, at: number): Effect.Effect<boolean, unknown> =>
  counted((turns) =>
    Effect.gen(function*() {
      const witness = new Witness({ maxConnections: 3, freshnessWindow: 1_000, slow: 0, validates: true, resets: true })
      witness.gated.set("connect", gate)
      const built = yield* Deferred.make<void>()
      const build: Effect.Effect<unknown, PoolError.PoolError> = Effect.scoped(Effect.andThen(
        ConnectionPool.make(witness.connector, { maxConnections: 3, minConnections: 2, metrics: false }),
        Deferred.succeed(built, undefined)
      ))
      const victim = yield* Effect.forkDetach(stepwise(turns, build))
      for (let turn = 0; turn < at; turn++) {
        if (turn === 60) yield* openAll(witness.gated)
        yield* Effect.yieldNow
      }
      const isThrough = victim.pollUnsafe() !== undefined
      victim.interruptUnsafe()
      yield* openAll(witness.gated)
      yield* turns.settle
      if (victim.pollUnsafe() === undefined) {
        return yield* broken("an interrupted build ends", { at, now: yield* Clock.currentTimeMillis })
      }
      const { leaked } = witness.fake
      if (leaked + witness.sockets > 0) {
        return yield* broken("nothing stays open", { at, leaked, sockets: witness.sockets })
      }
      return isThrough
    })
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
