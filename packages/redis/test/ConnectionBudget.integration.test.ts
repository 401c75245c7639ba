import { ConnectionBudget, ConnectionPool } from "@effect-pools/core"
import { EmbeddedRedis, FakeConnector } from "@effect-pools/testing"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Random, Schedule, Scope } from "effect"
import { Redis as EffectRedis } from "effect/persistence"
import { apportion } from "../../core/src/internal/budget/apportion.ts"
import { reportScript } from "../../core/src/internal/budget/fleetScript.ts"
import { partsOf, readAnswer } from "../../core/src/internal/budget/redisStore.ts"
import type { Report } from "../../core/src/internal/budget/store.ts"
import { Cache, eventually } from "./support.ts"

const { EmbeddedRedis: Redis } = EmbeddedRedis

const redis = Layer.unwrap(
  Effect.map(Redis, ({ url }) => Cache.layer({ url, minConnections: 0, retry: Schedule.spaced("50 millis") }))
)

/** The records of one budget, at the times that a test says. */
const records = (name: string) =>
  Effect.map(EffectRedis.Redis, (redis) => {
    const sequences = new Map<string, number>()
    return (now: number, id: string, told: Partial<Report>) => {
      const sequence = told.sequence ?? (sequences.get(id) ?? 0) + 1
      sequences.set(id, sequence)
      const report = { total: 10, floor: 0, holds: 0, wants: 0, isKnown: false, isLeaving: false, ...told }
      return Effect.flatMap(
        redis.eval(reportScript)(name, partsOf({ id, label: `the ${id}`, ...report, sequence }), now),
        readAnswer
      )
    }
  })

const unnamed = () => `${crypto.randomUUID()} {with} "odd" chars: ü\\`

/** A store that has been up for long does not wait for processes that it might have forgotten. */
const longUp = 10_000_000

/** A store that knows of the budget, as one that has been up for long. */
const known = (name: string) =>
  Effect.flatMap(records(name), (report) => report(Date.now(), "first", { isLeaving: true }))

/** A process of a fleet, whose connections all go to one server. */
const process = (fake: FakeConnector.FakeConnector, options: ConnectionBudget.FleetOptions) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const make = Effect.gen(function*() {
      const budget = yield* ConnectionBudget.makeRedis(options)
      const pool = yield* ConnectionPool.make(fake.connector, {
        name: options.process ?? "pool",
        minConnections: 0,
        maxConnections: 50,
        drainTimeout: "1 second",
        metrics: false
      }).pipe(Effect.provideService(ConnectionBudget.ConnectionBudget, budget))
      return { budget, pool }
    })
    const made = yield* Scope.provide(make, scope)
    return { ...made, end: Scope.close(scope, Exit.void) }
  })

type Process = Effect.Success<ReturnType<typeof process>>

/** Callers that each hold a connection for a moment, one after another. */
const load = ({ pool }: Process, callers: number) =>
  Effect.gen(function*() {
    const failures: Array<unknown> = []
    const call = Effect.catch(
      pool.withConnection(() => Effect.sleep("20 millis")),
      (error) => Effect.sync(() => void failures.push(error))
    )
    const fibers = yield* Effect.replicateEffect(Effect.forkScoped(Effect.forever(call)), callers)
    return { failures, end: Fiber.interruptAll(fibers) }
  })

const haveUsed = (all: ReadonlyArray<Process>, expected: ReadonlyArray<number>) =>
  Effect.map(Effect.forEach(all, usedBy), (used) => used.every((each, at) => each === expected[at]))

const usedBy = ({ pool }: Process) => Effect.map(pool.stats, ({ used }) => used)

