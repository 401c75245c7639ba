/**
 * The members of a balanced pool: each asks its upstreams' pools and puts their answers together.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Cause from "effect/Cause"
import * as Queue from "effect/Queue"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BalancedPool, Upstream as JoiningUpstream, UpstreamInfo } from "../model/balanced.ts"
import type { DrainReport, EventOptions } from "../model/connection.ts"
import type { ConnectionPool } from "../model/pool.ts"
import type { Level } from "../model/traffic.ts"
import { InvalidOption, PoolError, PoolMisuse } from "../../PoolError.ts"
import * as PoolMetrics from "../../PoolMetrics.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import type { MemberStats, PoolStats } from "../../PoolStats.ts"
import * as Stats from "../../PoolStats.ts"
import { sharedMethod } from "../service/shared.ts"
import { apportion } from "./apportion.ts"
import type { Balancer } from "./balancer.ts"
import * as health from "./health.ts"
import { lend, lendScoped } from "./lend.ts"
import * as merge from "./merge.ts"
import { checkUpstreams, show } from "./options.ts"
import type { Upstream } from "./upstream.ts"

export const make = <Lent>(balancer: Balancer): BalancedPool<Lent> => {
  const { name } = balancer.config
  const stats = Effect.map(
    onEach(balancer, (pool) => pool.stats),
    (all) => ({
      ...merge.stats(name, all),
      members: balancer.upstreams.map((each, at) => memberOf(balancer, each, all[at]!))
    })
  )
  const pool: BalancedPool<Lent> = {
    name,
    get config() {
      return balancer.config
    },
    withConnection: (f, options) => lend(balancer, f, options, options?.isShared === true),
    withShared: sharedMethod(() => pool),
    acquire: lendScoped(balancer, undefined),
    acquireWith: (options) => lendScoped(balancer, options),
    invalidate: (connection) => invalidate(balancer, connection),
    retire: (id) => retire(balancer, id),
    retireAll: Effect.asVoid(onEach(balancer, (pool) => pool.retireAll)),
    stats,
    connections: Effect.map(
      onEach(balancer, (pool) => pool.connections),
      (all) => merge.connections(all, balancer.upstreams)
    ),
    health: Effect.flatMap(
      balancer.look,
      (all) =>
        Effect.map(
          onEach(balancer, (pool) => pool.health),
          (each) => health.assess(balancer, merge.stats(name, all), each)
        )
    ),
    events: events(balancer, undefined),
    eventsWith: (options) => events(balancer, options),
    warmUp: (count) => warmUp(balancer, count),
    pause: pause(balancer),
    resume: resume(balancer),
    paused: paused(balancer),
    setLimit: (limit) => setLimit(balancer, limit),
    clear: (priority) =>
      Effect.map(
        onEach(balancer, (pool) => pool.clear(priority)),
        (failed) => failed.reduce((sum, count) => sum + count, 0)
      ),
    degradation: level(balancer),
    degradationChanges: Stream.flatMap(members(balancer), ({ pool }) => pool.degradationChanges, {
      concurrency: "unbounded"
    }).pipe(Stream.mapEffect(() => level(balancer)), Stream.changes),
    degrade: (level) => degrade(balancer, level),
    drain: drain(balancer),
    upstreams: Effect.map(
      balancer.look,
      (all) => balancer.upstreams.map((each, index) => infoOf(balancer, each, all[index]!))
    ),
    join: (upstream) => join(balancer, upstream),
    setWeight: (name, weight) => setWeight(balancer, name, weight)
  }
  return pool
}

/** Asks those that are upstreams at that moment. */
const onEach = <A, E>(
  balancer: Balancer,
  f: (pool: ConnectionPool<any>, index: number) => Effect.Effect<A, E>
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.suspend(() =>
    Effect.forEach(balancer.upstreams, ({ pool }, index) => f(pool, index), { concurrency: "unbounded" })
  )

const pause = (balancer: Balancer): Effect.Effect<void> => pauseEach(balancer, (pool) => pool.pause)

/** Callers stay where they wait, since there will be nowhere else to go. */
const pauseEach = <R>(
  balancer: Balancer,
  f: (pool: ConnectionPool<any>) => Effect.Effect<void, never, R>
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    balancer.isPausing = true
    return Effect.forEach(balancer.upstreams, ({ pool }) => f(pool), { discard: true }).pipe(
      Effect.andThen(balancer.look),
      Effect.ensuring(Effect.sync(() => {
        balancer.isPausing = false
      })),
      Effect.asVoid
    )
  })

