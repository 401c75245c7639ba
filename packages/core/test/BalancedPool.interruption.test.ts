import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, References, Schedule, Scope } from "effect"
import { counted, stepwise, type Turns, Violation } from "./utils/turns.ts"
import { type Fleet, makeFleet } from "./utils/upstreams.ts"

interface Scenario {
  /** What comes before the effect, undisturbed. */
  readonly setup?: (fleet: Fleet, turns: Turns) => Effect.Effect<unknown, unknown>
  readonly victim: (fleet: Fleet) => Effect.Effect<unknown, unknown>
}

const turnsLater = (many: number) => Effect.repeat(Effect.yieldNow, { times: many })

const use = ({ backends }: Fleet) => (connection: Parameters<Fleet["backends"][0]["gates"]["fake"]["use"]>[0]) =>
  backends.find(({ gates }) => gates.fake.connections.includes(connection))!.gates.fake.use(
    connection,
    Effect.asVoid(turnsLater(3))
  )

const lease = (fleet: Fleet) => fleet.pool.withConnection(use(fleet))

const dialsFail = ({ backends }: Fleet) => Effect.sync(() => backends[0]!.gates.set("connect", "fail", "ok"))

const slowly = (step: "connect" | "reset") => ({ backends }: Fleet) =>
  Effect.suspend(() => {
    for (const { gates } of backends) gates.set(step, "slow")
    const open = Effect.sync(() => backends.forEach(({ gates }) => gates.open(step)))
    return Effect.forkDetach(Effect.andThen(turnsLater(60), open))
  })

const scenarios: Readonly<Record<string, Scenario>> = {
  "that borrows": { victim: lease },
  "that shares": { victim: (fleet) => fleet.pool.withShared(use(fleet)) },
  "that waits for a slow dial": { setup: slowly("connect"), victim: lease },
  "whose connection is reset slowly": { setup: slowly("reset"), victim: lease },
  "that goes on to the next upstream": { setup: dialsFail, victim: lease },
  "that is refused by a paused upstream": { setup: ({ backends }) => backends[0]!.pool.pause, victim: lease },
  "that gets a connection for a scope": {
    victim: (fleet) => Effect.scoped(Effect.flatMap(fleet.pool.acquire, use(fleet)))
  },
  "that goes on to the next upstream for a scope": {
    setup: dialsFail,
    victim: (fleet) => Effect.scoped(Effect.flatMap(fleet.pool.acquire, use(fleet)))
  },
  "that holds one connection and asks for another": {
    victim: ({ pool }) => pool.withConnection(() => pool.withConnection(() => turnsLater(3)))
  },
  "that warms the upstreams up": { victim: ({ pool }) => pool.warmUp(3) },
  "that invalidates": { victim: ({ pool }) => pool.withConnection((connection) => pool.invalidate(connection)) }
}

const broken = (rule: string, facts: unknown): Violation => new Violation({ rule, facts })

const interruptAt = (scenario: Scenario, at: number): Effect.Effect<boolean, unknown> =>
  counted((turns) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const fleet = yield* makeFleet({
        weights: [1, 1],
        strategy: "roundRobin",
        each: { retry: Schedule.recurs(0), metrics: false }
      }).pipe((making) => stepwise(turns, making), Scope.provide(scope))
      if (scenario.setup !== undefined) yield* scenario.setup(fleet, turns)
      const victim = yield* Effect.forkDetach(stepwise(turns, scenario.victim(fleet)))
      yield* turnsLater(at)
      const isThrough = victim.pollUnsafe() !== undefined
      victim.interruptUnsafe()
      for (const { gates } of fleet.backends) (["connect", "reset"] as const).forEach((step) => gates.open(step))
      yield* turns.settle
      const exit = victim.pollUnsafe()
      if (exit === undefined) return yield* broken("an interrupted caller ends", at)
      if (isThrough) assert.isTrue(Exit.isSuccess(exit))
      yield* asIfNothingHappened(fleet, turns, at)
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      yield* turns.settle
      if (closing.pollUnsafe() === undefined) return yield* broken("the pools close", at)
      const leaked = fleet.backends.map(({ gates }) => gates.fake.leaked)
      if (leaked.some((many) => many > 0)) return yield* broken("nothing stays open", { at, leaked })
      if (turns.defects.length > 0) return yield* broken("there is no defect", { at, defect: turns.defects[0] })
      return isThrough
    })
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const asIfNothingHappened = Effect.fnUntraced(function*(fleet: Fleet, turns: Turns, at: number) {
  const inFlight = (yield* fleet.pool.upstreams).map((upstream) => upstream.inFlight)
  const { pending, used } = yield* fleet.pool.stats
  if (inFlight.some((many) => many !== 0) || used + pending > 0) {
    return yield* broken("an interrupted caller leaves nothing behind", { at, inFlight, used, pending })
  }
  const next = yield* Effect.forkDetach(lease(fleet))
  yield* turns.settle
  const exit = next.pollUnsafe()
  if (exit === undefined || Exit.isFailure(exit)) return yield* broken("the next caller is served", { at, exit })
})

describe("an interruption at any operation leaves a balanced pool whole", () => {
  it.effect.each(Object.entries(scenarios))("of a caller %s", ([, scenario]) =>
    Effect.gen(function*() {
      let operations = 0
      while (!(yield* interruptAt(scenario, operations))) {
        operations++
        assert.isBelow(operations, 1_000, "the effect never ends")
      }
      assert.isAbove(operations, 3)
    }), 60_000)
})
