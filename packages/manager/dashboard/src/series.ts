/** The samples of the last minutes in columns, as charts want them. */
import type * as Api from "../../src/MonitoringApi.ts"

import { Happenings } from "./happenings.ts"

type Column = Array<number | null>

/** ms; more is kept where the server keeps more, up to an hour. */
const shortest = 5 * 60_000
const longest = 60 * 60_000

/**
 * Whether what was read at one time comes after what was read at another. Answers overtake one another by a moment; where
 * it seems to be more, the server's clock was set back.
 */
export const isOvertaken = (at: number, by: number): boolean => at < by && by - at < 10_000

export class Series {
  /** Seconds since the epoch. */
  readonly at: Array<number> = []
  readonly used: Column = []
  readonly idle: Column = []
  readonly pending: Column = []
  readonly limit: Column = []
  readonly acquireRate: Column = []
  readonly failureRate: Column = []
  readonly p50: Column = []
  readonly p95: Column = []
  readonly p99: Column = []
  readonly happenings = new Happenings()
  /** ms */
  span = shortest

  replace(samples: ReadonlyArray<Api.Sample>): void {
    this.#clear()
    const first = samples[0]?.at ?? 0
    this.span = Math.min(longest, Math.max(shortest, (samples.at(-1)?.at ?? first) - first))
    for (const sample of samples) this.push(sample)
  }

  push(sample: Api.Sample): void {
    const at = sample.at / 1000
    const last = this.at.at(-1) ?? 0
    if (at === last || isOvertaken(sample.at, last * 1000)) return
    if (at < last) this.#clear()
    this.at.push(at)
    this.used.push(sample.used)
    this.idle.push(sample.idle)
    this.pending.push(sample.pending)
    this.limit.push(sample.limit)
    this.acquireRate.push(sample.acquireRate)
    this.failureRate.push(sample.failureRate)
    this.p50.push(sample.wait?.p50 ?? null)
    this.p95.push(sample.wait?.p95 ?? null)
    this.p99.push(sample.wait?.p99 ?? null)
    this.happenings.add(sample)
    this.#forget(at - this.span / 1000)
  }

  #clear(): void {
    this.happenings.clear()
    for (const column of this.#columns) column.length = 0
  }

  /** Many at once: cutting the front of a column for each sample would cost more than the samples. */
  #forget(before: number): void {
    if ((this.at[32] ?? Infinity) >= before) return
    const first = this.at.findIndex((at) => at >= before)
    for (const column of this.#columns) column.splice(0, first - 1)
  }

  get #columns(): ReadonlyArray<Column> {
    const { acquireRate, at, failureRate, idle, limit, p50, p95, p99, pending, used } = this
    return [at, used, idle, pending, limit, acquireRate, failureRate, p50, p95, p99]
  }
}
