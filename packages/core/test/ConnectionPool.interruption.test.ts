import { assert, describe, it } from "@effect/vitest"
import { PoolService, Traffic } from "@effect-pools/core"
import type { FakeConnection } from "@effect-pools/testing/FakeConnector"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { interruptAnywhere, interruptTheBuilding, type Scenario, type Stage } from "./utils/interruptAnywhere.ts"

const lease = ({ pool, use }: Stage) => pool.withConnection(use)

/** Leaves idle connections behind. */
const warm = (count: number) => ({ pool, turns }: Stage) =>
  Effect.andThen(Effect.forkDetach(pool.warmUp(count)), turns.settle)

/** Somebody else holds the only connection for so many turns. */
const held = (count: number) => ({ pool, turns }: Stage) =>
  Effect.gen(function*() {
    yield* Effect.forkDetach(pool.warmUp(1))
    yield* turns.settle
    yield* Effect.forkDetach(pool.withConnection(() => Effect.repeat(Effect.yieldNow, { times: count })))
    yield* Effect.yieldNow
  })

/** Somebody else of that key holds a connection for so many turns. */
const ofKey = (fairKey: string, count: number) => ({ pool }: Stage) =>
  Effect.andThen(
    Effect.forkDetach(
      pool.withConnection(() => Effect.repeat(Effect.yieldNow, { times: count }), { fairKey })
    ),
    Effect.yieldNow
  )

/** A step takes so many turns. */
const slow = (step: "connect" | "validate" | "reset" | "close", turns: number) => ({ gated, openLater }: Stage) =>
  Effect.suspend(() => {
    gated.set(step, "slow")
    return openLater(turns)
  })

const scenarios: Readonly<Record<string, Scenario>> = {
  "that causes a dial": { victim: lease },
  "that waits for a slow dial": { setup: slow("connect", 60), victim: lease },
  "that takes an idle connection": { setup: warm(1), victim: lease },
  "that waits for another's connection": { options: { maxConnections: 1 }, setup: held(40), victim: lease },
  "whose connection is validated": {
    setup: (stage) => Effect.andThen(warm(1)(stage), TestClock.adjust(5_000)),
    victim: lease
  },
  "whose connection is validated slowly": {
    setup: (stage) =>
      warm(1)(stage).pipe(Effect.andThen(TestClock.adjust(5_000)), Effect.andThen(slow("validate", 60)(stage))),
    victim: lease
  },
  "whose connection is validated in vain": {
    setup: (stage) =>
      warm(2)(stage).pipe(
        Effect.andThen(TestClock.adjust(5_000)),
        Effect.andThen(Effect.sync(() => stage.gated.set("validate", "fail", "ok")))
      ),
    victim: lease
  },
  "whose connection is reset": { setup: slow("reset", 60), victim: lease },
  "whose reset fails": {
    setup: ({ gated }) => Effect.sync(() => gated.set("reset", "fail", "ok")),
    victim: lease
  },
  "whose connection is closed": {
    setup: slow("close", 60),
    victim: ({ pool, use }) =>
      pool.withConnection((connection) => Effect.andThen(use(connection), pool.invalidate(connection)))
  },
  "that waits with a key beside another of the same": {
    options: { maxConnections: 2, traffic: { maxShare: 0.5, affinity: true } },
    setup: (stage) => Effect.andThen(warm(2)(stage), ofKey("a", 40)(stage)),
    victim: (stage) => Traffic.with(lease(stage), { fairKey: "a", affinity: "a", tags: { key: "a" } })
  },
  "that waits with low priority before a deadline": {
    options: { maxConnections: 1 },
    setup: held(40),
    victim: (stage) => Traffic.with(lease(stage), { priority: "low", deadline: "1 minute" })
  },
  "that tries again": {
    options: { maxConnections: 1, traffic: { retryBudget: 1 } },
    victim: (stage) => {
      let tries = 0
      const twice = stage.pool.withConnection((connection) =>
        Effect.andThen(stage.use(connection), tries++ === 0 ? Effect.fail("again") : Effect.void)
      )
      return Traffic.retry(twice, { delay: 0, while: () => true })
    }
  },
  "that degrades the pool and waits in it": {
    options: { maxConnections: 1, traffic: { shedAfter: "20 millis" } },
    setup: held(20),
    victim: (stage) =>
      Effect.andThen(stage.pool.degrade(3), lease(stage)).pipe(
        Effect.ensuring(Effect.ignore(stage.pool.degrade("auto")))
      )
  },
  "that gets a connection for a scope": {
    victim: ({ pool, use }) => Effect.scoped(Effect.flatMap(pool.acquire, use))
  },
  "that gets an idle connection for a scope": {
    setup: warm(2),
    victim: ({ pool, use }) => Effect.scoped(Effect.flatMap(pool.acquire, use))
  },
  "that waits to get a connection for a scope": {
    options: { maxConnections: 1 },
    setup: held(40),
    victim: ({ pool, use }) => Effect.scoped(Effect.flatMap(pool.acquire, use))
  },
  "that holds one connection and asks for another": {
    victim: ({ pool, use }) => pool.withConnection((first) => Effect.andThen(pool.withConnection(use), use(first)))
  },
  "that keeps its connection, and gives it back when it is over": {
    setup: warm(1),
    victim: ({ pool, use }) =>
      Effect.suspend(() => {
        let kept: PoolService.Kept | undefined
        const using = PoolService.keepers.ofPristine(pool)!.withShared((connection: FakeConnection, lease) => {
          kept = lease
          lease.keep()
          return use(connection)
        })
        return Effect.ensuring(using, Effect.sync(() => kept?.end(Exit.void)))
      })
  },
  "that warms the pool up": { victim: ({ pool }) => pool.warmUp(2) },
  "that warms the pool up slowly": { setup: slow("connect", 60), victim: ({ pool }) => pool.warmUp(2) },
  "that drains the pool": { setup: warm(2), victim: ({ pool }) => pool.drain, ends: true },
  "that drains the pool while its closes are slow": {
    setup: (stage) => Effect.andThen(warm(2)(stage), slow("close", 60)(stage)),
    victim: ({ pool }) => pool.drain,
    ends: true
  },
  "that drains the pool while others hold a connection and wait": {
    options: { maxConnections: 1 },
    setup: (stage) => Effect.andThen(held(60)(stage), Effect.forkDetach(lease(stage))),
    victim: ({ pool }) => pool.drain,
    ends: true
  },
  "that gives up a time limit of its own": {
    setup: slow("connect", 60),
    victim: (stage) => Effect.raceFirst(lease(stage), Effect.repeat(Effect.yieldNow, { times: 30 }))
  }
}

describe("an interruption at any operation leaves the pool whole", () => {
  it.effect.each(Object.entries(scenarios))("of a caller %s", ([, scenario]) =>
    Effect.gen(function*() {
      const operations = yield* interruptAnywhere(scenario)
      assert.isAbove(operations, 3)
    }), 60_000)

  it.effect.each(["ok", "slow"] as const)(
    "of the building of a pool whose dials are %s",
    (gate) =>
      Effect.gen(function*() {
        const operations = yield* interruptTheBuilding(gate)
        assert.isAbove(operations, 20)
      }),
    60_000
  )
})
