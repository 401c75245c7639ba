import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Histogram } from "../../src/internal/watch/histogram.ts"

const largest = 2 ** 33

// Spread over the decades: equal shares of microseconds, milliseconds, seconds and hours.
const durations = Arbitrary.array(
  Arbitrary.map(
    Arbitrary.schema(Schema.Finite.check(Schema.isBetween({ minimum: -3.5, maximum: 7 }))),
    (exponent) => 10 ** exponent
  ),
  { maxLength: 300 }
)

const zeros = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))

const recorded = (values: ReadonlyArray<number>) => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The least value that at least `percent` of all do not exceed. */
const exact = (sorted: ReadonlyArray<number>, percent: number): number =>
  sorted[Math.ceil(sorted.length * percent / 100) - 1] ?? 0

describe("histogram", () => {
  it.prop(
    "what was recorded after a copy is told from what was before",
    { before: durations, after: durations },
    (given) => {
      const histogram = recorded(given.before)
      const copy = histogram.copy()
      for (const value of given.after) histogram.record(value)
      const found = histogram.since(copy).timing()
      const alone = recorded(given.after).timing()
      assert.strictEqual(found.count, alone.count)
      assert.closeTo(found.mean, alone.mean, 1e-6 * (1 + histogram.sum))
      for (const p of ["p50", "p95", "p99", "max"] as const) {
        // Of the longest only the bucket is known.
        assert.isAtLeast(found[p], alone[p])
        assert.isAtMost(found[p], Math.max(alone[p] * 1.125, 0.001))
      }
      assert.deepStrictEqual(copy.timing(), recorded(given.before).timing())
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop("percentiles are at most 12.5 % above the exact ones and never below", { durations, zeros }, (given) => {
    const histogram = recorded(given.durations)
    const sorted = [...Array.from({ length: given.zeros }, () => 0), ...given.durations].toSorted((a, b) => a - b)
    const timing = histogram.timing(given.zeros)
    for (const [percent, found] of [[50, timing.p50], [95, timing.p95], [99, timing.p99]] as const) {
      const truth = exact(sorted, percent)
      // Below a microsecond all durations are one.
      assert.isAtLeast(found, truth)
      assert.isAtMost(found, truth === 0 ? 0 : Math.max(truth * 1.125, 0.001))
    }
  }, { arbitrary: { runs: 300 } })

  it.prop("count, mean, min and max are exact", { durations, zeros }, (given) => {
    const histogram = recorded(given.durations)
    const count = given.durations.length + given.zeros
    const sum = given.durations.reduce((total, value) => total + value, 0)
    const { count: found, max, mean } = histogram.timing(given.zeros)
    assert.strictEqual(found, count)
    assert.strictEqual(mean, count === 0 ? 0 : sum / count)
    assert.strictEqual(max, Math.max(0, ...given.durations))
    assert.strictEqual(histogram.min, given.durations.length === 0 ? 0 : Math.min(...given.durations))
  })

  it.prop("counts for boundaries that are edges are exact", { durations, zeros }, (given) => {
    const edges = [0.5, 1, 2.5, 5, 10, 20, 40, 1280, 40960]
    const values = [...given.durations, ...edges]
    assert.deepStrictEqual(
      recorded(values).cumulative(edges, given.zeros),
      edges.map((edge) => given.zeros + values.filter((value) => value <= edge).length)
    )
  })

  it("is all zeros while empty", () => {
    assert.deepStrictEqual(new Histogram().timing(), { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 })
    assert.deepStrictEqual(new Histogram().cumulative([1, 2]), [0, 0])
  })

  it("counts durations that were not recorded as 0", () => {
    const histogram = recorded([10])
    assert.deepStrictEqual(histogram.timing(99), { count: 100, mean: 0.1, p50: 0, p95: 0, p99: 0, max: 10 })
    assert.deepStrictEqual(histogram.timing(98), { count: 99, mean: 10 / 99, p50: 0, p95: 0, p99: 10, max: 10 })
  })

  it("takes NaN and negative durations for 0 and cuts endless ones", () => {
    const histogram = recorded([NaN, -1, -Infinity, 0, -0])
    assert.deepStrictEqual(histogram.timing(), { count: 5, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 })
    histogram.record(Infinity)
    assert.strictEqual(histogram.max, largest)
    assert.strictEqual(histogram.sum, largest)
    assert.strictEqual(histogram.timing().p99, largest)
  })

  it("puts an exact edge into the bucket that it ends", () => {
    assert.strictEqual(recorded([10, 10, 10]).timing().p50, 10)
    assert.deepStrictEqual(recorded([10]).cumulative([9, 10, 11.25]), [0, 1, 1])
    assert.deepStrictEqual(recorded([10.001]).cumulative([10, 11.25]), [0, 1])
  })
})
