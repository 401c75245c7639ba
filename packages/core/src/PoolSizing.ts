/**
 * How many connections a program should have: by what is known before it runs (`recommend`), and by what a running pool
 * has measured (`advise`).
 *
 * Four numbers bound a pool. *Demand*: by Little's law `rate * time` connections are busy in the mean, and the pool
 * needs more than that, or its queue never empties. *Cores*: a database does its best with about two connections to a
 * core and one to a disk, and gets slower beyond. *Memory* and *the server's own limit*: beyond those it refuses or
 * fails. Demand says what is wanted, the other three say what can be had; the recommendation is the least of them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { PoolStats, SizeTried } from "./PoolStats.ts"

/**
 * The facts that a recommendation is made from. Cores, memory and the limit are those of the server of the connections,
 * not of the machine that the program runs on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Load {
  /** Processor cores of the server. */
  readonly cores: number
  /** Memory of the server that connections may take, in megabytes. */
  readonly memory: number
  /** The server's own limit, such as `max_connections` of PostgreSQL, shared by all its clients. */
  readonly serverMaxConnections: number
  /** How many pools share the server, those that run side by side during a deployment included. Default 1. */
  readonly instances?: number | undefined
  /** How long a connection is held for one query or transaction, in the mean. */
  readonly meanQueryTime: Duration.Input
  /** Queries or transactions per second, of all instances together. */
  readonly targetRate: number
}

/**
 * The recommended options of one pool, and which number bound them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sizing {
  readonly minConnections: number
  readonly maxConnections: number
  /**
   * The bound that decided `maxConnections`. Unless it is `"demand"`, the target rate is more than the server bears
   * comfortably: `demand` tells by how much.
   */
  readonly because: "demand" | "cores" | "memory" | "serverMaxConnections"
  /** The connections that each pool would need for the target rate. */
  readonly demand: number
}

/**
 * Recommends the size of one of the pools that share a server.
 *
 * The usual formula takes the least of the four numbers as they are. This one differs in five points: demand leaves 30
 * % of the connections free, since a pool that is always full has a queue without end; what belongs to the server is
 * divided among the instances; three connections are left to administrators; the bound by cores is not doubled, because
 * it allows for waits already; and `minConnections` never exceeds `maxConnections`, which is at least 1.
 *
 * Throws a `RangeError` when a number is not finite or not greater than 0.
 *
 * @category operations
 * @since 0.1.0
 */
export const recommend = (load: Load): Sizing => {
  const instances = positive("instances", load.instances ?? 1)
  const seconds = positive("meanQueryTime", Duration.toSeconds(load.meanQueryTime))
  const demand = Math.max(1, Math.ceil(positive("targetRate", load.targetRate) * seconds / usableShare / instances))
  const mine = (ofServer: number): number => Math.max(1, Math.floor(ofServer / instances))
  const bounds: ReadonlyArray<readonly [Sizing["because"], number]> = [
    ["demand", demand],
    ["cores", mine(positive("cores", load.cores) * 2 + 1)],
    ["memory", mine(positive("memory", load.memory) / megabytesEach)],
    ["serverMaxConnections", mine(positive("serverMaxConnections", load.serverMaxConnections) - forAdministrators)]
  ]
  const [because, maxConnections] = bounds.reduce((least, bound) => bound[1] < least[1] ? bound : least)
  return {
    minConnections: Math.min(maxConnections, Math.max(2, Math.floor(maxConnections / 5))),
    maxConnections,
    because,
    demand
  }
}

/**
 * Measurements of a running pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface Measured {
  /** The pool's numbers now. */
  readonly stats: PoolStats
  /** Its numbers some time ago. By default those at its beginning: all zero. */
  readonly since?: PoolStats | undefined
  /** The time between the two. Take some minutes of the busiest hour. */
  readonly over: Duration.Input
  /** The wait that 95 % of the callers are not to exceed. Default 10 ms. */
  readonly targetWait?: Duration.Input | undefined
}

/**
 * The forecast for a pool of one size.
 *
 * @category models
 * @since 0.1.0
 */
export interface Forecast {
  readonly connections: number
  /** The share of them that is busy in the mean, 0 to 100. At 100 the queue only grows. */
  readonly utilization: number
  /** The share of the callers that wait at all, 0 to 1. */
  readonly waiting: number
  /** The mean wait of all callers, in milliseconds; `Infinity` where the queue only grows. */
  readonly wait: number
  /** The wait that 95 % of the callers do not exceed, in milliseconds. */
  readonly wait95: number
}

