/**
 * Puts the manager together: who is managed, the readings at an interval, the drain at the end.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  type Manager,
  type ManagerHealth,
  type ManagerOptions,
  type ManagerStats,
  type PoolKey,
  type PoolRef,
  UnknownPool
} from "../Manager.ts"
import { AlertBoard, type AlertChange } from "./alertBoard.ts"
import { drainAll, logDrain, type ManagerDrainReport } from "./drain.ts"
import { fleetOf, readingOf } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"
import { type CheckedOptions, checkOptions, owner } from "./managerOptions.ts"
import { refuse } from "./optionRules.ts"
import { type HealthChange, type Outcome, type Round, Sampler } from "./sampler.ts"

export const make = Effect.fnUntraced(function*(
  options: ManagerOptions<ReadonlyArray<PoolKey>>
): Effect.fn.Return<Manager, PoolError, unknown> {
  const checked = yield* checkOptions(options)
  const members = yield* membersOf(checked.pools)
  const groups = checked.drainOrder.map((group) => group.map(({ key }) => members.byKey(key)))
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(areClosed(members.all), (closed) => closed ? Effect.void : drainAndLog(groups, checked.drainTimeout))
  )
  const watch = yield* watchOver(members.all, checked)
  return {
    pools: members.all,
    ...readingsOf(members.all, checked),
    ...watch,
    get: members.get as Manager["get"],
    ...controlsOf(members, groups, checked.drainTimeout)
  }
})

interface Members {
  readonly all: ReadonlyArray<ManagedPool>
  readonly byKey: (key: string) => ManagedPool
  readonly get: (ref: PoolRef) => Effect.Effect<ManagedPool, UnknownPool>
  /** All of them unless some are named. */
  readonly select: (refs?: ReadonlyArray<PoolRef>) => Effect.Effect<ReadonlyArray<ManagedPool>, UnknownPool>
}

const membersOf = Effect.fnUntraced(function*(keys: ReadonlyArray<PoolKey>) {
  const byKey = new Map<string, ManagedPool>()
  const byName = new Map<string, ManagedPool>()
  for (const key of keys) {
    const pool = yield* key
    if (byKey.has(key.key)) return yield* refuse(owner, "pools", `names ${key.key} twice`)
    if (byName.has(pool.name)) {
      return yield* refuse(owner, "pools", `two pools are called ${JSON.stringify(pool.name)}: rename one of them`)
    }
    byKey.set(key.key, pool)
    byName.set(pool.name, pool)
  }
  const all = Array.from(byName.values())
  const get = (ref: PoolRef): Effect.Effect<ManagedPool, UnknownPool> => {
    const found = typeof ref === "string" ? byName.get(ref) : byKey.get(ref.key)
    if (found !== undefined) return Effect.succeed(found)
    const name = typeof ref === "string" ? ref : ref.key
    return Effect.fail(new UnknownPool({ pool: name, known: all.map(({ name }) => name) }))
  }
  const members: Members = {
    all,
    // Only asked for keys that were checked to be among `keys`.
    byKey: (key) => byKey.get(key)!,
    get,
    select: (refs) => refs === undefined ? Effect.succeed(all) : Effect.forEach(refs, get)
  }
  return members
})

const readingsOf = (
  pools: ReadonlyArray<ManagedPool>,
  options: CheckedOptions
): Pick<Manager, "stats" | "health" | "metrics" | "healthStream" | "events"> => {
  const stats = Effect.gen(function*(): Effect.fn.Return<ManagerStats> {
    const readings = yield* Effect.forEach(pools, readingOf)
    const at = yield* Clock.currentTimeMillis
    return { at, fleet: fleetOf(readings), pools: readings.map(({ stats }) => stats) }
  })
  const health = Effect.gen(function*(): Effect.fn.Return<ManagerHealth> {
    const readings = yield* Effect.forEach(pools, readingOf)
    const at = yield* Clock.currentTimeMillis
    const fleet = fleetOf(readings)
    return {
      at,
      status: fleet.status,
      score: fleet.score,
      fleet,
      warnings: readings.flatMap(({ health: { name, warnings } }) =>
        warnings.map((warning) => ({ pool: name, ...warning }))
      ),
      pools: readings.map(({ health }) => health)
    }
  })
  return {
    stats,
    health,
    metrics: Stream.fromEffectSchedule(stats, options.metricsSchedule),
    healthStream: Stream.fromEffectSchedule(health, options.healthSchedule),
    events: Stream.mergeAll(pools.map(({ events }) => events), { concurrency: "unbounded" })
  }
}

