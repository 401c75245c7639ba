/**
 * Reads every pool at an interval: for the charts, the alerts and the changes of health. It asks nothing of a backend
 * and adds nothing to a lease.
 */
import type { PoolThresholds } from "@effect-pools/core/PoolThresholds"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Fleet, Sample, Status } from "../MonitoringApi.ts"
import type { AlertBoard } from "./alertBoard.ts"
import type { AlertChange } from "./alertChange.ts"
import type { Evidence } from "./alertRules.ts"
import { fleetOf, type Reading, readingOf } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"
import type { Members } from "./members.ts"
import { Past } from "./past.ts"
import {
  acquireRate,
  failureRate,
  type Mark,
  markOf,
  meanWait,
  operationFailureRate,
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
  readonly marks: Array<Mark>
  readonly samples: Array<Sample>
  readonly past: Past
  status: Status
}

/** How many marks the waits of a sample are taken over: one alone may have seen no lease. */
const waitMarks = 5
/** After so many pools the others in the program get their turn. */
const batch = 50

export class Sampler {
  private readonly subjects = new Map<ManagedPool, Subject>()
  private readonly members: Members
  private readonly board: AlertBoard
  private readonly historySize: number
  private readonly windowSize: number
  private readonly coarse: number
  private readonly pastSize: number
  /** The thresholds of pools that have none of their own. */
  private readonly thresholds: PoolThresholds

  private constructor(members: Members, board: AlertBoard, settings: Settings) {
    this.thresholds = settings.thresholds
    this.members = members
    this.board = board
    this.historySize = settings.history
    this.coarse = settings.coarse
    this.pastSize = settings.past
    this.windowSize = Math.max(settings.window, waitMarks)
  }

  static make(members: Members, board: AlertBoard, settings: Settings): Effect.Effect<Sampler> {
    const sampler = new Sampler(members, board, settings)
    return Effect.as(Effect.forEach(members.all, (pool) => sampler.subjectOf(pool), { discard: true }), sampler)
  }

  private subjectOf(pool: ManagedPool): Effect.Effect<Subject> {
    const known = this.subjects.get(pool)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.gen({ self: this }, function*() {
      const { health, stats } = yield* readingOf(pool)
      const subject: Subject = {
        pool,
        marks: [markOf(yield* monotonic, stats)],
        samples: [],
        past: new Past(this.coarse, this.pastSize),
        status: health.status
      }
      this.subjects.set(pool, subject)
      return subject
    })
  }

  /** Forgets who left, and takes back what was said of them. */
  private forget(now: number): ReadonlyArray<AlertChange> {
    const present = new Set(this.members.all)
    return Array.from(this.subjects.keys()).filter((pool) => !present.has(pool)).flatMap((pool) => {
      this.subjects.delete(pool)
      return this.board.forget(pool.name, now)
    })
  }

  /** The oldest first. */
  get history(): ReadonlyArray<{ readonly name: string; readonly samples: ReadonlyArray<Sample> }> {
    return this.readAll(({ samples }) => Array.from(samples))
  }

  /** With one reading of many for what is longer ago. */
  get longHistory(): Sampler["history"] {
    return this.readAll(({ past, samples }) => past.before(samples))
  }

  private readAll(
    of: (subject: Subject) => ReadonlyArray<Sample>
  ): Sampler["history"] {
    return Array.from(this.subjects.values(), (subject) => ({ name: subject.pool.name, samples: of(subject) }))
  }

  readonly round: Effect.Effect<Outcome> = Effect.gen({ self: this }, function*() {
    const at = yield* Clock.currentTimeMillis
    const now = yield* monotonic
    const readings: Array<Reading> = []
    const alerts: Array<AlertChange> = Array.from(this.forget(now))
    const changes: Array<HealthChange> = []
    const pools: Array<Round["pools"][number]> = []
    for (const [index, pool] of this.members.all.entries()) {
      if (index > 0 && index % batch === 0) yield* Effect.yieldNow
      const reading = yield* this.read(pool, at, now).pipe(
        // One that can't be read must not hide what was found of the others.
        Effect.catchCause((cause) => Effect.as(Effect.logError(`${pool.name} could not be read`, cause), undefined))
      )
      if (reading === undefined) continue
      const { subject } = reading
      readings.push(reading)
      alerts.push(...reading.alerts)
      pools.push({ name: pool.name, sample: reading.sample })
      const to = reading.health.status
      if (to !== subject.status) changes.push({ pool: pool.name, from: subject.status, to, at })
      subject.status = to
    }
    return { round: { at, fleet: fleetOf(readings), pools }, alerts, changes }
  })

  private readonly read = Effect.fnUntraced({ self: this }, function*(pool: ManagedPool, at: number, now: number) {
    const subject = yield* this.subjectOf(pool)
    const { marks, past, samples } = subject
    const { health, stats } = yield* readingOf(pool)
    const mark = markOf(now, stats)
    const sample = sampleOf(marks, mark, at, { health, stats })
    const oldest = marks[0] ?? mark
    const thresholds = pool.config.thresholds ?? this.thresholds
    const evidence = { thresholds, stats, health, recent: recentOf(oldest, mark) }
    push(marks, mark, this.windowSize + 1)
    push(samples, sample, this.historySize)
    past.add(sample)
    return { subject, stats, health, sample, alerts: this.board.evaluate(pool.name, evidence, now, at) }
  })
}

interface Settings {
  /** How many readings become one of those of long ago, and how many of these are kept. */
  readonly coarse: number
  readonly past: number
  readonly thresholds: PoolThresholds
  readonly history: number
  readonly window: number
}

/** In milliseconds, whatever is done to the wall clock: rates and alerts go by this. */
const monotonic: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const push = <A>(into: Array<A>, value: A, size: number): void => {
  into.push(value)
  if (into.length > size) into.shift()
}

const sampleOf = (
  marks: ReadonlyArray<Mark>,
  mark: Mark,
  at: number,
  { health: { diagnosis, status }, stats }: Reading
): Sample => {
  const before = marks.at(-1) ?? mark
  const earlier = marks.at(-waitMarks) ?? marks[0] ?? mark
  const [p50, p95, p99] = [50, 95, 99].map((percent) => waitPercentile(earlier, mark, percent))
  return {
    at,
    state: stats.state,
    status,
    breaker: stats.breaker,
    cause: diagnosis === undefined || diagnosis.until !== undefined ? null : diagnosis.cause,
    used: stats.used,
    idle: stats.idle,
    pending: stats.pending,
    opening: stats.opening,
    total: stats.total,
    limit: stats.limit,
    acquireRate: acquireRate(before, mark),
    failureRate: Math.max(failureRate(before, mark), operationFailureRate(before, mark)),
    wait: p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 }
  }
}

const recentOf = (oldest: Mark, mark: Mark): Evidence["recent"] => {
  const p95 = waitPercentile(oldest, mark, 95)
  return {
    span: mark.at - oldest.at,
    attempts: mark.attempts - oldest.attempts,
    failureRate: failureRate(oldest, mark),
    operations: mark.operations - oldest.operations,
    operationFailureRate: operationFailureRate(oldest, mark),
    waits: mark.waits - oldest.waits,
    wait: p95 ?? meanWait(oldest, mark),
    waitIs: p95 === undefined ? "mean" : "p95"
  }
}
