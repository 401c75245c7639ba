import { assert, describe, it } from "@effect/vitest"
import { Traffic } from "@effect-pools/core"
import type { FakeConnection } from "@effect-pools/testing/FakeConnector"
import { Effect, Exit, Fiber, Random } from "effect"
import { advance, borrow, borrowMany, captureLogs, defectOf, only, onPool, type Pool, settle } from "./utils/bench.ts"

const on = { maxConnections: 4, minConnections: 4, traffic: { affinity: true } } as const

const lease = (pool: Pool, affinity: string | undefined, millis = 0, fairKey?: string) =>
  Traffic.with(
    pool.withConnection(({ id }) => Effect.as(Effect.sleep(millis), id)),
    { affinity, fairKey }
  )

describe("affinity", () => {
  it.effect("gets the idle connection that was lent last for the same, and the warmest without it", () =>
    onPool(on, function*({ pool }) {
      yield* settle
      const first = yield* Effect.all(["a", "b", "c"].map((key) => lease(pool, key)))
      assert.strictEqual(new Set(first).size, 3, "each keeps its own")
      const again = yield* Effect.all(["b", "a", "c", "a", "b"].map((key) => lease(pool, key)))
      assert.deepStrictEqual(again, [first[1], first[0], first[2], first[0], first[1]])
      assert.strictEqual(yield* lease(pool, undefined), first[1])
    }))

  it.effect("takes another at once rather than wait", () =>
    onPool(on, function*({ pool }) {
      yield* settle
      const own = yield* lease(pool, "a")
      const holder = yield* Effect.forkScoped(lease(pool, "a", 100))
      yield* settle
      assert.notStrictEqual(yield* lease(pool, "a"), own)
      yield* advance(100)
      yield* Fiber.join(holder)
    }))

  it.effect("is nothing where the pool does not heed it", () =>
    onPool({ ...on, traffic: {} }, function*({ pool }) {
      yield* settle
      const ids = yield* Effect.all(["a", "b", "c", "d"].map((key) => lease(pool, key)))
      assert.strictEqual(new Set(ids).size, 1, "the warmest is lent each time")
    }))

  it.effect("lets a caller go before others of its priority eight times at most", () =>
    onPool({ maxConnections: 1, traffic: { affinity: true } }, function*({ pool }) {
      const served: Array<string> = []
      const waiter = (affinity: string) =>
        Effect.forkScoped(
          Traffic.with(pool.withConnection(() => Effect.sync(() => void served.push(affinity))), { affinity })
        ).pipe(Effect.tap(() => settle))
      const holder = yield* Effect.forkScoped(lease(pool, "a", 100))
      yield* settle
      yield* waiter("b")
      for (let count = 0; count < 12; count++) yield* waiter("a")
      yield* advance(100)
      yield* Fiber.join(holder)
      assert.strictEqual(served.length, 13)
      assert.strictEqual(served.indexOf("b"), 8)
    }))

  it.effect("hits at least twice as often as chance, and takes nothing from fairness", () =>
    Effect.gen(function*() {
      const measure = Effect.fnUntraced(function*(affinity: boolean) {
        const held = new Map<string, number>()
        let hits = 0
        let all = 0
        yield* onPool({ maxConnections: 10, minConnections: 10, traffic: { affinity } }, function*({ pool }) {
          yield* settle
          const last = new Map<number, string>()
          const call = (key: string, millis: number) =>
            Traffic.with(
              pool.withConnection(({ id }: FakeConnection) => {
                if (last.get(id) === key) hits++
                all++
                last.set(id, key)
                held.set(key, (held.get(key) ?? 0) + millis)
                return Effect.sleep(millis)
              }),
              { affinity: key, fairKey: key }
            )
          const tenants = Array.from({ length: 20 }, (_, number) => `tenant ${number}`)
          // More callers than connections, so that some always wait.
          const loops = tenants.map((key) =>
            Effect.gen(function*() {
              for (let count = 0; count < 50; count++) {
                yield* call(key, yield* Random.nextIntBetween(5, 15))
              }
            }).pipe(Effect.forkScoped)
          )
          const fibers = yield* Effect.all(loops)
          for (let step = 0; step < 700; step++) yield* advance(1)
          yield* Effect.forEach(fibers, Fiber.interrupt)
        })
        const shares = Array.from(held.values())
        const sum = shares.reduce((a, b) => a + b, 0)
        const jain = sum ** 2 / (shares.length * shares.reduce((a, b) => a + b * b, 0))
        return { hitRate: hits / all, jain }
      })
      const without = yield* Effect.provide(measure(false), captureLogs([]))
      const heeded = yield* Effect.provide(measure(true), captureLogs([]))
      assert.isAtLeast(heeded.hitRate, 2 * without.hitRate, JSON.stringify({ without, heeded }))
      assert.isAtLeast(heeded.jain, without.jain - 0.01, JSON.stringify({ without, heeded }))
    }).pipe(Random.withSeed("affinity")), 20_000)
})

