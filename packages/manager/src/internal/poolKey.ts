/**
 * How the manager is told which pool is meant.
 */
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import type { ManagedPool } from "./managedPool.ts"

/**
 * The class of a pool, whatever it lends.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolKey = Context.Key<unknown, ManagedPool>

/**
 * A pool by its class or by its name.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolRef = PoolKey | string

/**
 * No pool of this name is managed.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownPool extends Data.TaggedError("UnknownPool")<{
  /** The name that was asked for. */
  readonly pool: string
  /** The names there are. */
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    return `no pool ${JSON.stringify(this.pool)} is managed; there are ${this.known.join(", ")}`
  }
}
