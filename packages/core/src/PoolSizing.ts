/**
 * How many connections a program should have.
 *
 * Four numbers bound a pool. *Demand*: by Little's law `rate * time` connections are busy in the mean, and the pool
 * needs more than that, or its queue never empties. *Cores*: a database does its best with about two connections to a
 * core and one to a disk, and gets slower beyond. *Memory* and *the server's own limit*: beyond those it refuses or
 * fails. Demand says what is wanted, the other three say what can be had; the recommendation is the least of them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * What a recommendation is made from. Cores, memory and the limit are those of the server of the connections, not of
 * the machine that the program runs on.
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
   * What bound `maxConnections`. Unless it is `"demand"`, the target rate is more than the server bears comfortably:
   * `demand` tells by how much.
   */
  readonly because: "demand" | "cores" | "memory" | "serverMaxConnections"
  /** The connections that each pool would need for the target rate. */
  readonly demand: number
}

/**
 * Recommends the size of one of the pools that share a server.
 *
 * The usual formula takes the least of the four numbers as they are. This one differs in five points: demand leaves 30 %
 * of the connections free, since a pool that is always full has a queue without end; what belongs to the server is
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