/** How many changes a reader may lag behind before it loses the oldest. */
const changesBuffer = 256

const watchOver = Effect.fnUntraced(function*(
  pools: ReadonlyArray<ManagedPool>,
  options: CheckedOptions
): Effect.fn.Return<
  Pick<Manager, "alerts" | "alertChanges" | "healthChanges" | "samples" | "history" | "sampleInterval">,
  never,
  Scope.Scope
> {
  const board = new AlertBoard(options.alertAfter, options.clearAfter)
  const sampler = yield* Sampler.make(pools, board, { history: options.history, window: options.alertWindow })
  const alerts = yield* PubSub.sliding<AlertChange>(changesBuffer)
  const changes = yield* PubSub.sliding<HealthChange>(changesBuffer)
  const rounds = yield* PubSub.sliding<Round>(4)
  const publish = (outcome: Outcome): Effect.Effect<void> =>
    Effect.gen(function*() {
      yield* PubSub.publishAll(alerts, outcome.alerts)
      yield* PubSub.publishAll(changes, outcome.changes)
      yield* PubSub.publish(rounds, outcome.round)
      yield* Effect.forEach(outcome.alerts, logAlert, { discard: true })
    })
  yield* sampler.round.pipe(
    Effect.flatMap(publish),
    // A reading that dies is told and does not end the watch.
    Effect.catchCause((cause) => Effect.logError("the pools could not be read", cause)),
    Effect.schedule(Schedule.spaced(options.sampleInterval)),
    Effect.forkScoped
  )
  return {
    alerts: Effect.sync(() => ({ current: board.current, cleared: Array.from(board.cleared) })),
    alertChanges: Stream.fromPubSub(alerts),
    healthChanges: Stream.fromPubSub(changes),
    samples: Stream.fromPubSub(rounds),
    history: Effect.sync(() => sampler.history),
    sampleInterval: options.sampleInterval
  }
})

const logAlert = ({ _tag, alert }: AlertChange): Effect.Effect<void> => {
  const text = `${alert.pool}: ${alert.message}`
  const log = _tag === "AlertCleared"
    ? Effect.logInfo(`over: ${text}`)
    : alert.level === "critical"
    ? Effect.logError(`${text}. ${alert.recommendation}`)
    : Effect.logWarning(`${text}. ${alert.recommendation}`)
  return Effect.annotateLogs(log, { pool: alert.pool, alert: alert.rule })
}

const controlsOf = (
  { select }: Members,
  groups: ReadonlyArray<ReadonlyArray<ManagedPool>>,
  drainTimeout: number
): Pick<Manager, "warmUp" | "pause" | "resume" | "drain"> => ({
  warmUp: (refs) =>
    Effect.flatMap(
      select(refs),
      (pools) =>
        Effect.forEach(pools, (pool) => Effect.map(pool.warmUp(), (open) => ({ pool: pool.name, open })), {
          concurrency: "unbounded"
        })
    ),
  pause: (refs) => Effect.flatMap(select(refs), Effect.forEach((pool) => pool.pause, { discard: true })),
  resume: (refs) => Effect.flatMap(select(refs), Effect.forEach((pool) => pool.resume, { discard: true })),
  drain: (refs) =>
    refs === undefined
      ? drainAndLog(groups, drainTimeout)
      : Effect.flatMap(select(refs), (pools) => drainAndLog([pools], drainTimeout))
})

const drainAndLog = (
  groups: ReadonlyArray<ReadonlyArray<ManagedPool>>,
  drainTimeout: number
): Effect.Effect<ManagerDrainReport> => Effect.tap(drainAll(groups, drainTimeout), logDrain)

/** Whether somebody has drained all of them already. */
const areClosed = (pools: ReadonlyArray<ManagedPool>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(pools, (pool) => pool.stats),
    (all) => all.every(({ state }) => state === "closed")
  )
