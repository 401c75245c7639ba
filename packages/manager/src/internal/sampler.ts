/**
 * Reads every pool at an interval: for the charts, the alerts and the changes of health. It asks nothing of a backend
 * and adds nothing to a lease.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Fleet, Sample, Status } from "../MonitoringApi.ts"
import type { AlertBoard, AlertChange } from "./alertBoard.ts"
import { fleetOf, type Reading, readingOf } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"
import {
  acquireRate,
  failureRate,
  type Mark,
  markOf,
  meanWait,
  type WaitBuckets,
  waitBucketsIn,
  waitPercentile
} from "./window.ts"

/** A pool whose health is not what it was. */
export interface HealthChange {
  readonly pool: string
  readonly from: Status
  readonly to: Status
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** One round over all pools. */
export interface Round {
  readonly at: number
  readonly fleet: Fleet
  readonly pools: ReadonlyArray<{ readonly name: string; readonly sample: Sample }>
}

export interface Outcome {
  readonly round: Round
  readonly alerts: ReadonlyArray<AlertChange>
  readonly changes: ReadonlyArray<HealthChange>
}

interface Subject {
  readonly pool: ManagedPool
  readonly buckets: () => WaitBuckets | undefined
  readonly marks: Array<Mark>
  readonly samples: Array<Sample>
  status: Status
}

/** How many marks the waits of a sample are taken over: one alone may have seen no lease. */
const waitMarks = 5
/** After so many pools the others in the program get their turn. */
const batch = 50

export class Sampler {
  private readonly subjects: ReadonlyArray<Subject>
  private readonly board: AlertBoard
  private readonly historySize: number
  private readonly windowSize: number

  private constructor(
    subjects: ReadonlyArray<Subject>,
    board: AlertBoard,
    sizes: { readonly history: number; readonly window: number }
  ) {
    this.subjects = subjects
    this.board = board
    this.historySize = sizes.history
    this.windowSize = Math.max(sizes.window, waitMarks)
  }

  static make(
    pools: ReadonlyArray<ManagedPool>,
    board: AlertBoard,
    sizes: { readonly history: number; readonly window: number }
  ): Effect.Effect<Sampler> {
    return Effect.gen(function*() {
      const bucketsOf = waitBucketsIn(yield* Effect.context<never>())
      const now = yield* Clock.currentTimeMillis
      const subjects = yield* Effect.forEach(
        pools,
        (pool) =>
          Effect.map(readingOf(pool), ({ health, stats }): Subject => {
            const buckets = bucketsOf(pool)
            return {
              pool,
              buckets,
              marks: [markOf(now, stats, buckets())],
              samples: [],
              status: health.status
            }
          })
      )
      return new Sampler(subjects, board, sizes)
    })
  }

  /** The oldest first. */
  get history(): ReadonlyArray<{ readonly name: string; readonly samples: ReadonlyArray<Sample> }> {
    return this.subjects.map(({ pool, samples }) => ({ name: pool.name, samples: Array.from(samples) }))
  }

  readonly round: Effect.Effect<Outcome> = Effect.gen({ self: this }, function*() {
    const at = yield* Clock.currentTimeMillis
    const readings: Array<Reading> = []
    const alerts: Array<AlertChange> = []
    const changes: Array<HealthChange> = []
    const pools: Array<Round["pools"][number]> = []
    for (const [index, subject] of this.subjects.entries()) {
      if (index > 0 && index % batch === 0) yield* Effect.yieldNow
      const reading = yield* this.read(subject, at).pipe(
        // One that can't be read must not hide what was found of the others.
        Effect.catchCause((cause) =>
          Effect.as(Effect.logError(`${subject.pool.name} could not be read`, cause), undefined)
        )
      )
      if (reading === undefined) continue
      readings.push(reading)
      alerts.push(...reading.alerts)
      pools.push({ name: subject.pool.name, sample: reading.sample })
      const to = reading.health.status
      if (to !== subject.status) changes.push({ pool: subject.pool.name, from: subject.status, to, at })
      subject.status = to
    }
    return { round: { at, fleet: fleetOf(readings), pools }, alerts, changes }
  })

  private readonly read = Effect.fnUntraced({ self: this }, function*(subject: Subject, at: number) {
    const { buckets, marks, pool, samples } = subject
    const { health, stats } = yield* readingOf(pool)
    const mark = markOf(at, stats, buckets())
    const sample = sampleOf(marks, mark, stats, health.status)
    const oldest = marks[0] ?? mark
    const evidence = { stats, health, recent: recentOf(oldest, mark) }
    push(marks, mark, this.windowSize + 1)
    push(samples, sample, this.historySize)
    return { stats, health, sample, alerts: this.board.evaluate(pool.name, evidence, at) }
  })
}

const push = <A>(into: Array<A>, value: A, size: number): void => {
  into.push(value)
  if (into.length > size) into.shift()
}

const sampleOf = (marks: ReadonlyArray<Mark>, mark: Mark, stats: Reading["stats"], status: Status): Sample => {
  const before = marks.at(-1) ?? mark
  const earlier = marks.at(-waitMarks) ?? marks[0] ?? mark
  const [p50, p95, p99] = [50, 95, 99].map((percent) => waitPercentile(earlier, mark, percent))
  return {
    at: mark.at,
    state: stats.state,
    status,
    breaker: stats.breaker,
    used: stats.used,
    idle: stats.idle,
    pending: stats.pending,
    opening: stats.opening,
    total: stats.total,
    limit: stats.limit,
    acquireRate: acquireRate(before, mark),
    failureRate: failureRate(before, mark),
    wait: p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 }
  }
}

const recentOf = (oldest: Mark, mark: Mark) => ({
  attempts: mark.attempts - oldest.attempts,
  failureRate: failureRate(oldest, mark),
  waits: mark.waits - oldest.waits,
  wait: waitPercentile(oldest, mark, 95) ?? meanWait(oldest, mark)
})
