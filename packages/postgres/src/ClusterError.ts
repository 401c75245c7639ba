/**
 * Reasons for which a cluster could not serve a read.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * How far a replica was when a read was refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReplicaLag {
  readonly name: string
  /** Whether it serves reads. */
  readonly isIn: boolean
  /** Milliseconds behind the primary; `undefined` if nobody knows. */
  readonly lag: number | undefined
}

/**
 * No replica has what the read must see, and the primary serves as many reads as `primaryShare` allows. Nothing older was
 * read instead.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NoFreshReplica extends Data.TaggedError("NoFreshReplica")<{
  /** Milliseconds the read waited for a replica. */
  readonly waited: number
  /** How many reads the primary served, and how many it may. */
  readonly onPrimary: number
  readonly primaryLimit: number
  readonly replicas: ReadonlyArray<ReplicaLag>
}> {
  readonly isRetryable = true
  override get message(): string {
    const replicas = this.replicas.map(({ isIn, lag, name }) =>
      `${name} ${isIn ? "in" : "out"}, ${lag === undefined ? "lag unknown" : `${Math.round(lag)} ms behind`}`
    )
    return `no replica has what the read must see, after ${Math.round(this.waited)} ms, and the primary serves ` +
      `${this.onPrimary} of at most ${this.primaryLimit} reads (primaryShare): ${replicas.join("; ") || "no replica"}`
  }
}

/**
 * A token can't be used: it is none, or one of another cluster, or of a place that the log has not reached.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidToken extends Data.TaggedError("InvalidToken")<{
  readonly because: "malformed" | "foreign" | "future"
}> {
  readonly isRetryable = false
  override get message(): string {
    switch (this.because) {
      case "malformed":
        return "the token is none that `token` has given"
      case "foreign":
        return "the token is of another cluster: its system identifier differs"
      case "future":
        return "the token names a place that the primary has not reached: it was made up, or of a cluster restored since"
    }
  }
}

/**
 * A cluster could not serve a read, for the `reason` given. What its pools refuse is a `PoolError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ClusterError extends Data.TaggedError("ClusterError")<{
  /** The cluster's name. */
  readonly pool: string
  readonly reason: NoFreshReplica | InvalidToken
}> {
  override get message(): string {
    return `${this.pool}: ${this.reason.message}`
  }
  /** Whether the same call may succeed later. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
}
