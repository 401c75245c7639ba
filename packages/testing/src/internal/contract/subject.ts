/**
 * The pool under test, as its package describes it.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/**
 * The pool under test and its backend.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject<Lent, R> {
  /** The backend, made once for the suite. `Layer.empty` if the pool needs none. */
  readonly layer: Layer.Layer<R, unknown>
  /** Makes a pool with these options, which must all reach the pool. */
  readonly make: (options: PoolOptions) => Effect.Effect<ConnectionPool<Lent>, unknown, Scope.Scope | R>
  /** Uses a connection for one round trip, and tells what identifies it, such as the process id of its backend. */
  readonly use: (connection: Lent) => Effect.Effect<unknown, unknown, R>
  /** Whether the use of a connection after its lease is a defect. Default false. */
  readonly revokes?: boolean | undefined
  /** How many connections the backend counts now, if it can tell. It is asked for again until it agrees. */
  readonly live?: Effect.Effect<number, unknown, R> | undefined
}
