import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { type PostgresConfig } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Db, timed, withDb } from "./support.ts"

const options: PostgresConfig.PostgresOptions = { minConnections: 4, maxConnections: 4 }

const heavy = Db.query`SELECT pg_sleep(0.4)`

/** The longest that a short statement takes while heavy ones are asked for all the time, in milliseconds. */
const slowest = Effect.gen(function*() {
  // What it costs is learned before.
  yield* Effect.all([heavy, heavy, heavy], { concurrency: 3 })
  const busy = yield* Effect.forkChild(Effect.all(Array.from({ length: 8 }, () => heavy), { concurrency: "unbounded" }))
  yield* Effect.sleep(20)
  const took: Array<number> = []
  for (let n = 0; n < 60; n++) {
    const [millis] = yield* timed(Db.query`SELECT ${n}::int AS n`)
    took.push(millis)
    yield* Effect.sleep(2)
  }
  yield* Fiber.join(busy)
  return Math.max(...took)
})

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("the cost of statements", (it) => {
  it.effect("short statements don't wait for heavy ones, which have a lane", () =>
    Effect.gen(function*() {
      assert.isBelow(yield* withDb({ ...options, heavy: { above: "200 millis" } }, slowest), 200)
      // Without it they do.
      assert.isAbove(yield* withDb(options, slowest), 200)
    }))

  it.effect("nobody needs to have seen a heavy one end: those that run for long tell, and count in the lane", () =>
    withDb(
      { ...options, maxConnections: 8, minConnections: 8, heavy: { above: "150 millis" } },
      Effect.gen(function*() {
        // Prepared, and seen by the planner.
        yield* Effect.repeat(Db.query`SELECT ${0}::int AS n`, { times: 3 })
        const long = Db.query`SELECT pg_sleep(1)`
        const began: Array<Fiber.Fiber<unknown, unknown>> = []
        const begin = Effect.gen(function*() {
          began.push(yield* Effect.forkChild(long, { startImmediately: true }))
        })
        for (let n = 0; n < 4; n++) yield* begin
        // Through a PgBouncer they begin late: it logs in on the server first.
        const known = yield* Effect.repeat(Effect.delay(Db.cost`SELECT pg_sleep(1)`, 10), {
          until: ({ isHeavy }) => isHeavy
        })
        // Nobody has ended yet. Without that knowledge these would take the connections that are left.
        assert.strictEqual(known.runs, 0)
        for (let n = 0; n < 8; n++) yield* begin
        const took: Array<number> = []
        for (let n = 0; n < 100; n++) {
          const [millis] = yield* timed(Db.query`SELECT ${n}::int AS n`)
          took.push(millis)
          yield* Effect.sleep(5)
        }
        yield* Fiber.interruptAll(began)
        assert.isBelow(Math.max(...took), 400)
      })
    ))

  it.effect("a statement that is always left before its end is heavy all the same", () =>
    withDb(
      { ...options, heavy: { above: "50 millis" } },
      Effect.gen(function*() {
        const left = Db.query((sql) => sql`SELECT pg_sleep(1)`, { timeout: "120 millis" })
        for (let n = 0; n < 3; n++) yield* Effect.flip(left)
        assert.isTrue((yield* Db.cost`SELECT pg_sleep(1)`).isHeavy)
      })
    ))

  it.effect("is what was observed, and before that what the planner thinks, who runs nothing", () =>
    withDb(
      { ...options, heavy: { above: "200 millis", plannedAbove: 1_000_000 } },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE IF NOT EXISTS costly AS SELECT generate_series(1, 1000) AS n`
        const planned = yield* Db.cost`DELETE FROM costly WHERE n > ${5}`
        assert.deepInclude(planned, { source: "planned", runs: 0, p95: undefined, isHeavy: false })
        assert.isAbove(planned.planned ?? 0, 0)
        assert.deepStrictEqual(yield* Db.query`SELECT count(*)::int AS n FROM costly`, [{ n: 1000 }])
        const product = yield* Db.cost((sql) =>
          sql`SELECT count(*) FROM costly a, costly b, costly c WHERE a.n = b.n + c.n`
        )
        assert.isTrue(product.isHeavy)
        assert.deepInclude(yield* Db.cost`CREATE TABLE other (n int)`, { source: "unknown", isHeavy: false })
        const one = Db.query`SELECT 1 AS one`
        yield* Effect.repeat(one, { times: 25 })
        const observed = yield* Db.cost`SELECT 1 AS one`
        assert.deepInclude(observed, { source: "observed", runs: 26, isHeavy: false })
        assert.isAbove(observed.p95 ?? 0, 0)
      })
    ))

  it.effect("without the option it is the planner's alone", () =>
    withDb(
      options,
      Effect.gen(function*() {
        yield* Effect.repeat(Db.query`SELECT 2 AS two`, { times: 25 })
        assert.deepInclude(yield* Db.cost`SELECT 2 AS two`, { source: "planned", runs: 0 })
      })
    ))

  it.effect("a heavy statement that gets no turn in the lane until acquireTimeout is told so", () =>
    withDb(
      { ...options, acquireTimeout: "300 millis", slowAcquireTimeout: "200 millis", heavy: { above: "200 millis" } },
      Effect.gen(function*() {
        yield* Effect.all([heavy, heavy, heavy], { concurrency: 3 })
        const all = yield* Effect.all(
          Array.from({ length: 3 }, () => Effect.result(heavy)),
          { concurrency: 3 }
        )
        const refused = all.filter((result) => result._tag === "Failure").map((result) => String(result.failure))
        assert.strictEqual(refused.length, 2)
        for (const error of refused) assert.include(error, "acquireTimeout")
      })
    ))
})
