import { ConnectionPool, type Connector, type PoolEvent, PoolHealth, PoolMetrics } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Stream } from "effect"
import { TestClock } from "effect/testing"

interface Connection {
  readonly report: (operation: Partial<Connector.Operation>) => void
  readonly tell: (operation: Connector.Operation) => void
}

/** Its connections tell the pool whatever a test wants. */
const connector: Connector.Connector<Connection> = {
  connect: ({ onOperation }) =>
    Effect.succeed({
      report: (operation) => onOperation?.({ kind: "select", end: "success", took: 1, ...operation }),
      tell: (operation) => onOperation?.(operation)
    }),
  validate: () => Effect.void,
  reset: () => undefined
}

const onPool = <A, E>(
  f: (pool: ConnectionPool.ConnectionPool<Connection>) => Effect.Effect<A, E>,
  options: ConnectionPool.MakeOptions = {}
) => Effect.scoped(Effect.flatMap(ConnectionPool.makeTest(connector, { name: "app/Db", ...options }), f))

const report = (
  pool: ConnectionPool.ConnectionPool<Connection>,
  ...operations: ReadonlyArray<Partial<Connector.Operation>>
) => pool.withConnection(({ report }) => Effect.sync(() => operations.forEach(report)))

const times = (count: number, operation: Partial<Connector.Operation>) => Array.from({ length: count }, () => operation)

describe("operations", () => {
  it.effect("are counted by how they ended, and timed", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* report(pool, { took: 10 }, { took: 30 }, { end: "rejected" }, { end: "failed" }, { end: "interrupted" })
        const { avgQueryTime, counts, operations } = yield* pool.stats
        assert.deepStrictEqual(counts.operations, { success: 2, rejected: 1, failed: 1, interrupted: 1 })
        assert.strictEqual(operations.time.count, 5)
        assert.strictEqual(avgQueryTime, 43 / 5)
      })
    ))

  it.effect("that fail by the backend's doing are seen by the pool's health", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* report(pool, ...times(50, { end: "failed", took: 8 }))
        const health = yield* pool.health
        assert.strictEqual(health.status, "degraded")
        assert.strictEqual(health.errorRate, 1)
        assert.strictEqual(health.avgQueryTime, 8)
        assert.deepStrictEqual(health.warnings.map(({ about, value }) => [about, value]), [["operations", 1]])
        assert.match(
          health.warnings[0]!.message,
          /^100 % of 50 operations of the last \d+ s failed by the backend's doing, above 5 %$/
        )
      })
    ))

  it.effect("that fail by their callers' doing are no illness", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* report(pool, ...times(50, { end: "rejected" }), ...times(50, { end: "interrupted" }))
        const health = yield* pool.health
        assert.deepInclude(health, { status: "healthy", errorRate: 0, warnings: [] })
      })
    ))

  it.effect("that failed are forgotten after two minutes", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* report(pool, ...times(50, { end: "failed" }))
        yield* TestClock.adjust("2 minutes")
        yield* report(pool, { took: 3 })
        assert.deepInclude(yield* pool.health, { status: "healthy", errorRate: 0, avgQueryTime: 3 })
      })
    ))

  it.effect("are judged by the threshold of the error rate", () =>
    onPool(
      (pool) =>
        Effect.gen(function*() {
          yield* report(pool, ...times(2, { end: "failed" }), ...times(98, {}))
          assert.strictEqual((yield* pool.health).status, "degraded")
          assert.strictEqual(
            PoolHealth.assess(yield* pool.stats, { ...pool.config, thresholds: undefined }).status,
            "healthy"
          )
        }),
      { thresholds: { errorRate: 0.01 } }
    ))
})

describe("the events of operations", () => {
  const collect = (pool: ConnectionPool.ConnectionPool<Connection>, options?: ConnectionPool.EventOptions) =>
    Effect.gen(function*() {
      const seen: Array<PoolEvent.PoolEvent> = []
      yield* Effect.forkChild(
        Stream.runForEach(pool.eventsWith(options), (event) => Effect.sync(() => void seen.push(event))),
        { startImmediately: true }
      )
      return seen
    })

  it.effect("are made for who asks for them, with the text cut", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* pool.warmUp(1)
        const all = yield* collect(pool, { leases: false, operations: true })
        const others = yield* collect(pool)
        yield* report(pool, {
          kind: "insert",
          text: `INSERT ${"x".repeat(200)}`,
          status: "23505",
          end: "rejected",
          count: 2
        })
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(all as unknown, [{
          _tag: "Operated",
          pool: "app/Db",
          at: 0,
          connection: 1,
          kind: "insert",
          end: "rejected",
          took: 1,
          text: `INSERT ${"x".repeat(93)}`,
          status: "23505",
          count: 2
        }])
        assert.deepStrictEqual(others.map(({ _tag }) => _tag), ["Acquired", "Released"])
      })
    ))

  it.effect("cost nobody anything else: what is told of an operation is not read", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        let reads = 0
        const operation: Connector.Operation = {
          kind: "select",
          end: "success",
          took: 1,
          get text() {
            reads++
            return "x"
          }
        }
        yield* pool.withConnection(({ tell }) =>
          Effect.sync(() => {
            for (let n = 0; n < 10_000; n++) tell(operation)
          })
        )
        assert.isBelow(reads, 300)
      })
    ))
})

