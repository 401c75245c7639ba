/**
 * A distribution of durations that costs a few nanoseconds a record and never grows.
 *
 * The buckets are log-linear: eight to each power of two, so that none is wider than 12.5 % of its lower edge. A
 * duration's bucket is read from the bits of the number itself: the exponent and the first three bits of the mantissa
 * count up through the buckets. The upper edge belongs to its bucket, as in Prometheus and OpenTelemetry, so counts for
 * a boundary that is an edge are exact.
 */
import type { Timing } from "../../PoolStats.ts"

/** Everything up to this, about a microsecond, shares the first bucket. */
const smallest = 2 ** -10
/** 99 days: longer durations are cut to this. */
const largest = 2 ** 33

const scratch = new Float64Array(1)
const words = new Uint32Array(scratch.buffer)
scratch[0] = 1
// The bits of 1 are all in the high word, which comes second on little-endian machines.
const high = words[1] === 0 ? 0 : 1
const low = 1 - high

/** The exponent and the first three bits of the mantissa of the greatest number below or at `value`'s bucket. */
const codeOf = (value: number): number => {
  scratch[0] = value
  // One unit in the last place less, so that an upper edge falls into the bucket that it ends.
  return (words[high]! - (words[low] === 0 ? 1 : 0)) >> 17
}

const firstCode = codeOf(smallest)
const size = codeOf(largest) - firstCode + 1

const upperEdge = (index: number): number => {
  const code = firstCode + index + 1
  return 2 ** ((code >> 3) - 1023) * (1 + (code & 7) / 8)
}

/** A fixed log-linear histogram of milliseconds. */
export class Histogram {
  /** How many durations were recorded. */
  count = 0
  /** The sum of all durations recorded. */
  sum = 0
  /** The longest duration recorded; 0 without any. */
  max = 0
  private shortest = Infinity
  // Not 32-bit integers: those overflow within the hour at a million leases a second.
  private readonly buckets = new Float64Array(size)

  /** Records a duration. One below 0, or none at all, counts as 0; one above 99 days as 99 days. */
  record(ms: number): void {
    // NaN is not greater than 0 either.
    const value = ms > 0 ? Math.min(ms, largest) : 0
    const index = codeOf(value) - firstCode
    this.buckets[index > 0 ? index : 0]! += 1
    this.count += 1
    this.sum += value
    if (value > this.max) this.max = value
    if (value < this.shortest) this.shortest = value
  }

  /** The shortest duration recorded; 0 without any. */
  get min(): number {
    return this.count === 0 ? 0 : this.shortest
  }

  /** The distribution, together with `zeros` durations of exactly 0 that were counted without being recorded. */
  timing(zeros = 0): Timing {
    const count = this.count + zeros
    if (count === 0) return { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }
    return {
      count,
      mean: this.sum / count,
      p50: this.percentile(50, zeros),
      p95: this.percentile(95, zeros),
      p99: this.percentile(99, zeros),
      max: this.max
    }
  }

  copy(): Histogram {
    return this.since(new Histogram())
  }

  /** The durations recorded after `before` was copied from this. Only the bucket of the longest is known. */
  since(before: Histogram): Histogram {
    const after = new Histogram()
    after.count = this.count - before.count
    after.sum = this.sum - before.sum
    for (let index = 0; index < size; index++) {
      const more = this.buckets[index]! - before.buckets[index]!
      after.buckets[index] = more
      if (more > 0) after.max = Math.min(upperEdge(index), this.max)
    }
    after.shortest = this.shortest
    return after
  }

  /**
   * How many durations did not exceed each of the boundaries, which must ascend. A boundary inside a bucket leaves out
   * that whole bucket.
   */
  cumulative(boundaries: ReadonlyArray<number>, zeros = 0): ReadonlyArray<number> {
    const counts: Array<number> = []
    let index = 0
    let seen = zeros
    for (const boundary of boundaries) {
      while (index < size && upperEdge(index) <= boundary) seen += this.buckets[index++]!
      counts.push(seen)
    }
    return counts
  }

  /** The least upper edge that at least `percent` of the durations do not exceed; never above the longest of them. */
  private percentile(percent: number, zeros: number): number {
    // Multiplied before divided: a share like 0.07 is not exact, and a rank must not be one too high for it.
    const rank = Math.ceil((this.count + zeros) * percent / 100)
    let seen = zeros
    if (rank <= seen) return 0
    for (let index = 0; index < size; index++) {
      seen += this.buckets[index]!
      if (rank <= seen) return Math.min(upperEdge(index), this.max)
    }
    return this.max
  }
}