// A look, so that callers need not wait for the next one.
const resume = (balancer: Balancer): Effect.Effect<void> =>
  Effect.asVoid(Effect.andThen(onEach(balancer, (pool) => pool.resume), balancer.look))

/** The look comes after the pauses have ended, since finalizers run in reverse. */
const paused = (balancer: Balancer): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(
    Effect.addFinalizer(() => balancer.look),
    pauseEach(balancer, (pool) => pool.paused)
  )

const events = (balancer: Balancer, options: EventOptions | undefined): Stream.Stream<PoolEvent> => {
  const ofUpstreams = Stream.flatMap(
    members(balancer),
    (upstream) => Stream.filter(upstream.pool.eventsWith(options), () => !upstream.isGone),
    { concurrency: "unbounded" }
  )
  return Stream.merge(balancer.events.stream(options), ofUpstreams)
}

/** The upstreams there are, and each that joins. */
const members = (balancer: Balancer): Stream.Stream<Upstream> =>
  Stream.unwrap(Effect.gen(function*() {
    const queue = yield* Queue.unbounded<Upstream, Cause.Done>()
    const tell = (upstream: Upstream | undefined): void => {
      if (upstream === undefined) Queue.endUnsafe(queue)
      else Queue.offerUnsafe(queue, upstream)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => balancer.tellMembers(tell)),
      () => Effect.sync(() => balancer.stopTelling(tell))
    )
    return Stream.fromQueue(queue)
  }))

const join = (balancer: Balancer, joining: JoiningUpstream<any>): Effect.Effect<void, PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    const { pool, weight = 1 } = joining
    const all = [...balancer.upstreams.map((upstream) => ({ pool: upstream.pool })), { pool, weight }]
    yield* checked(balancer, checkUpstreams(balancer.config.name, all))
    const upstream = yield* Effect.acquireRelease(
      Effect.sync(() => balancer.join(pool, weight)),
      (upstream) => Effect.sync(() => balancer.leave(upstream))
    )
    yield* publish(balancer, upstream)
    yield* balancer.look
  })

const setWeight = (balancer: Balancer, name: string, weight: number): Effect.Effect<void, PoolError> =>
  Effect.gen(function*() {
    const upstream = balancer.upstreams.find(({ pool }) => pool.name === name)
    if (upstream === undefined) return yield* invalid(balancer, "upstream", `there is none of the name ${show(name)}`)
    yield* checked(balancer, checkUpstreams(balancer.config.name, [{ pool: upstream.pool, weight }]))
    upstream.weight = weight
  })

const checked = <A>({ config }: Balancer, result: Result.Result<A, InvalidOption>): Effect.Effect<A, PoolError> =>
  Effect.mapError(Effect.fromResult(result), (reason) => new PoolError({ pool: config.name, reason }))

/** Puts the series of an upstream below the name of the whole, and publishes how often it was ejected, as long as it is one. */
export const publish = (
  { config: { kind, metrics, name } }: Balancer,
  { outlier, pool }: Upstream
): Effect.Effect<void, never, Scope.Scope> => {
  const ejections = {
    name: `${kind}_pool_ejections_total`,
    description: "Ejections of upstreams",
    attributes: { pool: name, upstream: pool.name }
  }
  return Effect.andThen(
    PoolMetrics.adopt(pool.config, name),
    metrics ? PoolMetrics.makeCounter(ejections, () => outlier.ejections) : Effect.void
  )
}

/** Rare enough to ask one after the other, so that a lease need not remember where it came from. */
const invalidate = (balancer: Balancer, connection: unknown): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (const { pool } of balancer.upstreams) {
      const exit = yield* Effect.exit(pool.invalidate(connection))
      if (Exit.isSuccess(exit)) return
      if (!(Cause.squash(exit.cause) instanceof PoolMisuse)) return yield* exit
    }
    const rule = "invalidate takes a connection of this pool during its lease"
    return yield* Effect.die(new PoolMisuse({ pool: balancer.config.name, rule }))
  })