/**
 * A judgement of a running pool's size by its numbers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Advice {
  /**
   * The smallest size that keeps `targetWait`; where the pool measured with `sizing` that fewer give as much, that size.
   */
  readonly connections: number
  /**
   * The size from which more connections gave no more leases a second, as the pool measured with the option `sizing`;
   * `undefined` where it has not tried enough sizes.
   */
  readonly knee: number | undefined
  /** Callers per second. */
  readonly arrivalRate: number
  /** How long a connection is held, in the mean, in milliseconds. */
  readonly useTime: number
  /** How many connections are busy in the mean: `arrivalRate * useTime`. A pool needs more than that. */
  readonly load: number
  /** Every size from the smallest whose queue does not only grow to a little above the advice, the smallest first. */
  readonly forecasts: ReadonlyArray<Forecast>
  /** The forecast for the pool's limit as it is ... */
  readonly current: Forecast
  /** ... and the mean wait that was measured, in milliseconds. */
  readonly measuredWait: number
  /** Why the advice may be wrong, in whole sentences. Read them. */
  readonly caveats: ReadonlyArray<string>
}

/**
 * The smallest number of connections with which 95 % of the callers wait no longer than `targetWait` (10 ms unless
 * given), by the formula of `advise`. `useTime` is how long a connection is held in the mean, `arrivalRate` is in
 * callers per second.
 *
 * Throws a `RangeError` when a number is not finite or not greater than 0, and when no pool could be that busy.
 *
 * @category operations
 * @since 0.1.0
 */
export const sizeFor = (load: {
  readonly arrivalRate: number
  readonly useTime: Duration.Input
  readonly targetWait?: Duration.Input | undefined
}): number => {
  const useTime = positive("useTime", Duration.toMillis(load.useTime))
  const target = positive("targetWait", Duration.toMillis(load.targetWait ?? "10 millis"))
  return sizing(plausible(positive("arrivalRate", load.arrivalRate) * useTime / 1000), useTime, target).advised
}

/** The forecasts from the smallest size whose queue does not only grow to a little above the one that is advised. */
const sizing = (
  load: number,
  useTime: number,
  target: number
): { readonly advised: number; readonly forecasts: ReadonlyArray<Forecast> } => {
  const forecasts: Array<Forecast> = []
  let advised = Infinity
  let blocked = blockedOf(load, Math.floor(load))
  for (let connections = Math.floor(load) + 1; connections <= advised + 2; connections++) {
    blocked = blockedByOneMore(load, connections, blocked)
    const forecast = forecastOf(load, useTime, connections, blocked)
    forecasts.push(forecast)
    if (forecast.wait95 <= target) advised = Math.min(advised, connections)
  }
  return { advised, forecasts }
}

/**
 * Advises on the size of a running pool: the waits to be expected for each size, by queueing theory (M/M/c, Erlang's C
 * formula) from the rate of callers and the time they hold a connection, beside the wait that was measured.
 *
 * The formula takes callers to come independently of one another, holding times to vary as widely as they do for a mix
 * of queries, and everybody to wait in one line without giving up. Steady traffic waits less than it says, bursts wait
 * more. It knows nothing of the server: more connections help only while the server does not slow down, so take the
 * smaller of this and `recommend`. Where its expectation for the present size is far from what was measured, the
 * caveats say so.
 *
 * Throws a `RangeError` when `over` or `targetWait` is not finite or not greater than 0, when `since` is no earlier
 * reading of the same pool, and when `over` is so short that no pool could have been that busy.
 *
 * @category operations
 * @since 0.1.0
 */
export const advise = (measured: Measured): Advice => {
  const seconds = positive("over", Duration.toSeconds(measured.over))
  const target = positive("targetWait", Duration.toMillis(measured.targetWait ?? "10 millis"))
  const seen = seenOf(measured)
  const arrivalRate = seen.arrivals / seconds
  const load = plausible(arrivalRate * seen.useTime / 1000)
  const { advised, forecasts } = sizing(load, seen.useTime, target)
  const { limit } = measured.stats
  const current = forecastOf(load, seen.useTime, limit, blockedOf(load, limit))
  const knee = kneeOf(measured.stats.sizing?.tried ?? [])
  return {
    // Nobody came: nothing speaks for another size.
    connections: seen.arrivals === 0 ? limit : Math.min(advised, knee ?? advised),
    knee,
    arrivalRate,
    useTime: seen.useTime,
    load,
    forecasts,
    current,
    measuredWait: seen.wait,
    caveats: [
      ...caveats.map((caveat) => caveat(seen, current)).filter((caveat) => caveat !== undefined),
      ...(knee === undefined || knee >= advised || seen.arrivals === 0 ? [] : [
        `${advised} connections would keep the target by queueing theory, but with more than ${knee} the backend gave no ` +
        "more leases a second: they would wait there instead."
      ])
    ]
  }
}

