/**
 * Puts the manager together: who is managed, the readings at an interval, the drain at the end.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Manager, ManagerHealth, ManagerStats } from "../Manager.ts"
import type { ManagerOptions } from "./managerModel.ts"
import type { PoolKey } from "./poolKey.ts"
import { AfterDrain } from "./afterDrain.ts"
import { AlertBoard } from "./alertBoard.ts"
import type { AlertChange } from "./alertChange.ts"
import { drainAll, type Groups, logDrain, type ManagerDrainReport } from "./drain.ts"
import { fleetOf, readingOf } from "./fleet.ts"
import type { ManagedPool } from "./managedPool.ts"
import { type CheckedOptions, checkOptions } from "./managerOptions.ts"
import { Members } from "./members.ts"
import { type HealthChange, type Outcome, type Round, Sampler } from "./sampler.ts"

export const make = Effect.fnUntraced(function*(
  options: ManagerOptions<ReadonlyArray<PoolKey>>
): Effect.fn.Return<Manager, PoolError, unknown> {
  const checked = yield* checkOptions(options)
  const members = yield* Members.make(checked.pools)
  const groups = (): Groups => groupsOf(members, checked.drainOrder)
  const afterDrain = new AfterDrain(checked.drainTimeout)
  yield* Effect.addFinalizer(() =>
    Effect.gen(function*() {
      if (!(yield* areClosed(members.all))) yield* drainAndLog(groups(), checked.drainTimeout)
      yield* members.end
      yield* afterDrain.end
    })
  )
  const manager = {
    ...readingsOf(members, checked),
    ...yield* watchOver(members, checked),
    joins: members.joins,
    afterDrain: afterDrain.run,
    get: members.get as Manager["get"],
    register: registerIn(members, checked.drainTimeout) as Manager["register"],
    ...controlsOf(members, groups, checked.drainTimeout)
  }
  return Object.defineProperty(manager, "pools", { get: () => members.all, enumerable: true }) as Manager
})

/** Those that joined later go with the last group: whoever is drained before may still need them. */
const groupsOf = (members: Members, order: ReadonlyArray<ReadonlyArray<PoolKey>>): Groups => {
  const groups = order.map((group) => group.map((key) => members.ofKey(key)))
  const named = new Set(groups.flat())
  const later = members.all.filter((pool) => !named.has(pool))
  return [...groups.slice(0, -1), [...(groups.at(-1) ?? []), ...later]]
}

const registerIn = (members: Members, drainTimeout: number) =>
(
  given: PoolKey | ManagedPool
): Effect.Effect<void, PoolError, unknown> =>
  Effect.gen(function*() {
    const pool = Context.isKey(given) ? yield* (given as PoolKey) : given
    yield* Effect.acquireRelease(members.join(pool), () =>
      Effect.gen(function*() {
        if (!(yield* areClosed([pool]))) yield* drainAndLog([[pool]], drainTimeout)
        members.leave(pool)
      }))
  })

const readingsOf = (
  members: Members,
  options: CheckedOptions
): Pick<Manager, "stats" | "health" | "metrics" | "healthStream" | "events" | "eventsWith"> => {
  const stats = Effect.gen(function*(): Effect.fn.Return<ManagerStats> {
    const readings = yield* Effect.forEach(members.all, readingOf)
    const at = yield* Clock.currentTimeMillis
    return { at, fleet: fleetOf(readings), pools: readings.map(({ stats }) => stats) }
  })
  const health = Effect.gen(function*(): Effect.fn.Return<ManagerHealth> {
    const readings = yield* Effect.forEach(members.all, readingOf)
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
    events: members.streamOf(({ events }) => events),
    eventsWith: (options) => members.streamOf((pool) => pool.eventsWith(options))
  }
}

/** How many readings a reader may lag behind, each with all its changes, before it loses the oldest. */
const changesBuffer = 256

const watchOver = Effect.fnUntraced(function*(
  members: Members,
  options: CheckedOptions
): Effect.fn.Return<
  Pick<Manager, "alerts" | "alertChanges" | "healthChanges" | "samples" | "history" | "longHistory" | "sampleInterval">,
  never,
  Scope.Scope
> {
  const board = new AlertBoard(options.alertAfter, options.clearAfter)
  const sampler = yield* Sampler.make(members, board, {
    history: options.history,
    coarse: options.coarse,
    past: options.past,
    window: options.alertWindow,
    thresholds: options.thresholds
  })
  const alerts = yield* PubSub.sliding<ReadonlyArray<AlertChange>>(changesBuffer)
  const changes = yield* PubSub.sliding<ReadonlyArray<HealthChange>>(changesBuffer)
  const rounds = yield* PubSub.sliding<Round>(4)
  const publish = (outcome: Outcome): Effect.Effect<void> =>
    Effect.gen(function*() {
      if (outcome.alerts.length > 0) yield* PubSub.publish(alerts, outcome.alerts)
      if (outcome.changes.length > 0) yield* PubSub.publish(changes, outcome.changes)
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
    alertChanges: Stream.flattenIterable(Stream.fromPubSub(alerts)),
    healthChanges: Stream.flattenIterable(Stream.fromPubSub(changes)),
    samples: Stream.fromPubSub(rounds),
    history: Effect.sync(() => sampler.history),
    longHistory: Effect.sync(() => sampler.longHistory),
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
  groups: () => Groups,
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
      ? Effect.suspend(() => drainAndLog(groups(), drainTimeout))
      : Effect.flatMap(select(refs), (pools) => drainAndLog([pools], drainTimeout))
})

const drainAndLog = (
  groups: Groups,
  drainTimeout: number
): Effect.Effect<ManagerDrainReport> => Effect.tap(drainAll(groups, drainTimeout), logDrain)

/** Whether somebody has drained all of them already. */
const areClosed = (pools: ReadonlyArray<ManagedPool>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(pools, (pool) => pool.stats),
    (all) => all.every(({ state }) => state === "closed")
  )