describe("tags", () => {
  const tags = { tenant: "t1", job: "export" }

  it.effect("tell a caller in connections, events, and the holders of an error, beside its label", () =>
    onPool({ acquireTimeout: 100, slowAcquireTimeout: 10 }, function*({ events, listen, pool }) {
      yield* listen
      const holder = yield* Traffic.with(borrow(pool, "holder"), { tags })
      const [held] = yield* pool.connections
      assert.deepInclude(held!.tags, tags)
      const late = yield* Effect.forkScoped(Effect.exit(Traffic.with(pool.withConnection(() => Effect.void), { tags })))
      yield* settle
      yield* advance(100)
      const exit = yield* Fiber.join(late)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(JSON.stringify(exit), `"tags":${JSON.stringify(tags)}`)
      yield* holder.giveBack
      yield* settle
      assert.deepStrictEqual(only(events, "Acquired").map((event) => event.tags), [tags])
      assert.deepStrictEqual(only(events, "Released").map((event) => event.tags), [tags])
      assert.deepStrictEqual(only(events, "AcquireTimedOut").map((event) => event.tags), [tags])
    }))

  it.effect("are not in the events of callers that say none", () =>
    onPool({}, function*({ events, listen, pool }) {
      yield* listen
      yield* pool.withConnection(() => Effect.void)
      yield* settle
      assert.deepStrictEqual(only(events, "Acquired").map((event) => "tags" in event), [false])
    }))

  it.effect("are added to those around them, eight at most and 100 characters each", () =>
    Effect.gen(function*() {
      const said = (given: Record<string, string>) =>
        Effect.map(Traffic.Traffic, ({ tags }) => tags).pipe(Traffic.with({ tags: given }), Traffic.with({ tags }))
      assert.deepStrictEqual(yield* said({ job: "import", step: "2" }), { tenant: "t1", job: "import", step: "2" })
      const many = yield* said(
        Object.fromEntries(Array.from({ length: 30 }, (_, number) => [`tag ${number}`, "x".repeat(500)]))
      )
      assert.strictEqual(Object.keys(many!).length, 8)
      assert.strictEqual(many!["tag 0"]!.length, 100)
    }))

  it.effect("and an affinity that are no texts are defects that name the rule", () =>
    Effect.gen(function*() {
      const bad = [
        [{ tags: { a: 1 } }, /tags must be texts/],
        [{ tags: "a" }, /tags must be an object/],
        [{ tags: null }, /tags must be an object/],
        [{ affinity: 7 }, /affinity must be a text/],
        [{ isRetry: "yes" }, /isRetry must be true or false/]
      ] as const
      for (const [traffic, rule] of bad) {
        assert.match(String(defectOf(yield* Effect.exit(Traffic.with(Effect.void, traffic as never)))), rule)
      }
    }))
})

it.effect("a pool of one connection heeds an affinity that it can't serve", () =>
  onPool({ maxConnections: 1, traffic: { affinity: true } }, function*({ pool }) {
    const [holder] = yield* borrowMany(pool, 1)
    const waiting = yield* Effect.forkScoped(lease(pool, "b"))
    yield* settle
    yield* holder!.giveBack
    assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
  }))