/** The smallest size that gave as many leases a second as any, if a larger one was tried. */
const kneeOf = (tried: ReadonlyArray<SizeTried>): number | undefined => {
  const most = Math.max(...tried.map(({ rate }) => rate))
  // While every lease fails all sizes give the same.
  if (most <= 0) return undefined
  const best = tried.find(({ rate }) => rate >= enough * most)
  // The largest that was tried may be too small still.
  return best === undefined || tried.length < 2 || best === tried.at(-1) ? undefined : best.size
}

/** A size that gives so much of the most is as good as any. */
const enough = 0.95

interface Seen {
  readonly arrivals: number
  readonly leases: number
  readonly turnedAway: number
  readonly opened: number
  readonly useTime: number
  readonly wait: number
}

const seenOf = ({ since, stats }: Measured): Seen => {
  const between = (read: (stats: PoolStats) => number): number => read(stats) - (since === undefined ? 0 : read(since))
  const mean = (of: "use" | "wait"): number => {
    const count = between((stats) => stats[of].count)
    return count > 0 ? Math.max(0, between((stats) => stats[of].count * stats[of].mean)) / count : 0
  }
  const leases = between(({ counts }) => counts.acquiredAtOnce + counts.acquiredAfterWaiting)
  const turnedAway = between(({ counts }) => counts.timedOut + counts.refused + counts.failed + counts.interrupted)
  if (leases < 0 || turnedAway < 0) throw new RangeError("since must be an earlier reading of the same pool")
  return {
    arrivals: leases + turnedAway,
    leases,
    turnedAway,
    opened: between(({ counts }) => counts.opened),
    useTime: mean("use"),
    wait: mean("wait")
  }
}

const forecastOf = (load: number, useTime: number, connections: number, blocked: number): Forecast => {
  if (load >= connections) return { connections, utilization: 100, waiting: 1, wait: Infinity, wait95: Infinity }
  // Erlang's C from his B.
  const waiting = blocked / (1 - load / connections * (1 - blocked))
  // How fast the line gets shorter while all connections are busy: one ends every so many milliseconds more than come.
  const each = useTime / (connections - load)
  return {
    connections,
    utilization: load / connections * 100,
    waiting,
    wait: waiting * each,
    wait95: waiting <= 0.05 ? 0 : each * Math.log(waiting / 0.05)
  }
}

/** Erlang's B: the share of callers that would be turned away if nobody could wait. By recursion it can't overflow. */
const blockedOf = (load: number, connections: number): number => {
  let blocked = 1
  for (let n = 1; n <= connections; n++) blocked = blockedByOneMore(load, n, blocked)
  return blocked
}

const blockedByOneMore = (load: number, connections: number, blocked: number): number =>
  load * blocked / (connections + load * blocked)

type Caveat = (seen: Seen, current: Forecast) => string | undefined

const caveats: ReadonlyArray<Caveat> = [
  ({ leases }) =>
    leases >= 1000 ? undefined : `${leases} leases are too few to tell much: measure for longer, or under more load.`,
  (_, { connections, utilization }) =>
    utilization < 90
      ? undefined
      : `${connections} connections are ${
        Math.round(utilization)
      } % busy: callers that are held up come less often, and ` +
        "connections may be held for longer than they would be. Raise the limit a little and measure again.",
  ({ arrivals, turnedAway }) =>
    turnedAway <= arrivals / 100
      ? undefined
      : `${turnedAway} of ${arrivals} callers got no connection. They are counted as callers; if they tried again, ` +
        "they are counted too often.",
  ({ leases, opened }) =>
    opened <= leases / 20
      ? undefined
      : `${opened} connections were opened for ${leases} leases: part of the wait is for dials, which another limit ` +
        "does not shorten. Raise minConnections or idleTimeout first.",
  ({ wait }, { wait: expected }) =>
    !Number.isFinite(expected) || Math.max(wait, expected) < 1 || (wait < expected * 3 && expected < wait * 3)
      ? undefined
      : `the measured wait of ${Math.round(wait * 10) / 10} ms is far from the ${
        Math.round(expected * 10) / 10
      } ms to be ` +
        `expected: callers come ${wait > expected ? "in bursts" : "more evenly"}, and the forecasts are too ${
          wait > expected ? "low" : "high"
        }.`
]

/** No pool is as large, and to go through so many sizes would take for ever. */
const mostBusy = 1_000_000

const plausible = (load: number): number => {
  if (load <= mostBusy) return load
  throw new RangeError(`over is too short: ${Math.round(load)} connections would have been busy in the mean`)
}

/** The share of the connections that may be busy in the mean. */
const usableShare = 0.7
/** A rough cost of one connection on the server. */
const megabytesEach = 10
/** PostgreSQL keeps three for superusers by default. */
const forAdministrators = 3

const positive = (name: string, value: number): number => {
  if (Number.isFinite(value) && value > 0) return value
  throw new RangeError(`${name} must be a finite number greater than 0, got ${value}`)
}
