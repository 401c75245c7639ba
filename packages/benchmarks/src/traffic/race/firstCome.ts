/**
 * The line of our pool before it knew traffic: first come, first served, and nothing else. It is told to a pool by the same key
 * as the engine's own order, which has no public name.
 */
import * as Context from "effect/Context"

/** Everybody who waits, as the line keeps them. */
interface Arrivals {
  readonly size: number
  readonly sharers: number
  readonly head: object | undefined
  [Symbol.iterator](): Iterator<object>
}

const makeOrder = (_: unknown, arrivals: Arrivals) => ({
  get wanted() {
    return arrivals.size
  },
  get wantedShared() {
    return arrivals.sharers
  },
  enter: () => Infinity,
  leave() {},
  first: () => arrivals.head,
  isNext: () => arrivals.size === 0,
  refusal: () => undefined,
  priorityOf: () => "normal",
  [Symbol.iterator]: () => Array.from(arrivals)[Symbol.iterator]()
})

const MakeOrder = Context.Reference<unknown>("@effect-pools/core/MakeOrder", { defaultValue: () => undefined })

export const firstCome: Context.Context<never> = Context.make(MakeOrder, makeOrder)
