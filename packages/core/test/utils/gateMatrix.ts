/**
 * One pool whose steps all misbehave in their own way, a caller in the middle of it, and then the recovery.
 */
import type { GatedConnector } from "@effect-pools/testing"
import { Effect, Exit, References } from "effect"
import { allOk, broken, finish, interrupt, lease, makeWorld } from "./model.ts"
import type { Setting } from "./programs.ts"
import { rules } from "./rules.ts"
import { counted, Violation } from "./turns.ts"
import type { Caller, World } from "./world.ts"

export const behaviours = ["ok", "fail", "slow", "never", "defect"] as const
export type Behaviour = (typeof behaviours)[number]
export type Gates = Readonly<Record<GatedConnector.Step, Behaviour>>
export const fates = ["waits its time", "is interrupted", "waits in vain"] as const
export type Fate = (typeof fates)[number]

/** Every combination of what validate, reset and close do, for one thing that connect does. */
export const combinations = (connect: Behaviour): ReadonlyArray<Gates> =>
  behaviours.flatMap((validate) =>
    behaviours.flatMap((reset) => behaviours.map((close) => ({ connect, validate, reset, close })))
  )

export const runGates = (gates: Gates, fate: Fate): Effect.Effect<void, Violation> =>
  counted((turns) =>
    Effect.gen(function*() {
      const world = yield* makeWorld({ ...setting, maxConnections: fate === "waits in vain" ? 1 : 2 }, turns)
      yield* turns.settle
      for (const step of ["connect", "validate", "reset", "close"] as const) world.witness.gated.set(step, gates[step])
      yield* misbehave(world, fate)
      yield* recover(world)
      yield* finish(world)
    })
  ).pipe(
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.mapError((error) => {
      const { facts, rule } = error instanceof Violation ? error : { rule: "a pool can be made", facts: error }
      return new Violation({ rule, facts: { gates, fate, facts } })
    })
  )

const setting: Setting = {
  maxConnections: 2,
  minConnections: 1,
  pendingLimit: 100,
  freshnessWindow: 20,
  validates: true,
  resets: true,
  stubborn: false,
  sharers: 1
}

const misbehave = Effect.fnUntraced(function*(world: World, fate: Fate) {
  yield* ask(world, 7)
  yield* step(world, 30)
  // Idle for longer than the freshness window: the next caller's connection is validated.
  yield* step(world, 60)
  if (fate === "waits in vain") yield* ask(world, "long")
  const caller = yield* ask(world, fate === "waits its time" ? 7 : "long")
  yield* step(world, 10)
  if (fate === "is interrupted") yield* interrupt(caller)
  for (const millis of [0, 30, 40, 100, 30]) yield* step(world, millis)
  yield* world.pool.retireAll
  yield* step(world, 70)
})

const ask = (world: World, hold: number | "long"): Effect.Effect<Caller> =>
  lease(world, { _tag: "Lease", how: "withConnection", hold: hold as 7 | "long", end: "ok" })

const step = (world: World, millis: number): Effect.Effect<void, Violation> =>
  Effect.andThen(world.turns.advance(millis), Effect.suspend(() => rules(world, `after ${millis} ms`)))

/** The backend is well again: the minimum comes back without traffic, and a caller is served at once. */
const recover = Effect.fnUntraced(function*(world: World) {
  allOk(world.witness.gated)
  for (const caller of world.unsettled) yield* interrupt(caller)
  for (let i = 0; i < 5; i++) yield* step(world, 100)
  const { idle } = yield* world.pool.stats
  if (idle < 1) return yield* broken("the minimum comes back", yield* world.pool.stats)
  const caller = yield* ask(world, 0 as 7)
  yield* step(world, 0)
  if (caller.exit === undefined || Exit.isFailure(caller.exit)) {
    return yield* broken("a caller is served once the backend is well", { exit: String(caller.exit) })
  }
})