const retire = ({ upstreams }: Balancer, id: number): Effect.Effect<boolean> => {
  const { id: own, slot } = merge.whose(id)
  return upstreams.find((upstream) => upstream.slot === slot)?.pool.retire(own) ?? Effect.succeed(false)
}

const warmUp = (balancer: Balancer, count: number | undefined): Effect.Effect<number, PoolError> =>
  Effect.gen(function*() {
    if (count !== undefined && (!Number.isInteger(count) || count < 0)) {
      return yield* invalid(balancer, "count", `must be an integer of at least 0, got ${count}`)
    }
    const limits = yield* onEach(balancer, (pool) => Effect.map(pool.stats, ({ limit }) => limit))
    const counts = count === undefined ? undefined : apportion(
      count,
      balancer.upstreams.map(({ weight }, index) => ({ weight, least: 0, most: limits[index]! }))
    )
    const exits = yield* onEach(balancer, (pool, index) => Effect.exit(pool.warmUp(counts?.[index])))
    const open = exits.filter(Exit.isSuccess).map(({ value }) => value)
    return open.length > 0 ? open.reduce((a, b) => a + b, 0) : yield* exits.at(-1)!
  })

const setLimit = (balancer: Balancer, limit: number): Effect.Effect<void, PoolError> =>
  Effect.gen(function*() {
    const { config: { maxConnections }, upstreams } = balancer
    if (!Number.isInteger(limit) || limit < upstreams.length || limit > maxConnections) {
      const rule = `must be an integer from ${upstreams.length} (one for each upstream) to maxConnections ` +
        `(${maxConnections}), got ${limit}`
      return yield* invalid(balancer, "limit", rule)
    }
    const limits = apportion(
      limit,
      upstreams.map(({ pool, weight }) => ({ weight, least: 1, most: pool.config.maxConnections }))
    )
    const exits = yield* onEach(balancer, (pool, index) => Effect.exit(pool.setLimit(limits[index]!)))
    if (!exits.some(Exit.isSuccess)) return yield* exits.at(-1)!
  })

/** The level of the upstream that is worst off. */
const level = (balancer: Balancer): Effect.Effect<Level> =>
  Effect.map(onEach(balancer, (pool) => pool.degradation), (all) => Math.max(0, ...all) as Level)

const degrade = (balancer: Balancer, level: Level | "auto"): Effect.Effect<void, PoolError> =>
  Effect.asVoid(onEach(balancer, (pool) => pool.degrade(level)))

const invalid = ({ config }: Balancer, option: string, rule: string): Effect.Effect<never, PoolError> =>
  Effect.fail(new PoolError({ pool: config.name, reason: new InvalidOption({ option, rule }) }))

const drain = (balancer: Balancer): Effect.Effect<DrainReport> => {
  const drained = Effect.suspend(() => {
    const { upstreams } = balancer
    return Effect.map(onEach(balancer, (pool) => pool.drain), (all) => {
      balancer.end()
      return merge.drains(all, upstreams)
    })
  })
  // In a fiber of its own it goes on to its end, whoever is interrupted.
  return Effect.flatMap(Effect.forkDetach(drained, { startImmediately: true }), Fiber.join)
}

const memberOf = (balancer: Balancer, upstream: Upstream, stats: PoolStats): MemberStats => {
  const { state } = infoOf(balancer, upstream, stats)
  return Stats.memberOf(stats, { role: undefined, state, lag: undefined })
}

const infoOf = (balancer: Balancer, upstream: Upstream, stats: PoolStats): UpstreamInfo => {
  const { isAvailable, isFailing, isShut, isStalled, outlier, weight } = upstream
  const now = balancer.time.now()
  const share = upstream.share(balancer.settings.slowStart, now)
  const isChosen = isAvailable || (balancer.isPanicking && !isShut && !isFailing)
  return {
    name: upstream.pool.name,
    weight,
    effectiveWeight: isChosen ? weight * share : 0,
    state: isShut || isFailing || isStalled
      ? "unavailable"
      : outlier.isEjected
      ? "ejected"
      : share < 1
      ? "warming"
      : "in",
    inFlight: upstream.inFlight,
    ejections: outlier.ejections,
    ejectedBecause: outlier.isEjected ? outlier.because : undefined,
    ejectedFor: outlier.isEjected ? now - outlier.ejectedAt : 0,
    returnsIn: outlier.isEjected ? outlier.returnsAt - now : 0,
    stats
  }
}