describe("a budget in Redis", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("grants what is free at once, and never what another has not reported as given up", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        assert.deepInclude(yield* report(at, "a", { wants: 10 }), { grant: 10, held: 10, processes: 1 })
        assert.deepInclude(yield* report(at + 1, "b", { wants: 10, floor: 1 }), { grant: 0, held: 10, retryIn: 1000 })
        assert.deepInclude(yield* report(at + 2, "a", { wants: 10, holds: 10 }), { grant: 5, held: 10 })
        assert.deepInclude(yield* report(at + 3, "b", { wants: 10, floor: 1 }), { grant: 0 })
        assert.deepInclude(yield* report(at + 4, "a", { wants: 10, holds: 7 }), { grant: 5, held: 7 })
        assert.deepInclude(yield* report(at + 5, "b", { wants: 10, floor: 1 }), { grant: 3, held: 10 })
        assert.deepInclude(yield* report(at + 6, "a", { wants: 10, holds: 5 }), { grant: 5, held: 8 })
        assert.deepInclude(yield* report(at + 7, "b", { wants: 10, holds: 3 }), { grant: 5, held: 10 })
      }).pipe(Effect.provide(redis)))

    it.effect("frees what a process held that has not reported for 15 seconds, and at once when it leaves", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        yield* report(at, "a", { wants: 6 })
        yield* report(at + 7_000, "b", { wants: 4 })
        yield* report(at + 10_000, "b", { wants: 10, holds: 4 })
        yield* report(at + 14_999, "b", { wants: 10, holds: 4 })
        assert.deepInclude(yield* report(at + 15_000, "b", { wants: 10, holds: 4 }), { grant: 10, processes: 1 })
        assert.deepInclude(yield* report(at + 16_000, "c", { wants: 5 }), { grant: 0 })
        assert.deepInclude(yield* report(at + 17_000, "b", { isLeaving: true, holds: 10 }), { held: 0, processes: 1 })
        assert.deepInclude(yield* report(at + 17_001, "c", { wants: 5 }), { grant: 5 })
      }).pipe(Effect.provide(redis)))

    it.effect("takes a report that comes late for none", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        yield* report(at + 8_000, "a", { wants: 10, sequence: 1 })
        yield* report(at + 8_001, "a", { wants: 10, holds: 10, sequence: 3 })
        assert.deepInclude(yield* report(at + 8_002, "a", { wants: 2, holds: 2, sequence: 2 }), { held: 10 })
        assert.deepInclude(yield* report(at + 8_003, "b", { wants: 2 }), { held: 10, grant: 0 })
      }).pipe(Effect.provide(redis)))

    it.effect("frees what a dead process held, also if a late report is the first to come after its lease", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        yield* report(at, "a", { wants: 6 })
        yield* report(at + 10_000, "b", { wants: 4, sequence: 2 })
        yield* report(at + 15_000, "b", { wants: 4, sequence: 1 })
        assert.deepInclude(yield* report(at + 15_001, "b", { wants: 10, holds: 4, sequence: 3 }), { grant: 10 })
      }).pipe(Effect.provide(redis)))

    it.effect("counts again what its processes hold when the sum is lost, as to an eviction", () =>
      Effect.gen(function*() {
        const name = unnamed()
        const report = yield* records(name)
        const at = longUp
        yield* report(at, "a", { wants: 6 })
        yield* report(at, "b", { wants: 4 })
        const { send } = yield* EffectRedis.Redis
        assert.strictEqual(yield* send("DEL", `effect-pools:{budget:${encodeURIComponent(name)}}`), 1)
        yield* report(at + 1, "a", { wants: 6, holds: 6, isKnown: true })
        yield* report(at + 2, "b", { wants: 4, holds: 4, isKnown: true })
        assert.deepInclude(yield* report(at + 8_000, "c", { wants: 5 }), { held: 10, grant: 0, isLearning: false })
      }).pipe(Effect.provide(redis)))

    it.effect("kills nobody when it was away itself, and when its clock leaps or is set back", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        yield* report(at, "a", { wants: 6 })
        yield* report(at, "b", { wants: 4 })
        // A minute later, as after a stop or a leap.
        assert.deepInclude(yield* report(at + 60_000, "c", { wants: 10 }), { grant: 0, held: 10, isLearning: true })
        assert.deepInclude(yield* report(at + 61_000, "a", { wants: 6, holds: 6, isKnown: true }), { grant: 4 })
        // b never comes back.
        assert.deepInclude(yield* report(at + 66_000, "c", { wants: 10 }), { grant: 0, isLearning: true })
        assert.deepInclude(yield* report(at + 67_001, "c", { wants: 10 }), {
          grant: 4,
          isLearning: false,
          processes: 2
        })
        // The clock is set back by an hour: the dead die in time all the same.
        const back = at - 3_600_000
        yield* report(back, "a", { wants: 6, holds: 6, isKnown: true })
        yield* report(back + 7_500, "a", { wants: 6, holds: 6, isKnown: true })
        assert.deepInclude(yield* report(back + 15_500, "a", { wants: 10, holds: 6, isKnown: true }), { grant: 10 })
      }).pipe(Effect.provide(redis)))

    it.effect("lets nobody grow until all have reported, when it has forgotten what they hold", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        assert.deepInclude(
          yield* report(at, "a", { wants: 10, holds: 4, floor: 2, isKnown: true }),
          { grant: 4, isLearning: true }
        )
        assert.deepInclude(yield* report(at + 1, "new", { wants: 2, floor: 2 }), { grant: 2 })
        assert.deepInclude(yield* report(at + 5_000, "b", { wants: 4, holds: 4, isKnown: true }), {
          grant: 4,
          held: 10
        })
        assert.deepInclude(yield* report(at + 8_000, "a", { wants: 4, holds: 4 }), { grant: 4, isLearning: false })
      }).pipe(Effect.provide(redis)))

    it.effect("shares the smallest total that a process says, as long as that process lives", () =>
      Effect.gen(function*() {
        const report = yield* records(unnamed())
        const at = longUp
        yield* report(at + 8_000, "a", { wants: 10, total: 10 })
        assert.deepInclude(yield* report(at + 8_001, "b", { wants: 10, total: 6 }), { total: 6, grant: 0 })
        assert.deepInclude(yield* report(at + 8_002, "a", { wants: 10, holds: 10, total: 10 }), { total: 6, grant: 3 })
        yield* report(at + 8_003, "b", { isLeaving: true })
        assert.deepInclude(yield* report(at + 8_004, "a", { wants: 10, holds: 3, total: 10 }), { total: 10, grant: 10 })
      }).pipe(Effect.provide(redis)))

    it.effect("shares as the pools of one process do, and never more than the total, whatever happens", () =>
      Effect.gen(function*() {
        const below = (n: number) => Random.nextIntBetween(0, n - 1)
        for (let round = 0; round < 3; round++) {
          const report = yield* records(unnamed())
          const total = 1 + (yield* below(60))
          // What each process believes, and its sockets.
          const all = Array.from({ length: 1 + (yield* below(8)) }, (_, at) => ({ id: `p${at}`, ceiling: 0, has: 0 }))
          let now = longUp
          const wants = new Map<string, number>()
          const step = ({ ceiling, has, id }: typeof all[number]) =>
            report(now += 10, id, { total, floor: 1, holds: Math.max(ceiling, has), wants: wants.get(id)! })
          for (let turn = 0; turn < 40; turn++) {
            const each = all[yield* below(all.length)]!
            if (turn % 10 === 0) { for (const { id } of all) wants.set(id, yield* below(40)) }
            const { grant } = yield* step(each)
            // Every fifth answer is lost: the process goes on with what it knew.
            if ((yield* below(5)) > 0) each.ceiling = grant
            if (each.has < each.ceiling) each.has = each.ceiling
            else if (each.has > each.ceiling) each.has--
            assert.isAtMost(all.reduce((sum, { ceiling, has }) => sum + Math.max(ceiling, has), 0), total)
          }
          for (let turn = 0; turn < 4; turn++) {
            for (const each of all) each.ceiling = each.has = (yield* step(each)).grant
          }
          const shares = apportion(total, all.map(({ has, id }) => ({ has, floor: 1, wants: wants.get(id)! })))
          assert.deepStrictEqual(all.map(({ has }) => has), shares)
        }
      }).pipe(Effect.provide(redis)))

    it.effect("gives one loaded process what the others do not use, and shares when they want it", () =>
      Effect.gen(function*() {
        const fake = FakeConnector.make()
        const name = unnamed()
        yield* known(name)
        const all = yield* Effect.forEach(["a", "b", "c"], (id) => process(fake, { name, total: 12, process: id }))
        const busy = yield* load(all[0]!, 30)
        yield* eventually("the first has it all", Effect.map(usedBy(all[0]!), (used) => used >= 10), "10 seconds")
        const others = yield* Effect.forEach(all.slice(1), (each) => load(each, 30))
        yield* eventually("all have the same", haveUsed(all, [4, 4, 4]), "10 seconds")
        const processes = yield* all[0]!.budget.processes
        assert.deepStrictEqual(processes.map(({ grant, isSelf, name }) => [name, grant, isSelf]).toSorted(), [
          ["a", 4, true],
          ["b", 4, false],
          ["c", 4, false]
        ])
        // A process that ends leaves its part to the others, once its sockets are closed.
        yield* others[1]!.end
        yield* all[2]!.end
        yield* eventually("the others have its part", haveUsed(all.slice(0, 2), [6, 6]), "10 seconds")
        assert.deepStrictEqual([...busy.failures, ...others.flatMap(({ failures }) => failures)], [])
        assert.isAtMost(fake.peak, 12)
      }).pipe(Effect.scoped, Effect.provide(redis)))

    it.effect("fails no lease while it is frozen, killed or has forgotten everything, and is not exceeded then", () =>
      Effect.gen(function*() {
        const server = yield* Redis
        const fake = FakeConnector.make()
        const name = unnamed()
        yield* known(name)
        const all = yield* Effect.forEach(["a", "b", "c"], (id) => process(fake, { name, total: 12, process: id }))
        const loads = yield* Effect.forEach(all, (each) => load(each, 8))
        const storeIs = (state: string) =>
          eventually(
            `the store is ${state}`,
            Effect.map(
              Effect.forEach(all, ({ budget }) => budget.stats),
              (stats) => stats.every(({ store }) => store === state)
            ),
            "10 seconds"
          )
        const allUsed = eventually(
          "all are used",
          Effect.map(Effect.forEach(all, usedBy), (used) => used.reduce((a, b) => a + b) === 12),
          "10 seconds"
        )
        yield* allUsed
        yield* Effect.andThen(server.stop, Effect.andThen(storeIs("away"), allUsed)).pipe(Effect.ensuring(server.cont))
        yield* storeIs("shared")
        yield* allUsed
        yield* server.kill9
        yield* storeIs("away")
        yield* allUsed
        yield* server.start
        yield* storeIs("shared")
        yield* allUsed
        assert.deepStrictEqual(loads.flatMap(({ failures }) => failures), [])
        assert.isAtMost(fake.peak, 12)
      }).pipe(Effect.scoped, Effect.provide([redis, Logger.layer([])])))
  })
})
