/**
 * Looks at the pools of Effect that hold the connections of ours.
 *
 * Every connection of a pool, of whatever kind, is an item of one `Pool` of Effect. No member of a pool shows that `Pool`;
 * a test that wants to count through Effect's own `Pool.stats` makes its pool under `watch`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Pool from "effect/Pool"

/**
 * The pools of Effect that were made under `watch`.
 *
 * @category models
 * @since 0.1.0
 */
export interface EffectPools {
  /** In the order in which they were made. */
  readonly all: ReadonlyArray<Pool.Pool<unknown>>
  /** Makes pools, or the layers of pools, so that `all` has theirs. */
  readonly watch: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The numbers of all of them at this moment. */
  readonly numbers: () => Numbers
}

/**
 * The numbers of Effect's pools, added up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Numbers {
  /** Connections: those on loan to the pool of ours and those that rest. */
  readonly items: number
  /** Connections on loan. */
  readonly loans: number
  /** Borrowers that wait inside Effect's pools. There is never one: the queue is in front. */
  readonly waiting: number
  /** Connections that are to leave and have not left. There is never one: they leave at once. */
  readonly invalidated: number
}

/** The engine tells it of each pool that it makes. It goes by the same key there. */
const PoolObserver = Context.Reference<(pool: Pool.Pool<unknown>) => void>("@effect-pools/core/PoolObserver", {
  defaultValue: () => () => {}
})

/**
 * Makes an observer that has seen no pool yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): EffectPools => {
  const all: Array<Pool.Pool<unknown>> = []
  const sum = (of: (state: Pool.State<unknown, never>) => number): number =>
    all.reduce((total, { state }) => total + of(state), 0)
  return {
    all,
    watch: Effect.provideService(PoolObserver, (pool) => void all.push(pool)),
    numbers: () => ({
      items: sum(({ items }) => items.size),
      loans: sum(({ usage }) => usage),
      waiting: sum(({ waiters }) => waiters.size),
      invalidated: sum(({ invalidated }) => invalidated.size)
    })
  }
}
