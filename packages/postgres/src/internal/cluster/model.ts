/**
 * The options and members of a cluster: types alone.
 */
import type { PoolStats } from "@effect-pools/core/PoolStats"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Row } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type { ClusterError } from "../../ClusterError.ts"
import type { PostgresOptions } from "../../PostgresConfig.ts"
import type { Isolation, PostgresPool } from "../model.ts"

/**
 * The least that a read must see.
 *
 * - `session`: what its session has written, and no less than its session has read
 * - `eventual`: whatever a replica has that is not further behind than `maxLag`
 * - `primary`: everything that is committed. It runs on the primary
 *
 * @category models
 * @since 0.1.0
 */
export type Consistency = "session" | "eventual" | "primary"

/**
 * One server of a cluster: its URL, or options that differ from those of the cluster.
 *
 * @category models
 * @since 0.1.0
 */
export type NodeInput = Redacted.Redacted | NodeOptions

/**
 * Options of one server of a cluster. Those that are not given are the cluster's.
 *
 * @category models
 * @since 0.1.0
 */
export type NodeOptions = Pick<
  PostgresOptions,
  "url" | "host" | "port" | "database" | "username" | "password" | "ssl" | "minConnections" | "maxConnections"
>

/**
 * The options of a cluster: its servers, what reads may see, and the options of a `PostgresPool`, which hold for the pool of
 * each server.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterOptions extends Omit<PostgresOptions, "url" | "host" | "port" | "role"> {
  /**
   * The server that takes writes when the program starts: its URL, or host, port and what differs. A URL may name several
   * hosts, `postgres://app@a:5432,b:5432/app?target_session_attrs=read-write`: which of them is the primary is found out,
   * and the others are replicas.
   */
  readonly primary: NodeInput
  /** The streaming replicas. Roles are watched, so that a replica that is promoted takes the writes without a restart. */
  readonly replicas?: ReadonlyArray<NodeInput> | undefined
  /** The least that a read must see unless it says otherwise. Default `"session"`. */
  readonly consistency?: Consistency | undefined
  /**
   * A replica further behind than this serves no reads until it is less than half as far behind. Default 10 s. Too small:
   * replicas come and go. Too large: `eventual` reads are old. It must be less than `tokenLifetime`. From level 2 of
   * degradation on it is half of the way from here to `tokenLifetime`, and three times this at most.
   */
  readonly maxLag?: Duration.Input | undefined
  /**
   * How long a read waits for a replica that has what it must see before it goes to the primary. Default 100 ms; 0 waits
   * for none. Too small: the primary serves what a replica would have a moment later. Too large: reads are late.
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * How much of the primary's connections may serve reads that no replica can, above 0 and at most 1; it is at least one.
   * Default 0.3. Beyond it they fail with `NoFreshReplica`. Too small: reads fail that the primary had room for. Too large:
   * when all replicas are behind, reads keep writes waiting. Without replicas, and for reads with the consistency `"primary"`, it
   * has no effect.
   */
  readonly primaryShare?: number | undefined
  /**
   * How long what a session has written must be seen by its reads. Default 30 s. Too small: a replica that is further
   * behind is read too early. Too large: nothing but a few bytes a session.
   */
  readonly tokenLifetime?: Duration.Input | undefined
  /**
   * How often each server is asked for its role and position, on a connection of its own. Default 1 s; ten times as often
   * while no primary answers, and whenever a read needs to know. Too short: work for the servers. Too long: a failover is
   * noticed late.
   */
  readonly probeInterval?: Duration.Input | undefined
  /**
   * Whether equal single statements that are read at the same time are run once, and their rows, which are frozen, given to
   * all. Equal means the text, the parameters, and the `affinity` of the caller. A caller joins only what its own writes are
   * in. With statements that answer each caller anew, such as `random()`, it is wrong. Default: from level 2 of degradation
   * on, but each caller is given rows of its own, and texts that call `random`, a maker of UUIDs, a clock or an advisory lock
   * are run for each; `false` never.
   */
  readonly dedupe?: boolean | undefined
}

/**
 * How one read differs from the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadOptions {
  /** Default: that of the cluster. */
  readonly consistency?: Consistency | undefined
  /** Default: that of the cluster. */
  readonly maxWait?: Duration.Input | undefined
  /**
   * Runs the effect in a transaction of this level wherever it lands. A serializable one runs on the primary. Default: the
   * server's own setting.
   */
  readonly isolation?: Isolation | undefined
  /** Default: that of the cluster. */
  readonly dedupe?: boolean | undefined
  /** Names its lease in warnings, `connections` and pages, such as the endpoint that it serves. */
  readonly label?: string | undefined
}

/**
 * One server of a cluster at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeInfo {
  /** The name of its pool. */
  readonly name: string
  /**
   * - `primary`: it takes the writes
   * - `replica`: a standby
   * - `stray`: it says it is a primary, and another one is
   * - `foreign`: it belongs to another cluster
   * - `unknown`: it has not answered yet
   */
  readonly role: "primary" | "replica" | "stray" | "foreign" | "unknown"
  /** Whether it serves reads as a replica. */
  readonly isIn: boolean
  /** Milliseconds behind the primary; `undefined` for the primary and as long as nobody knows. */
  readonly lag: number | undefined
  /** Whether it answers. */
  readonly isReachable: boolean
  /** Reads that it serves, and that it served so far. */
  readonly reads: number
  readonly served: number
  readonly stats: PoolStats
}

/**
 * The members of a cluster beyond those of a pool. `Env` is what a member asks for: nothing on a cluster, the class on a class.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterMembers<out Env = never> {
  /**
   * Reads from a replica that has what the read must see, else from the primary.
   *
   * A template is one statement: ``Db.read`SELECT 1` ``; so is a function that returns one,
   * ``Db.read((sql) => sql`SELECT * FROM users WHERE ${sql.in("id", ids)}`)``. A function that returns any other effect
   * has all of it in one read-only transaction. Wherever it lands the server refuses writes (25006). Inside a transaction
   * of the cluster it is part of it.
   *
   * A read that a standby cancels is run once more, on the primary. One whose standby is lost, or that waits for a connection
   * of it, goes on at another replica that has what it must see, else on the primary.
   */
  readonly read: {
    <A extends object = Row>(
      strings: TemplateStringsArray,
      ...args: ReadonlyArray<unknown>
    ): Effect.Effect<ReadonlyArray<A>, SqlError | PoolError | ClusterError, Env>
    <A, E, R>(
      f: (sql: Statement.Constructor) => Effect.Effect<A, E, R>,
      options?: ReadOptions
    ): Effect.Effect<A, E | SqlError | PoolError | ClusterError, R | Env>
  }
  /**
   * A token of the writes and demands of the session so far, as a text for a cookie or a message: `Consistency.provide`
   * takes it. `undefined` if that is nothing.
   */
  readonly token: Effect.Effect<string | undefined, ClusterError, Env>
  /** Its servers, in the order in which they were given. */
  readonly nodes: Effect.Effect<ReadonlyArray<NodeInfo>, never, Env>
}

/**
 * A primary and its replicas: a pool of connections to the primary, and reads from whoever has what they must see.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresCluster extends PostgresPool, ClusterMembers {}
