/**
 * The members of a balanced pool: each asks its upstreams' pools and puts their answers together.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Cause from "effect/Cause"
import * as Stream from "effect/Stream"
import type { BalancedPool, UpstreamInfo } from "../../BalancedPool.ts"
import type { ConnectionPool, DrainReport, EventOptions } from "../../ConnectionPool.ts"
import { InvalidOption, PoolError, PoolMisuse } from "../../PoolError.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import type { PoolStats } from "../../PoolStats.ts"
import { apportion } from "./apportion.ts"
import type { Balancer } from "./balancer.ts"
import * as health from "./health.ts"
import { lend, lendScoped } from "./lend.ts"
import * as merge from "./merge.ts"
import type { Upstream } from "./upstream.ts"

export const make = <Lent>(balancer: Balancer): BalancedPool<Lent> => {
  const { config } = balancer
  const stats = Effect.map(
    onEach(balancer, (pool) => pool.stats),
    (all) => merge.stats(config.name, all)
  )
  return {
    name: config.name,
    config,
    withConnection: (f, options) => lend(balancer, f, options, false),
    withShared: (f, options) => lend(balancer, f, options, true),
    acquire: lendScoped(balancer, undefined),
    acquireWith: (options) => lendScoped(balancer, options),
    invalidate: (connection) => invalidate(balancer, connection),
    retire: (id) => retire(balancer, id),
    retireAll: Effect.asVoid(onEach(balancer, (pool) => pool.retireAll)),
    stats,
    connections: Effect.map(
      onEach(balancer, (pool) => pool.connections),
      (all) => merge.connections(all, balancer.upstreams.map(({ pool }) => pool.name))
    ),
    health: Effect.map(
      balancer.look,
      (all) => health.assess(balancer, merge.stats(config.name, all), all)
    ),
    events: events(balancer, undefined),
    eventsWith: (options) => events(balancer, options),
    warmUp: (count) => warmUp(balancer, count),
    pause: Effect.asVoid(onEach(balancer, (pool) => pool.pause)),
    // A look, so that callers need not wait for the next one.
    resume: Effect.asVoid(Effect.andThen(onEach(balancer, (pool) => pool.resume), balancer.look)),
    setLimit: (limit) => setLimit(balancer, limit),
    drain: drain(balancer),
    upstreams: Effect.map(
      balancer.look,
      (all) => balancer.upstreams.map((each, index) => infoOf(balancer, each, all[index]!))
    )
  }
}

const onEach = <A, E>(
  { upstreams }: Balancer,
  f: (pool: ConnectionPool<any>, index: number) => Effect.Effect<A, E>
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.forEach(upstreams, ({ index, pool }) => f(pool, index), { concurrency: "unbounded" })

const events = ({ events, upstreams }: Balancer, options: EventOptions | undefined): Stream.Stream<PoolEvent> =>
  Stream.mergeAll([events.stream(options), ...upstreams.map(({ pool }) => pool.eventsWith(options))], {
    concurrency: "unbounded"
  })

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
  const { id: own, index } = merge.whose(id, upstreams.length)
  return upstreams[index]?.pool.retire(own) ?? Effect.succeed(false)
}

const warmUp = (balancer: Balancer, count: number | undefined): Effect.Effect<number, PoolError> =>
  Effect.gen(function*() {
    if (count !== undefined && (!Number.isInteger(count) || count < 0)) {
      return yield* invalid(balancer, "count", `must be an integer of at least 0, got ${count}`)
    }
    const limits = yield* onEach(balancer, (pool) => Effect.map(pool.stats, ({ limit }) => limit))
    const counts = count === undefined ? undefined : apportion(
      count,
      balancer.upstreams.map(({ index, weight }) => ({ weight, least: 0, most: limits[index]! }))
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

const invalid = ({ config }: Balancer, option: string, rule: string): Effect.Effect<never, PoolError> =>
  Effect.fail(new PoolError({ pool: config.name, reason: new InvalidOption({ option, rule }) }))

const drain = (balancer: Balancer): Effect.Effect<DrainReport> => {
  const drained = Effect.map(onEach(balancer, (pool) => pool.drain), (all) => {
    balancer.events.end()
    return merge.drains(all)
  })
  // In a fiber of its own it goes on to its end, whoever is interrupted.
  return Effect.flatMap(Effect.forkDetach(drained, { startImmediately: true }), Fiber.join)
}

const infoOf = (balancer: Balancer, upstream: Upstream, stats: PoolStats): UpstreamInfo => {
  const { isAvailable, isFailing, isShut, outlier, weight } = upstream
  const now = balancer.time.now()
  const share = upstream.share(balancer.settings.slowStart, now)
  const isChosen = isAvailable || (balancer.isPanicking && !isShut && !isFailing)
  return {
    name: upstream.pool.name,
    weight,
    effectiveWeight: isChosen ? weight * share : 0,
    state: isShut || isFailing ? "unavailable" : outlier.isEjected ? "ejected" : share < 1 ? "warming" : "in",
    inFlight: upstream.inFlight,
    ejections: outlier.ejections,
    ejectedBecause: outlier.isEjected ? outlier.because : undefined,
    ejectedFor: outlier.isEjected ? now - outlier.ejectedAt : 0,
    returnsIn: outlier.isEjected ? outlier.returnsAt - now : 0,
    stats
  }
}