describe("the slowest operations", () => {
  it.effect("are kept by their texts, the slowest first", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        const texts = Array.from({ length: 30 }, (_, n) => ({ text: `SELECT ${n}`, took: n }))
        yield* report(pool, ...texts, { text: "SELECT 25", took: 100 }, { text: "SELECT 25", took: 50, end: "failed" })
        const { operations: { slowest } } = yield* pool.stats
        assert.strictEqual(slowest.length, 10)
        assert.deepStrictEqual(slowest.slice(0, 3).map(({ end, text, took }) => [text, took, end]), [
          ["SELECT 25", 100, "success"],
          ["SELECT 29", 29, "success"],
          ["SELECT 28", 28, "success"]
        ])
      })
    ))

  it.effect("find their place whatever came before, and are forgotten after ten minutes", () =>
    onPool((pool) =>
      Effect.gen(function*() {
        yield* report(pool, ...times(5000, { text: "SELECT 1", took: 1 }))
        yield* report(pool, { text: "SELECT pg_sleep", took: 900 })
        assert.strictEqual((yield* pool.stats).operations.slowest[0]?.text, "SELECT pg_sleep")
        yield* TestClock.adjust("11 minutes")
        assert.deepStrictEqual((yield* pool.stats).operations.slowest, [])
        yield* report(pool, { text: "SELECT 2", took: 2 })
        assert.deepStrictEqual((yield* pool.stats).operations.slowest.map(({ text }) => text), ["SELECT 2"])
      })
    ))
})

describe("the metrics of operations", () => {
  const series = Effect.map(
    Metric.snapshot,
    (all) => all.filter(({ id }) => id === "service_pool_query_duration_seconds")
  )

  it.effect("are a histogram for each kind, and of few kinds", () =>
    Effect.gen(function*() {
      yield* onPool(
        (pool) =>
          Effect.gen(function*() {
            yield* report(pool, { kind: "select", took: 5 }, { kind: "insert", took: 5 }, { kind: "select", took: 5 })
            const counts = (yield* series).map(({ attributes, state }) => [
              attributes?.["query_type"],
              (state as { readonly count: number }).count
            ])
            assert.deepStrictEqual(counts.toSorted(), [["insert", 1], ["select", 2]])
            yield* report(pool, ...Array.from({ length: 500 }, (_, n) => ({ kind: `kind ${n}` })))
            assert.strictEqual((yield* series).length, 32)
            const other = (yield* series).find(({ attributes }) => attributes?.["query_type"] === "other")
            assert.isAbove((other!.state as { readonly count: number }).count, 400)
          }),
        { metrics: true }
      )
      assert.strictEqual((yield* series).length, 0, "they are gone with the pool")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("tell the backend's failures from the callers' own", () =>
    onPool(
      (pool) =>
        Effect.gen(function*() {
          yield* report(pool, ...times(3, { end: "failed" }), ...times(2, { end: "rejected" }))
          const errors = (yield* Metric.snapshot).filter(({ id }) => id === "service_pool_errors_total")
          const of = (type: string) =>
            (errors.find(({ attributes }) => attributes?.["type"] === type)!.state as { readonly count: number }).count
          assert.deepStrictEqual([of("query"), of("caller")], [3, 2])
          assert.isAbove(PoolMetrics.boundaries.length, 0)
        }),
      { metrics: true }
    ).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("a connection that will be closed when it comes back", () => {
  it.effect("is draining", () =>
    onPool((pool) =>
      pool.withConnection(() =>
        Effect.gen(function*() {
          const state = Effect.map(pool.connections, (all) => all[0]?.state)
          assert.strictEqual(yield* state, "used")
          yield* pool.retireAll
          assert.strictEqual(yield* state, "draining")
        })
      )
    ))
})
