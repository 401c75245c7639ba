import { ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { acquireRate, failureRate, type Mark, markOf, meanWait, waitPercentile } from "../src/internal/window.ts"

const mark = (given: Partial<Mark>): Mark => ({
  at: 0,
  acquired: 0,
  atOnce: 0,
  failures: 0,
  attempts: 0,
  operations: 0,
  failedOperations: 0,
  waits: 0,
  waited: 0,
  longest: 1_000_000,
  buckets: undefined,
  ...given
})

const buckets = (count: number, ...cumulative: ReadonlyArray<number>): Mark["buckets"] => ({
  count,
  buckets: cumulative.map((upTo, index): [number, number] => [[0.01, 0.1, 1][index]!, upTo])
})

describe("between two marks", () => {
  it("only what happened between them counts", () => {
    const from = mark({ at: 1000, acquired: 100, failures: 50, attempts: 150, waits: 100, waited: 100_000 })
    const to = mark({ at: 3000, acquired: 120, failures: 51, attempts: 170, waits: 110, waited: 100_050 })
    assert.deepStrictEqual([acquireRate(from, to), failureRate(from, to), meanWait(from, to)], [10, 0.05, 5])
    assert.deepStrictEqual([acquireRate(to, to), failureRate(to, to), meanWait(to, to)], [0, 0, 0])
  })

  it("percentiles of waits are read from the buckets, and who did not wait counts as 0", () => {
    const from = mark({ buckets: buckets(1000, 0, 0, 1000) })
    const to = mark({ atOnce: 50, buckets: buckets(1100, 50, 90, 1100) })
    const at = (percent: number) => waitPercentile(from, to, percent)
    assert.deepStrictEqual([at(50), Math.round(at(70)!), at(90)], [0, 55, 100])
    assert.strictEqual(at(95), 550)
    assert.strictEqual(waitPercentile(from, { ...to, longest: 200 }, 99), 200)
  })

  it("counts that fell, as a balanced pool's do when an upstream leaves, give no rate below nothing", () => {
    const many = mark({
      at: 0,
      acquired: 1000,
      atOnce: 1000,
      failures: 100,
      attempts: 1100,
      waits: 1000,
      waited: 9000,
      buckets: buckets(1000, 900, 950, 1000)
    })
    const fewer = mark({ at: 1000, acquired: 10, atOnce: 5, failures: 90, attempts: 1200, waits: 10, waited: 10 })
    assert.deepStrictEqual([acquireRate(many, fewer), failureRate(many, fewer), meanWait(many, fewer)], [0, 0, 0])
    assert.isUndefined(waitPercentile(many, { ...fewer, buckets: buckets(10, 5, 8, 10) }, 95))
    // More in all, though fewer in some buckets.
    const mixed = waitPercentile(many, { ...fewer, atOnce: 5, buckets: buckets(1100, 5, 100, 1100) }, 50)
    assert.isAtLeast(mixed ?? -1, 0)
    assert.isAtMost(mixed ?? Infinity, 1_000_000)
  })

  it("above the last boundary the longest wait is told", () => {
    assert.strictEqual(
      waitPercentile(mark({ buckets: buckets(0, 0, 0, 0) }), mark({ buckets: buckets(4, 0, 0, 1), longest: 7000 }), 99),
      7000
    )
  })

  it("nothing is told where nobody asked, or the pool does not tell", () => {
    assert.isUndefined(
      waitPercentile(mark({ buckets: buckets(5, 1, 2, 5) }), mark({ buckets: buckets(5, 1, 2, 5) }), 50)
    )
    assert.isUndefined(waitPercentile(mark({}), mark({}), 50))
  })
})

describe("the mark of a pool", () => {
  it.effect("knows its waits, whether or not it publishes metrics", () =>
    Effect.gen(function*() {
      const options = { kind: { name: "db" }, minConnections: 0, maxConnections: 1, metrics: false } as const
      const pool = yield* ConnectionPool.make(FakeConnector.make().connector, { ...options, name: "mine" })
      yield* pool.withConnection(() => Effect.void)
      yield* pool.withConnection(() => Effect.void)
      const { buckets } = markOf(0, yield* pool.stats)
      assert.deepStrictEqual([buckets?.count, buckets?.buckets.at(-1)], [2, [40.96, 2]])
    }).pipe(Effect.scoped))
})
