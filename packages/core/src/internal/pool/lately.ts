/**
 * Facts of a pool that take long to read and are told to very many callers: read once in a while for all of them.
 */
import type { PoolState } from "./state.ts"

interface Read<A> {
  readonly at: number
  readonly since: unknown
  readonly facts: A
}

/** Reads anew after so many milliseconds, or as soon as `since` gives something else. */
export const lately = <A>(
  millis: number,
  read: (state: PoolState) => A,
  since: (state: PoolState) => unknown = () => undefined
): (state: PoolState) => A => {
  const reads = new WeakMap<PoolState, Read<A>>()
  return (state) => {
    const now = state.time.now()
    const last = reads.get(state)
    if (last !== undefined && now - last.at < millis && last.since === since(state)) return last.facts
    const facts = read(state)
    reads.set(state, { at: now, since: since(state), facts })
    return facts
  }
}
