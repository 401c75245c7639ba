/**
 * Many callers of many minds while upstreams die, hang, pause and come back, all of it by a seed.
 */
import { assert, describe, it } from "@effect/vitest"
import { PoolError } from "@effect-pools/core"
import type { FakeConnector } from "@effect-pools/testing"
import { Cause, Effect, Exit, type Fiber, Random, Schedule } from "effect"
import { advance, only, settle } from "./utils/bench.ts"
import { type Fleet, leases, onFleet, states } from "./utils/upstreams.ts"

interface Caller {
  began: number
  ended: number
  fiber?: Fiber.Fiber<unknown, unknown>
}

const pick = <const A>(...choices: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, choices.length), (index) => choices[Math.min(index, choices.length - 1)]!)

/** Sleeps, then ends in one of the ways a lease can end. */
const body = ({ backends }: Fleet, caller: Caller) => (connection: FakeConnector.FakeConnection) => {
  caller.began++
  return Effect.gen(function*() {
    yield* Effect.sleep(yield* pick(0, 1, 20, 150))
    switch (yield* pick("well", "well", "well", "failure", "defect", "interrupt", "cut")) {
      case "well":
        return
      case "cut":
        for (const { gates: { fake } } of backends) {
          if (fake.connections.includes(connection)) fake.break(connection)
        }
        return yield* Effect.fail("mine")
      case "failure":
        return yield* Effect.fail("mine")
      case "defect":
        return yield* Effect.die("bug")
      case "interrupt":
        return yield* Effect.interrupt
    }
  })
}

const call = (fleet: Fleet, caller: Caller) =>
  Effect.gen(function*() {
    const { pool } = fleet
    const how = yield* pick("withConnection", "withConnection", "withShared", "acquire")
    const lease = how === "acquire"
      ? Effect.scoped(Effect.flatMap(pool.acquire, body(fleet, caller)))
      : pool[how](body(fleet, caller))
    const patience = yield* pick(0, 10, 300, 60_000)
    return yield* Effect.raceFirst(lease, Effect.andThen(Effect.sleep(patience), Effect.fail("impatient")))
  }).pipe(Effect.onExit(() => Effect.sync(() => void caller.ended++)))

/** Something happens to one of the upstreams. */
const mishap = ({ backends, pool }: Fleet) =>
  Effect.gen(function*() {
    const { gates, pool: upstream } = backends[yield* pick(...backends.keys())]!
    switch (yield* pick("dies", "hangs", "revives", "revives", "cut", "pauses", "resumes", "retires", "limit")) {
      case "dies":
        gates.set("connect", "fail")
        gates.fake.connections.forEach((connection) => gates.fake.break(connection))
        return
      case "hangs":
        gates.set("connect", "slow")
        gates.set("validate", "never", "ok")
        return
      case "revives":
        gates.set("connect", "ok")
        gates.set("reset", "ok")
        return
      case "cut":
        gates.fake.connections.forEach((connection) => gates.fake.cutSilently(connection))
        return
      case "pauses":
        return yield* upstream.pause
      case "resumes":
        return yield* pool.resume
      case "retires":
        return yield* pool.retireAll
      case "limit":
        return yield* pool.setLimit(yield* pick(3, 5, 9))
    }
  })

const revive = ({ backends, pool }: Fleet) =>
  Effect.gen(function*() {
    for (const { gates } of backends) {
      ;(["connect", "validate", "reset"] as const).forEach((step) => gates.set(step, "ok"))
    }
    yield* pool.setLimit(9)
    yield* pool.resume
    yield* advance("10 minutes")
  })

const storm = (strategy: "roundRobin" | "leastUsed" | "powerOfTwoChoices") =>
  onFleet({
    weights: [3, 1, 2],
    strategy,
    outlierEjection: { consecutiveFailures: 2, baseEjectionTime: "1 second" },
    slowStart: "2 seconds",
    backend: { delay: "100 millis" },
    each: {
      maxConnections: 3,
      acquireTimeout: "2 seconds",
      connectTimeout: "1 second",
      retry: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 2 })),
      pendingLimit: 5,
      breaker: { minimumDials: 5, openDuration: "1 second" }
    }
  }, function*(fleet) {
    yield* fleet.listen
    const callers = Array.from({ length: 150 }, (): Caller => ({ began: 0, ended: 0 }))
    for (const caller of callers) {
      caller.fiber = yield* Effect.forkScoped(call(fleet, caller))
      if ((yield* Random.next) < 0.3) yield* mishap(fleet)
      if ((yield* Random.next) < 0.1) caller.fiber.interruptUnsafe()
      if ((yield* Random.next) < 0.5) yield* advance(yield* pick(0, 5, 200))
    }
    yield* revive(fleet)
    const harm = only(fleet.events, "UpstreamEjected").length + only(fleet.events, "OpenFailed").length
    assert.isAbove(harm, 0, "the storm is felt")
    yield* endedOnce(fleet, callers)
    assert.deepStrictEqual(yield* states(fleet), ["in", "in", "in"])
    const last = yield* Effect.forkScoped(fleet.pool.withConnection(() => Effect.void))
    yield* advance("1 second")
    assert.deepStrictEqual(last.pollUnsafe(), Exit.void)
  })

const endedOnce = Effect.fnUntraced(function*(fleet: Fleet, callers: ReadonlyArray<Caller>) {
  yield* settle
  for (const [index, { began, ended, fiber }] of callers.entries()) {
    const exit = fiber!.pollUnsafe()
    assert.isDefined(exit, `caller ${index} ended`)
    // One that was interrupted before its first turn never was.
    assert.isAtMost(ended, 1, `caller ${index} ended once`)
    assert.isAtMost(began, 1, `caller ${index} began once`)
    if (Exit.isFailure(exit!)) assertExpected(exit.cause)
  }
  const began = callers.reduce((total, caller) => total + caller.began, 0)
  const { counts } = yield* fleet.pool.stats
  const { defect, failure, interrupt, success } = counts.ended
  const lent = (yield* leases(fleet)).reduce((a, b) => a + b, 0)
  assert.strictEqual(success + failure + defect + interrupt, lent, "every lease ended once")
  assert.isAtMost(began, lent)
  assert.isAbove(began, 40, "the storm lets callers through")
})

const assertExpected = (cause: Cause.Cause<unknown>): void => {
  if (Cause.hasInterrupts(cause)) return
  const error = Cause.squash(cause)
  const isExpected = error === "mine" || error === "bug" || error === "impatient" ||
    (error instanceof PoolError.PoolError && error.reason._tag !== "InvalidOption")
  assert.isTrue(isExpected, Cause.pretty(cause))
}

describe("BalancedPool: a storm", () => {
  for (const strategy of ["roundRobin", "leastUsed", "powerOfTwoChoices"] as const) {
    it.effect.each(Array.from({ length: 8 }, (_, seed) => seed))(
      `of seed %i under ${strategy} ends with every lease ended and nothing left open`,
      (seed) => Random.withSeed(storm(strategy), `${strategy} ${seed}`),
      60_000
    )
  }
})
