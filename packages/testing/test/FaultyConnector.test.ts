import { assert, describe, it } from "@effect/vitest"
import { FakeConnector, FaultyConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"

const silent = { onBroken: () => {}, onEnded: () => {} }

describe("FaultyConnector", () => {
  it.effect("changes nothing without faults, and counts", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const faulty = FaultyConnector.make(fake.connector)
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* faulty.connector.connect(silent)
        yield* faulty.connector.validate!(connection)
        yield* faulty.connector.reset!(connection, Exit.void)!
        assert.deepStrictEqual([faulty.opened, faulty.live, faulty.leaked], [1, 1, 1])
      }))
      assert.deepStrictEqual([faulty.closed, faulty.live, faulty.leaked, faulty.peak], [1, 0, 0, 1])
      assert.strictEqual(fake.leaked, 0)
    }))

  it.effect("follows a script, and then there are no faults", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const script = FaultyConnector.script({ connect: ["fail", { outcome: "ok", delay: "1 second" }] })
      const faulty = FaultyConnector.make(fake.connector, script)
      const error = yield* Effect.flip(faulty.connector.connect(silent))
      assert.deepInclude(error, { _tag: "InjectedFault", step: "connect", call: 1 })
      const second = yield* Effect.forkChild(faulty.connector.connect(silent), { startImmediately: true })
      yield* TestClock.adjust(999)
      assert.strictEqual(fake.dialled, 0)
      yield* TestClock.adjust(1)
      yield* Fiber.join(second)
      yield* faulty.connector.connect(silent)
      assert.deepStrictEqual([faulty.opened, faulty.injected("connect")], [2, 1])
    }))

  it.effect("a dial that fails late closes what it had opened", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const faulty = FaultyConnector.make(fake.connector, FaultyConnector.script({ connect: ["failLate"] }))
      yield* Effect.flip(Effect.scoped(faulty.connector.connect(silent)))
      assert.deepStrictEqual([fake.opened, fake.closed, faulty.opened, faulty.leaked], [1, 1, 0, 0])
    }))

  it.effect("a close that fails still closes", () =>
    Effect.gen(function*() {
      const fake = FakeConnector.make()
      const faulty = FaultyConnector.make(fake.connector, FaultyConnector.script({ close: ["fail"] }))
      assert(Exit.isFailure(yield* Effect.exit(Effect.scoped(faulty.connector.connect(silent)))))
      assert.deepStrictEqual([fake.leaked, faulty.leaked], [0, 0])
    }))

  it.effect("the faults of chance are the same for the same seed, and as many as told", () =>
    Effect.gen(function*() {
      const draw = (seed: string) =>
        Effect.map(
          FaultyConnector.random({ connect: { fail: 0.2, never: 0.1, maxDelay: 10 } }),
          (plan) => Array.from({ length: 2000 }, (_, call) => plan("connect", call + 1))
        ).pipe(Random.withSeed(seed))
      const [one, again, other] = [yield* draw("a"), yield* draw("a"), yield* draw("b")]
      assert.deepStrictEqual(one, again)
      assert.notDeepEqual(one, other)
      const count = (outcome: string) => one.filter((fault) => fault.outcome === outcome).length
      assert.approximately(count("fail"), 400, 80)
      assert.approximately(count("never"), 200, 60)
      assert.strictEqual(count("defect"), 0)
      assert(one.every(({ delay }) => Number(delay) >= 0 && Number(delay) <= 10))
    }))

  it.effect("another plan can be followed while it runs", () =>
    Effect.gen(function*() {
      const faulty = FaultyConnector.make(FakeConnector.make().connector, () => ({ outcome: "fail" }))
      yield* Effect.flip(faulty.connector.connect(silent))
      faulty.follow(FaultyConnector.healthy)
      yield* faulty.connector.connect(silent)
    }))
})
