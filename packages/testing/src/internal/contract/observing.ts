import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolEvent } from "@effect-pools/core/PoolEvent"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { eventually } from "../../Eventually.ts"
import { type Bench, borrow, patience, queueUp, refusal } from "./bench.ts"

/** The reports of a pool. */
export const observing = <Lent, R>(bench: Bench<Lent, R>): void => {
  numbers(bench)
  events(bench)
  options(bench)
}

const numbers = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "stats and connections tell the same",
    { name: "observed", maxConnections: 4 },
    (pool) =>
      Effect.gen(function*() {
        yield* pool.warmUp(2)
        const borrower = yield* borrow(pool, "the borrower")
        const stats = yield* pool.stats
        const { idle, limit, maxConnections, minConnections, name, state, total, used, utilization } = stats
        assert.deepStrictEqual(
          { idle, limit, maxConnections, minConnections, name, state, total, used, utilization },
          {
            idle: 1,
            limit: 4,
            maxConnections: 4,
            minConnections: 0,
            name: "observed",
            state: "open",
            total: 2,
            used: 1,
            utilization: 25
          }
        )
        const connections = yield* pool.connections
        assert.deepStrictEqual(connections.map((one) => one.state).toSorted(), ["idle", "used"])
        assert.strictEqual(new Set(connections.map((one) => one.id)).size, 2)
        const lent = connections.find((one) => one.state === "used")
        assert.deepStrictEqual([lent?.label, lent?.uses, lent?.idleFor], ["the borrower", 1, 0])
        yield* borrower.giveBack
        assert.strictEqual((yield* pool.health).status, "healthy")
      })
  )

  test("waits, uses and dials are timed", { maxConnections: 1 }, (pool) =>
    Effect.gen(function*() {
      const borrower = yield* borrow(pool)
      const waiter = yield* queueUp(pool, use)
      yield* Effect.sleep(30)
      assert.isAtLeast((yield* pool.stats).oldestWaiter, 25)
      yield* borrower.giveBack
      yield* Fiber.join(waiter)
      const stats = yield* pool.stats
      assert.deepStrictEqual([stats.wait.count, stats.use.count, stats.open.count], [2, 2, 1])
      assert.isAtLeast(stats.wait.max, 25)
      assert.isAtLeast(stats.use.max, 25)
      assert.strictEqual(stats.counts.acquiredAfterWaiting + stats.counts.acquiredAtOnce, 2)
    }))
}

const events = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "events tell a connection's life in order",
    { name: "observed", maxConnections: 1 },
    (pool) =>
      Effect.gen(function*() {
        const seen = yield* listen(pool)
        yield* pool.withConnection((connection) => Effect.andThen(use(connection), pool.invalidate(connection)), {
          label: "the borrower"
        })
        yield* pool.drain
        yield* eventually(
          "the drain is told",
          Effect.sync(() => seen.some((event) => event._tag === "Drained")),
          patience
        )
        const tags = seen.map((event) => event._tag)
        const expected = ["Opened", "Acquired", "Released", "Retired", "Closed", "DrainStarted", "Drained"] as const
        assert.deepStrictEqual(expected.filter((tag) => !tags.includes(tag)), [], `not among ${tags.join(", ")}`)
        assert.deepStrictEqual(
          tags.filter((tag) => ["Opened", "Acquired", "Released"].includes(tag)),
          expected.slice(0, 3)
        )
        assert.isBelow(tags.indexOf("Retired"), tags.indexOf("Closed"))
        assert.isBelow(tags.indexOf("DrainStarted"), tags.indexOf("Drained"))
        assert.deepStrictEqual(new Set(seen.map((event) => event.pool)), new Set(["observed"]))
        const retired = seen.find((event) => event._tag === "Retired")
        assert.strictEqual(retired?.because, "invalidated")
        const released = seen.find((event) => event._tag === "Released")
        assert.deepStrictEqual([released?.end, released?.label], ["success", "the borrower"])
      })
  )
}

/** Returns once somebody listens: pausing tells, and costs nothing. */
const listen = <Lent>(pool: ConnectionPool<Lent>): Effect.Effect<ReadonlyArray<PoolEvent>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const seen: Array<PoolEvent> = []
    yield* Effect.forkScoped(Stream.runForEach(pool.events, (event) => Effect.sync(() => seen.push(event))))
    const tell = Effect.andThen(pool.pause, pool.resume)
    yield* eventually("the listener hears", Effect.map(tell, () => seen.length > 0), patience)
    return seen
  })

const options = <Lent, R>({ subject, test }: Bench<Lent, R>): void => {
  test("an option that is not allowed is refused by its name", {}, () =>
    Effect.gen(function*() {
      const refuse = (option: object) => refusal(Effect.scoped(subject.make(option)), "InvalidOption")
      assert.strictEqual((yield* refuse({ maxConnections: 0 })).option, "maxConnections")
      assert.strictEqual((yield* refuse({ acquireTimeout: -1 })).option, "acquireTimeout")
      assert.include((yield* refuse({ maxConections: 1 })).option, "maxConections")
      yield* refuse({ minConnections: 3, maxConnections: 2 })
    }))
}
